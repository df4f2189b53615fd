"""How far raters agree: Krippendorff's alpha, and each rater against the others.

The numbers are made of counts alone, so that a store of any size is read once, in a stream: for
each unit (a choice of a reply, or two replies compared) how many raters said what, and for each
rater how often the majority of the others said the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from storage.records import WITHDRAWN
from storage.repositories.comparisons import ComparisonFilter
from storage.repositories.feedback import FeedbackFilter
from storage.store import UnitOfWork

RATINGS = ("up", "down")
VOTES = ("first", "second", "tie")

DRAWS = 2000
LEAST_UNITS = 10
"""Units that an interval of alpha needs."""

_LEAST_DEFINED = 0.9
_ERROR = 0.05

Rater = tuple[str | None, str]
"""An API key's tenant and a `rater` text."""

Shape = tuple[int, ...]
"""How many raters of one unit said each value."""


@dataclass(frozen=True, slots=True)
class Alpha:
    """Krippendorff's alpha of nominal values: 1 is full agreement, 0 what chance gives.

    `low` and `high` are a 95% bootstrap interval over units. Of `units` only those that two or
    more raters judged are counted, with their `judgements`. `reason` says why a number is None.
    """

    value: float | None
    low: float | None
    high: float | None
    units: int
    judgements: int
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RaterAgreement:
    """One rater against the majority of the others.

    `judgements` of the rater stand; in `compared` of them the others had a majority, in `agreed`
    the rater was of it. `low` and `high` bound the share: Wilson intervals that hold for all
    raters together in 95 of 100 stores. `is_contrary`: the whole interval lies below one half.
    """

    key_id: str | None
    rater: str
    judgements: int
    compared: int
    agreed: int
    share: float | None
    low: float | None
    high: float | None
    is_contrary: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """What one kind of judgement says of its raters, contrary ones first."""

    alpha: Alpha
    raters: list[RaterAgreement]


@dataclass(slots=True)
class _Score:
    judgements: int = 0
    compared: int = 0
    agreed: int = 0


@dataclass(slots=True)
class AgreementTally:
    """Takes one unit after the other; memory grows with the raters only."""

    values: tuple[str, ...]
    shapes: Counter[Shape] = field(default_factory=Counter)
    scores: dict[Rater, _Score] = field(default_factory=dict)

    def add(self, said: Mapping[Rater, str]) -> None:
        """One unit: what each of its raters says at last."""
        counts = Counter(said.values())
        if len(said) > 1:
            self.shapes[tuple(counts[value] for value in self.values)] += 1
        others = {value: _majority(counts - Counter([value])) for value in counts}
        for rater, value in said.items():
            score = self.scores.get(rater)
            if score is None:
                score = self.scores[rater] = _Score()
            score.judgements += 1
            majority = others[value]
            if majority is not None:
                score.compared += 1
                score.agreed += value == majority

    def result(self) -> Agreement:
        """What all units together say."""
        compared = sum(score.compared > 0 for score in self.scores.values())
        raters = [
            _rater(rater, score, compared_raters=compared) for rater, score in self.scores.items()
        ]
        raters.sort(
            key=lambda r: (not r.is_contrary, -r.compared, -r.judgements, r.key_id or "", r.rater)
        )
        return Agreement(krippendorff_alpha(self.shapes), raters)


def _majority(counts: Counter[str]) -> str | None:
    """What more say than say anything else; None where there is no such value."""
    first, second, *_ = [*counts.most_common(2), ("", 0), ("", 0)]
    return first[0] if first[1] > second[1] else None


def _rater(rater: Rater, score: _Score, *, compared_raters: int) -> RaterAgreement:
    low, high = share_interval(score.agreed, score.compared, tests=compared_raters)
    return RaterAgreement(
        key_id=rater[0],
        rater=rater[1],
        judgements=score.judgements,
        compared=score.compared,
        agreed=score.agreed,
        share=score.agreed / score.compared if score.compared else None,
        low=low,
        high=high,
        is_contrary=high is not None and high < 0.5,
    )


