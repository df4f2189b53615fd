"""Whether a candidate is no worse than a baseline: tests that may be repeated as data comes in.

Measures lie in [0, 1] and are bad when high. The difference of two means is tested against a
margin, from both sides, by betting (`bets.py`), so that looking after each day, or each minute,
and stopping at the first answer keeps the rate of errors. Pure.

With pairs the bet is on the differences. Without, one bets against "the baseline's mean is at most
m" and against "the candidate's is at least m + margin" at the same time, for every m: under the
hypothesis the product gains nothing at the baseline's true mean, so the least product over all m
is evidence against it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from service.watch.bets import Array, averaged

Answer = Literal["not_worse", "worse", "open"]

_STAKES: Array = np.concatenate([[0.0], np.geomspace(0.01, 20.0, 15)])
"""One keeps its money, so no wealth falls below a sixteenth."""

_MOST = 0.9
_GRAINS = 1000
_CELLS = 64
_PASSES = 3
_NEAR = 10.0
_STEPS = 14


@dataclass(frozen=True)
class Sample:
    """The observations of a measure in the two arms; where `is_paired`, in the same order."""

    baseline: Array
    candidate: Array
    is_paired: bool = False


@dataclass(frozen=True)
class Comparison:
    """What is known of one measure.

    `low` and `high` bound the difference of the means (candidate less baseline) at all times at
    once, each with the error alpha; `answer` is the outcome for the margin.
    """

    answer: Answer
    margin: float
    baseline: float
    candidate: float
    low: float
    high: float
    baseline_count: int
    candidate_count: int
    is_paired: bool


def compare(
    sample: Sample, margin: float, *, alpha: float = 0.05, worse_alpha: float | None = None
) -> Comparison | None:
    """Holds the difference against the margin; None where an arm has no observation.

    `alpha` bounds the chance of ever answering "not worse" of a candidate that is worse by the
    margin or more, `worse_alpha` (alpha if not given) that of ever answering "worse" of another.
    """
    counts = len(sample.baseline), len(sample.candidate)
    if not all(counts):
        return None
    means = float(sample.baseline.mean()), float(sample.candidate.mean())
    return Comparison(
        answer_to(sample, margin, alpha=alpha, worse_alpha=worse_alpha or alpha),
        margin,
        *means,
        *_bounds(sample, means[1] - means[0], alpha),
        *counts,
        sample.is_paired,
    )


def answer_to(sample: Sample, margin: float, *, alpha: float, worse_alpha: float) -> Answer:
    """The outcome alone."""
    if _is_below(sample, margin, alpha):
        return "not_worse"
    if _is_below(_swapped(sample), -margin, worse_alpha):
        return "worse"
    return "open"


def _swapped(sample: Sample) -> Sample:
    """The arms changed over: what was above a margin is below its negative."""
    return Sample(sample.candidate, sample.baseline, sample.is_paired)


def _is_below(sample: Sample, margin: float, alpha: float) -> bool:
    """Whether the evidence that the difference is below the margin is enough for alpha."""
    if margin > 1:
        return True
    if margin <= -1:
        return False
    enough = -math.log(alpha)
    if sample.is_paired:
        halves = (1 + sample.candidate - sample.baseline) / 2
        return bool(_against_at_least(_Counted.of(halves), np.array([(1 + margin) / 2])) >= enough)
    candidate, baseline = _Counted.of(sample.candidate), _Counted.of(1 - sample.baseline)
    likely = _likely_mean(sample, margin)
    if _product(candidate, baseline, margin, np.array([likely]))[0] < enough:
        return False  # as it mostly is: the least cannot be more
    return _least_product(candidate, baseline, margin) >= enough


def _likely_mean(sample: Sample, margin: float) -> float:
    """The mean of the baseline that fits both arms best if they are the margin apart."""
    both = np.concatenate([sample.baseline, sample.candidate - margin])
    return float(np.clip(both.mean(), *_possible(margin)))


def _possible(margin: float) -> tuple[float, float]:
    """The least and the greatest mean that the baseline may have."""
    return max(0.0, -margin), min(1.0, 1.0 - margin)


@dataclass(frozen=True)
class _Counted:
    """Values in [0, 1] in grains, rounded up (against the conclusion), and how often each is."""

    values: Array
    counts: Array

    @classmethod
    def of(cls, values: Array) -> _Counted:
        """The values, counted."""
        grains, counts = np.unique(np.ceil(values * _GRAINS - 1e-6), return_counts=True)
        return cls(np.clip(grains / _GRAINS, 0.0, 1.0), counts.astype(np.float64))


def _against_at_least(counted: _Counted, limits: Array) -> Array:
    """Evidence against "the mean is at least the limit", for each limit; it grows with it."""
    room = np.maximum(1.0 - limits, 1e-12)
    staked = np.minimum(_STAKES, _MOST / room[:, None])
    gaps = limits[:, None] - counted.values
    won = np.log1p(gaps[:, :, None] * staked[:, None, :])
    return averaged(np.einsum("lvs,v->ls", won, counted.counts))


def _product(candidate: _Counted, baseline: _Counted, margin: float, means: Array) -> Array:
    """Evidence of both arms together at each mean of the baseline, which is mirrored (1 - x)."""
    ours = _against_at_least(candidate, np.clip(means + margin, 0.0, 1.0))
    return ours + _against_at_least(baseline, 1.0 - means)


def _least_product(candidate: _Counted, baseline: _Counted, margin: float) -> float:
    """The least evidence over all means m that the baseline may have.

    `baseline` is mirrored (1 - x), so that both arms are bet on to be low. In a cell of means each
    arm's evidence is taken at the end at which it is smaller, so that no mean is missed; cells
    near the least are looked at again in finer ones.
    """
    (low, high), outside = _possible(margin), np.inf
    cells = np.zeros(0)
    for _ in range(_PASSES):
        edges = np.linspace(low, high, _CELLS + 1)
        ours = _against_at_least(candidate, np.clip(edges + margin, 0.0, 1.0))
        theirs = _against_at_least(baseline, 1.0 - edges)
        cells = ours[:-1] + theirs[1:]
        near = np.flatnonzero(cells <= cells.min() + _NEAR)
        first, last = int(near[0]), int(near[-1]) + 1
        outside = min(outside, cells[:first].min(initial=np.inf), cells[last:].min(initial=np.inf))
        low, high = float(edges[first]), float(edges[last])
    return float(min(cells.min(), outside))


def _bounds(sample: Sample, difference: float, alpha: float) -> tuple[float, float]:
    """The margins between which neither side is ruled out, to about a ten-thousandth."""
    high = _border(sample, difference, alpha)
    low = -_border(_swapped(sample), -difference, alpha)
    return low, high


def _border(sample: Sample, difference: float, alpha: float) -> float:
    """The least margin that the difference is known to be below."""
    below, above = max(difference, -1.0), 1.0
    for _ in range(_STEPS):
        middle = (below + above) / 2
        if _is_below(sample, middle, alpha):
            above = middle
        else:
            below = middle
    return above
