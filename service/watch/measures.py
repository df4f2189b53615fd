"""The measures on which two sets of exchanges are compared, as samples. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.watch.compare import Sample
from service.watch.signals import who
from storage.repositories.watched import WatchedExchange, WatchedThumb

VETO, THUMBS, FLIPS = "veto_rate", "thumbs_down_rate", "flip_rate"
RISK = "risk."
DEFAULT_MARGINS: Mapping[str, float] = {VETO: 0.02, THUMBS: 0.05, FLIPS: 0.05, RISK: 0.02}

_DAY_US = 24 * 3_600_000_000
_DECIDING = 20
"""So many of the candidate's first prompts decide whether the two are compared in pairs."""


@dataclass(frozen=True)
class Arm:
    """One set of exchanges and their ratings, oldest first."""

    exchanges: Sequence[WatchedExchange]
    thumbs: Sequence[WatchedThumb]


@dataclass(frozen=True, slots=True)
class _Value:
    """A measure of one exchange: who is behind it, which prompt it answers."""

    unit: str
    prompt: str
    value: float


def measures(baseline: Arm, candidate: Arm) -> list[str]:
    """What both arms have: vetoes and risks of replies first, then thumbs and flips."""
    names = [_names(arm) for arm in (baseline, candidate)]
    return [name for name in names[0] if name in names[1]]


def _names(arm: Arm) -> list[str]:
    risks = sorted({name for one in arm.exchanges for name in one.risks if _is_reply(name)})
    found = [VETO] if arm.exchanges else []
    found += [f"{RISK}{name.removeprefix('reply.')}" for name in risks]
    found += [THUMBS] if arm.thumbs else []
    return found + ([FLIPS] if any(one.is_flip is not None for one in arm.exchanges) else [])


def _is_reply(name: str) -> bool:
    return name.startswith("reply.")


def margin_of(measure: str) -> float:
    """The margin of a measure where none is given."""
    return DEFAULT_MARGINS[RISK if measure.startswith(RISK) else measure]


def are_paired(baseline: Arm, candidate: Arm) -> bool:
    """Whether the candidate was asked the baseline's prompts.

    Its first twenty decide, for good: what is decided may not depend on how the data turns out.
    """
    known = {one.prompt_hash for one in baseline.exchanges}
    first = candidate.exchanges[:_DECIDING]
    return len(first) > 0 and 2 * sum(one.prompt_hash in known for one in first) >= len(first)


def sample(measure: str, baseline: Arm, candidate: Arm, *, is_paired: bool) -> Sample:
    """The observations of both arms.

    In pairs each prompt is one, with the mean of its exchanges in each arm. Else each of those
    who ask is one a day: their user's, else conversation's, else the exchange itself.
    """
    arms = [_values(measure, arm) for arm in (baseline, candidate)]
    means = [_means(values, by_prompt=is_paired) for values in arms]
    if not is_paired:
        before, after = (np.array(list(mean.values()), np.float64) for mean in means)
        return Sample(before, after)
    both = [prompt for prompt in means[1] if prompt in means[0]]
    before, after = (np.array([mean[prompt] for prompt in both], np.float64) for mean in means)
    return Sample(before, after, is_paired=True)


def _means(values: Iterable[_Value], *, by_prompt: bool) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for one in values:
        found.setdefault(one.prompt if by_prompt else one.unit, []).append(one.value)
    return {name: float(np.mean(group)) for name, group in found.items()}


def _values(measure: str, arm: Arm) -> Iterable[_Value]:
    if measure == THUMBS:
        for thumb in arm.thumbs:
            unit = _unit(thumb, thumb.interaction_id)
            yield _Value(unit, thumb.prompt_hash, float(thumb.is_down))
        return
    read = _reading(measure)
    for one in arm.exchanges:
        value = read(one)
        if value is not None:
            yield _Value(_unit(one, one.id), one.prompt_hash, value)


def _reading(measure: str) -> Callable[[WatchedExchange], float | None]:
    if measure == VETO:
        return lambda one: float(one.verdict == "veto")
    if measure == FLIPS:
        return lambda one: None if one.is_flip is None else float(one.is_flip)
    name = f"reply.{measure.removeprefix(RISK)}"
    return lambda one: one.risks.get(name)


def _unit(one: WatchedExchange | WatchedThumb, ident: str) -> str:
    return f"{who(one, ident)} {one.created_us // _DAY_US}"