def share_interval(hits: int, count: int, *, tests: int = 1) -> tuple[float | None, float | None]:
    """Wilson's interval of a share (E. B. Wilson, JASA 22, 1927), None of nothing.

    With `tests` above 1 the error of 5% is shared among so many intervals (Bonferroni).
    """
    if not count:
        return None, None
    z = NormalDist().inv_cdf(1 - _ERROR / (2 * max(1, tests)))
    share, spread = hits / count, z * z / count
    middle = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def krippendorff_alpha(shapes: Mapping[Shape, int], *, seed: int = 0) -> Alpha:
    """Alpha of nominal values (K. Krippendorff, Content Analysis, 2004, ch. 11).

    `shapes` says how many units there are of each shape; those of one rater are left out. The
    interval is of a percentile bootstrap over units, the same for the same counts.
    """
    paired = {shape: count for shape, count in shapes.items() if sum(shape) > 1 and count}
    units = sum(paired.values())
    judgements = sum(sum(shape) * count for shape, count in paired.items())
    if not units:
        return Alpha(None, None, None, 0, 0, "nothing was judged by two raters")
    counts = np.array(sorted(paired), dtype=np.float64)
    weights = np.array([paired[shape] for shape in sorted(paired)], dtype=np.float64)
    value = float(_alphas(counts, weights[np.newaxis, :])[0])
    if np.isnan(value):
        reason = "every judgement is the same, so that chance agrees fully too"
        return Alpha(None, None, None, units, judgements, reason)
    if units < LEAST_UNITS:
        reason = f"an interval needs {LEAST_UNITS} units"
        return Alpha(value, None, None, units, judgements, reason)
    draws = np.random.default_rng(seed).multinomial(units, weights / units, size=DRAWS)
    found = _alphas(counts, draws.astype(np.float64))
    found = found[~np.isnan(found)]
    if len(found) < _LEAST_DEFINED * DRAWS:
        reason = "too few judgements differ for an interval"
        return Alpha(value, None, None, units, judgements, reason)
    low, high = np.quantile(found, [0.025, 0.975])
    return Alpha(value, float(low), float(high), units, judgements)


def _alphas(counts: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Alpha for each row of `weights` (draws by shapes) of `counts` (shapes by values).

    NaN where only one value occurs.
    """
    raters = counts.sum(axis=1)
    differing = (raters**2 - (counts**2).sum(axis=1)) / (raters - 1)
    totals = weights @ counts
    everything = totals.sum(axis=1)
    by_chance = everything**2 - (totals**2).sum(axis=1)
    observed = weights @ differing
    with np.errstate(divide="ignore", invalid="ignore"):
        found: NDArray[np.float64] = 1 - (everything - 1) * observed / by_chance
    found[by_chance == 0] = np.nan
    return found


async def rating_agreement(unit: UnitOfWork, where: FeedbackFilter | None = None) -> Agreement:
    """Of the ratings that stand, by raters' tenants and names; the unit is a choice of a reply."""
    rows = unit.feedback.ratings(where)
    said = ((row[:2], (row.key_id, row.rater), row.rating) async for row in rows)
    return await _tallied(said, RATINGS)


async def comparison_agreement(
    unit: UnitOfWork, where: ComparisonFilter | None = None
) -> Agreement:
    """Of the last comparisons, ties included; the unit is two replies."""
    rows = unit.comparisons.votes(where)
    said = ((row.replies, (row.key_id, row.rater), row.vote) async for row in rows)
    return await _tallied(said, VOTES)


_Said = AsyncIterator[tuple[tuple[object, ...], Rater, str]]


async def _tallied(rows: _Said, values: tuple[str, ...]) -> Agreement:
    tally = AgreementTally(values)
    async for said in _units(rows):
        tally.add(said)
    return tally.result()


async def _units(rows: _Said) -> AsyncIterator[dict[Rater, str]]:
    """What the raters of each unit say at last; its rows come one after the other, oldest first."""
    name: tuple[object, ...] | None = None
    said: dict[Rater, str] = {}
    async for row_name, rater, value in rows:
        if row_name != name:
            if said:
                yield said
            name, said = row_name, {}
        if value == WITHDRAWN:
            said.pop(rater, None)
        else:
            said[rater] = value
    if said:
        yield said
