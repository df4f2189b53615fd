"""Confidence: whether a reply says something more surely than it is likely to be right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from scorers.base import Logits
from scorers.builtin.headmap import HeadMap, Thresholds
from scorers.builtin.rows import text_rows
from scorers.calibration_map import OutcomeMap, gap, mean_logprob, token_chance
from scorers.types import Row, Score, Side, Subject

EXPRESSED = "expressed"
OVERCONFIDENT = "overconfident"
NO_OUTCOMES = "no_outcomes"


def with_gap_thresholds(heads: HeadMap, maps: Mapping[str, OutcomeMap]) -> HeadMap:
    """The head map with thresholds for `overconfident`, where it lacks them or maps have some.

    The maps' highest gap for a rate counts, so that it holds for every served model that has
    one. Without maps and without a table of its own the head takes that of `expressed`: no gap
    is larger than how sure the reply sounds, so the rate is kept, with room to spare.
    """
    side = Side.REPLY.value
    if Confidence.name not in heads.scorers:
        return heads
    tables = [Thresholds(made.fpr, made.risk) for made in maps.values() if made.fpr]
    if tables:
        rates = tables[0].fpr
        found = Thresholds(rates, tuple(_highest(tables, rate) for rate in rates))
    elif (side, OVERCONFIDENT) in heads.thresholds or (side, EXPRESSED) not in heads.thresholds:
        return heads
    else:
        found = heads.thresholds[side, EXPRESSED]
    return replace(heads, thresholds={**heads.thresholds, (side, OVERCONFIDENT): found})


def _highest(tables: Sequence[Thresholds], fpr: float) -> float:
    risks = [table.at(fpr) for table in tables]
    return max(1.0 if risk is None else risk for risk in risks)


class Confidence:
    """Reads how sure a reply sounds and holds it against how likely it is right.

    `expressed` is the mean over the windows' probabilities, weighted by their length. The risk
    and the head `overconfident` are `max(0, expressed - likely)`. `likely` comes from the map
    of the served model in `maps`, fitted on outcomes; without one it is the geometric mean of
    the reply's token probabilities, which is how sure the model was and only as good a chance
    of being right as the model is calibrated. Without either there is no risk: the score has
    `expressed` and says `no_outcomes`. What was known of the reply stands beside the heads as
    `tokens` (the geometric mean) and `likely`, so that the risk can be worked out again; the
    score's model then names the map's version too.

    `maps` is read at each score, so that whoever holds it may put new maps in.
    """

    name = "confidence"

    def __init__(self, heads: HeadMap, maps: Mapping[str, OutcomeMap] | None = None) -> None:
        self._map = heads
        self._maps = {} if maps is None else maps
        spec = heads.scorer(self.name)
        self.heads: tuple[str, ...] = tuple(head for head in spec.heads if head != OVERCONFIDENT)
        self.sides = frozenset(Side(side) for side in spec.sides)

    def rows(self, subject: Subject) -> Sequence[Row]:
        """The shared rows; none for what the model does not say to its reader."""
        if subject.side not in self.sides or not subject.is_speech:
            return []
        return text_rows(subject)

    def score(self, subject: Subject, rows: Sequence[Row], logits: Logits) -> Score:
        """How sure the reply sounds and, where that can be known, its risk."""
        if not rows:
            return Score.of(
                self.name,
                subject,
                self._map.model,
                reason="empty" if subject.is_speech else "not_speech",
            )
        expressed = self._expressed(rows, logits)
        fitted, tokens = self._maps.get(subject.served), token_chance(subject.logprobs)
        likely = _likely(fitted, subject, expressed)
        model = self._map.model if fitted is None else f"{self._map.model}+{fitted.version}"
        heads = {EXPRESSED: expressed} | ({} if tokens is None else {"tokens": tokens})
        if likely is None:
            return Score.of(self.name, subject, model, heads=heads, reason=NO_OUTCOMES)
        risk = float(gap(expressed, likely))
        heads |= {"likely": likely, OVERCONFIDENT: risk}
        return Score.of(self.name, subject, model, risk=risk, heads=heads)

    def _expressed(self, rows: Sequence[Row], logits: Logits) -> float:
        column = logits[:, self._map.column(EXPRESSED)]
        chances = self._map.probability(EXPRESSED, Side.REPLY, column)
        lengths = [len(row.text if row.pair is None else row.pair) for row in rows]
        return float(np.average(chances, weights=lengths))


def _likely(fitted: OutcomeMap | None, subject: Subject, expressed: float) -> float | None:
    if fitted is not None:
        return fitted.likely(expressed, mean_logprob(subject.logprobs))
    return token_chance(subject.logprobs)
