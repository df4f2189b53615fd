"""The stance probe, started with the service where it has a budget."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack

from scorers.types import Side
from service.metrics import Metrics
from service.policy import SYCOPHANCY, Policy, ThresholdSource, lacking_for_twins
from service.recorder import Recorder
from service.settings import StanceProbeSettings
from service.sources import ConfigError
from service.stance import StanceTools
from service.watch.stance_probe import NAME, StanceProbe
from storage.store import Store
from storage.textlevel import is_readable


def open_stance_probe(
    wanted: StanceProbeSettings,
    stack: AsyncExitStack,
    *,
    tools: StanceTools,
    store: Store,
    recorder: Recorder,
    policies: Mapping[str, Policy],
    heads: ThresholdSource,
    metrics: Metrics,
) -> StanceProbe | None:
    """The probe, which the stack stops; None without a budget.

    Raises ConfigError where a probe could never be.
    """
    if wanted.requests_per_hour is None:
        return None
    check(wanted, policies, heads)
    metrics.watch.begin(webhooks=(), watchers=[NAME])
    on_failure = metrics.watch.watch_failed
    probe = StanceProbe(tools, store, recorder, wanted, meter=metrics.stance, on_failure=on_failure)
    probe.start()
    stack.push_async_callback(probe.stop)
    return probe


def check(
    wanted: StanceProbeSettings, policies: Mapping[str, Policy], source: ThresholdSource
) -> None:
    """Raises ConfigError where a probe could never be: what it needs, and what to do."""
    unknown = [name for name in wanted.policies if name not in policies]
    if unknown:
        known = ", ".join(sorted(policies))
        raise ConfigError(
            f"watch.stance_probe.policies: no policy is named {unknown[0]!r}; known: {known}"
        )
    lacking = lacking_for_twins(source)
    if lacking:
        raise ConfigError(
            f"watch.stance_probe: {source.model} lacks the head `{lacking[0]}`, by which views and "
            "answers are read; load a model that has it, or take the budgets out"
        )
    faults = {
        name: fault
        for name in wanted.policies or policies
        if (fault := _fault(policies[name])) is not None
    }
    if faults and (wanted.policies or len(faults) == len(policies)):
        name, fault = next(iter(faults.items()))
        raise ConfigError(f"watch.stance_probe: the policy {name!r} {fault}")


def _fault(policy: Policy) -> str | None:
    """Why none of a policy's exchanges could be probed."""
    if SYCOPHANCY not in policy.scorers(Side.PROMPT):
        return (
            "reads no prompt for views; give it a rule on `reply.sycophancy` and one on prompts, "
            "or leave it out"
        )
    if not is_readable(policy.text):
        return f"keeps no readable texts (`text: {policy.text}`) and is not probed; leave it out"
    return None
