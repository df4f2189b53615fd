"""How well a served model's certainty tells how often it is right: pure, numbers in and out.

A reading is one way to state a chance of being right: how sure a reply sounds (`expressed`), its
tokens' probabilities (`tokens`), or what the confidence scorer made of both (`likely`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scorers.calibration_map import Outcome
from scorers.evaluation import metrics
from scorers.evaluation.metrics import Interval
from scorers.evaluation.resampled import fault_figures, intervals
from storage.repositories.outcomes import CheckedReply

READINGS = ("expressed", "tokens", "likely")
BINS = 10
ROUNDS = 500
FEWEST = 50
"""Checked replies below which a reading gets no figures."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reading:
    """One model's calibration by one reading.

    `diagram` has (mean stated chance, share right, replies) of each bin that holds some. `ece` is
    the expected calibration error over fifteen bins of equal width, `brier` the mean squared
    error, each with a 95% bootstrap interval; `auroc` says how well the chance tells right from
    wrong replies. `bias` is the mean stated chance less the share right.
    """

    name: str
    replies: int
    right: int
    bias: float
    ece: Interval
    brier: Interval
    auroc: Interval
    diagram: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True, slots=True)
class Degradation:
    """How much worse recent replies are calibrated than those of a reference.

    `before` and `after` are root mean square calibration errors without their bias by sample
    size, `change` the difference of their squares with its interval; it is degraded where even
    the low end lies above the square of the margin.
    """

    model: str
    reading: str
    before: float
    after: float
    change: Interval
    replies: int
    is_degraded: bool


def readings_of(replies: Sequence[CheckedReply]) -> tuple[Reading, ...]:
    """The readings that enough of one model's replies have."""
    return tuple(
        _reading(name, right, stated)
        for name in READINGS
        if len((pair := stated_chances(replies, name))[0]) >= FEWEST
        for right, stated in [pair]
    )


def stated_chances(replies: Sequence[CheckedReply], reading: str) -> tuple[Floats, Floats]:
    """Whether each reply was right (0 or 1) and its stated chance, where it has the reading."""
    known = [(r.is_right, value) for r in replies if (value := getattr(r, reading)) is not None]
    right, stated = zip(*known, strict=True) if known else ((), ())
    return np.array(right, np.float64), np.array(stated, np.float64)


def by_model(replies: Sequence[CheckedReply]) -> dict[str, list[CheckedReply]]:
    """The replies of each model, those with most first."""
    found: dict[str, list[CheckedReply]] = {}
    for reply in replies:
        found.setdefault(reply.model, []).append(reply)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def outcomes(replies: Sequence[CheckedReply]) -> list[Outcome]:
    """What `fit_outcomes` fits a map of one served model on."""
    return [
        Outcome(
            expressed=reply.expressed,
            correct=float(reply.is_right),
            mean_logprob=None if reply.tokens is None else _log(reply.tokens),
        )
        for reply in replies
    ]


def squared_error(right: Floats, stated: Floats, *, bins: int = BINS) -> float:
    """The squared calibration error, without the part that chance alone adds to a small sample.

    Each bin of equal count gives (mean stated - share right)^2 less the sampling variance of its
    share: the debiased estimator of Kumar, Liang and Ma 2019 ("Verified Uncertainty
    Calibration", section 5). Chance may bring it a little below zero.
    """
    order = np.argsort(stated, kind="stable")
    total = 0.0
    for part in np.array_split(order, min(bins, max(1, len(order) // 2))):
        share, size = right[part].mean(), len(part)
        noise = share * (1.0 - share) / max(1, size - 1)
        total += size / len(order) * float((stated[part].mean() - share) ** 2 - noise)
    return total


def degradation(
    model: str,
    reading: str,
    reference: tuple[Floats, Floats],
    recent: tuple[Floats, Floats],
    *,
    margin: float,
    alpha: float,
    seed: int = 0,
) -> Degradation | None:
    """Whether recent replies are worse calibrated than the reference; None with too few.

    The interval is a basic bootstrap over both samples with one-sided level `alpha`: more replies
    narrow it and move nothing.
    """
    if min(len(reference[0]), len(recent[0])) < FEWEST:
        return None
    before, after = squared_error(*reference), squared_error(*recent)
    drawn = _drawn_changes(reference, recent, seed)
    low, high = np.quantile(drawn, [alpha, 1.0 - alpha])
    change = after - before
    interval = Interval(change, 2 * change - float(high), 2 * change - float(low))
    return Degradation(
        model=model,
        reading=reading,
        before=math.sqrt(max(0.0, before)),
        after=math.sqrt(max(0.0, after)),
        change=interval,
        replies=len(recent[0]),
        is_degraded=interval.low > margin**2,
    )


def compared(
    reference: Mapping[str, Sequence[CheckedReply]],
    recent: Mapping[str, Sequence[CheckedReply]],
    *,
    margin: float,
    alpha: float,
) -> Iterator[Degradation]:
    """Every model and reading that both have enough of, `alpha` shared among them (Bonferroni)."""
    pairs = [(model, name) for model in recent if model in reference for name in READINGS]
    for model, name in pairs:
        found = degradation(
            model,
            name,
            stated_chances(reference[model], name),
            stated_chances(recent[model], name),
            margin=margin,
            alpha=alpha / len(pairs),
        )
        if found is not None:
            yield found


def _drawn_changes(
    reference: tuple[Floats, Floats], recent: tuple[Floats, Floats], seed: int
) -> Floats:
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(ROUNDS):
        errors = []
        for right, stated in (reference, recent):
            pick = rng.integers(0, len(right), len(right))
            errors.append(squared_error(right[pick], stated[pick]))
        drawn.append(errors[1] - errors[0])
    return np.array(drawn)


def _reading(name: str, right: Floats, stated: Floats) -> Reading:
    found = intervals(fault_figures(right, stated, {}), len(right), rounds=ROUNDS)
    return Reading(
        name=name,
        replies=len(right),
        right=int(right.sum()),
        bias=float(stated.mean() - right.mean()),
        ece=found["ece"],
        brier=found["brier"],
        auroc=found["auroc"],
        diagram=tuple(metrics.reliability(right, stated, bins=BINS)),
    )


def _log(chance: float) -> float:
    return math.log(max(chance, 1e-9))
