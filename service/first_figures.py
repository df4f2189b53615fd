"""Counters that stand at 0 before anything was counted. Pure.

Prometheus' `rate()` and `increase()` see how much a series grew. One that appears with its first
event never grew by it, so whatever may come is shown from the start: it is bounded by the
configuration. Models come with the traffic: the usual ends of a model's exchanges appear together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from scorers.errors import (
    DeadlineExceeded,
    EngineStopped,
    Overloaded,
    RunFailed,
    ScorerFailed,
    WorkerDied,
)
from service.exchange import Outcome, Status
from service.policy import Policy, Rule
from service.upstream import Target

Labels = tuple[str, ...]

ALL = "all"
"""The scorer's label where a verdict is on the whole text."""

_ENDS = (
    (Outcome.ALLOW, Status.COMPLETED),
    (Outcome.FLAG, Status.COMPLETED),
    (Outcome.UNSCORED, Status.COMPLETED),
    (Outcome.VETO, Status.VETOED),
    (Outcome.VETO, Status.PROMPT_VETOED),
    (Outcome.UNSCORED, Status.UPSTREAM_ERROR),
)
_ANSWERS = ("200", "500", "502", "503", "504")
_FAILURES = (Overloaded, DeadlineExceeded, EngineStopped, WorkerDied, RunFailed, ScorerFailed)
_RATINGS = ("up", "down", "none", "comparison", "ranking")
_REGENERATED = ("accepted", "vetoed", "late", "failed", "client_gone")
_TWINS = ("flipped", "kept", "late", "failed", "impossible", "unused")


def ends_beside(policy: str, model: str, _verdict: str, _status: str) -> Iterator[Labels]:
    """The usual ends of the exchanges of a policy and a model, as `exchanges` labels them."""
    for outcome, status in _ENDS:
        yield policy, model, outcome.value, status.value


def answers_beside(route: str, model: str, _status: str) -> Iterator[Labels]:
    """The statuses that a share of failures is made of, for a model that is served."""
    if model:
        for status in _ANSWERS:
            yield route, model, status


def known(
    *,
    policies: Iterable[Policy],
    scorers: Iterable[str],
    targets: Iterable[Target],
    routes: Iterable[str],
) -> Mapping[str, Iterable[Labels]]:
    """The label values that may come, by the metric's name without its prefix."""
    policies, scorers, targets = tuple(policies), tuple(scorers), tuple(targets)
    return {
        "verdicts": (labels for policy in policies for labels in _verdicts(policy)),
        "regenerations": (
            (policy.name, outcome)
            for policy in policies
            if any(rule.action == "regenerate" for rules in policy.rules.values() for rule in rules)
            for outcome in _REGENERATED
        ),
        "twins": (labels for policy in policies for labels in _twins(policy)),
        "scorer_seconds": ((scorer,) for scorer in scorers),
        "scorer_failures": ((scorer, error.kind) for scorer in scorers for error in _FAILURES),
        "upstream_retries": (
            (target.name, reason)
            for target in targets
            if target.retries
            for reason in ("unreachable", "429", "503")
        ),
        "upstream_fallbacks": ((target.name,) for target in targets if target.fallback),
        "upstream_refused": ((target.name,) for target in targets if target.max_concurrency),
        "unscored_media": ((route, kind) for route in routes for kind in ("audio", "image")),
        "remembered_scores": (("hit",), ("miss",)),
        "feedback": ((rating,) for rating in _RATINGS),
    }


def _verdicts(policy: Policy) -> Iterator[Labels]:
    failed = Outcome.VETO if policy.on_scorer_failure == "closed" else Outcome.UNSCORED
    for side, rules in policy.rules.items():
        for rule in rules:
            for outcome in _outcomes(rule):
                yield policy.name, side.value, rule.name, outcome.value
        if rules:
            yield policy.name, side.value, ALL, failed.value


def _outcomes(rule: Rule) -> Iterator[Outcome]:
    yield Outcome.ALLOW
    yield Outcome.UNSCORED
    if rule.flag is not None:
        yield Outcome.FLAG
    if rule.veto is not None:
        yield Outcome.VETO


def _twins(policy: Policy) -> Iterator[Labels]:
    rule = policy.twin
    if rule is None:
        return
    if rule.is_inline:
        yield from ((policy.name, "inline", outcome) for outcome in _TWINS)
    if rule.sample:
        yield from ((policy.name, "sampled", outcome) for outcome in (*_TWINS, "skipped"))
