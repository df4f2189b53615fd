"""Faithfulness: whether the context supports what the reply says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from scorers.base import Logits
from scorers.builtin.evidence import Novelty, evidence, evidence_windows
from scorers.builtin.headmap import Blend, HeadMap
from scorers.builtin.windows import tail, windows
from scorers.sentences import sentences
from scorers.types import Row, Score, Side, Span, Subject

_SENTENCE_TOKENS = 90.0
_SHORT_SENTENCE = 25
_BARE_ANSWER = 40
_QUESTION_TAIL = 120
_SPAN_RISK = 0.5
LONG_REPLY = 3
"""Claims from which on a reply is long: it has a calibration map of its own."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of the reply (offsets into its text), its rows and its novelty."""

    start: int
    end: int
    rows: tuple[Row, ...]
    novelty: Novelty


def claim_spans(text: str, start: int, stop: int) -> list[tuple[int, int]]:
    """Sentences as offsets, short fragments joined to a neighbour, overlong ones cut."""
    joined: list[tuple[int, int]] = []
    for left, right in sentences(text, start, stop):
        if joined and joined[-1][1] - joined[-1][0] < _SHORT_SENTENCE:
            joined[-1] = (joined[-1][0], right)
        else:
            joined.append((left, right))
    if len(joined) > 1 and joined[-1][1] - joined[-1][0] < _SHORT_SENTENCE:
        joined[-2:] = [(joined[-2][0], joined[-1][1])]
    return [
        cut
        for left, right in joined
        for cut in windows(text, left, right, budget_tokens=_SENTENCE_TOKENS, overlap_tokens=0.0)
    ]


def claim_text(prompt: str, sentence: str) -> str:
    """A sentence as the encoder reads it: a bare answer ("Yes.") is put behind its question."""
    if len(sentence) >= _BARE_ANSWER or not prompt.strip():
        return sentence
    return f"{tail(prompt.strip(), _QUESTION_TAIL)} {sentence}"


@lru_cache(maxsize=128)
def claims(subject: Subject) -> tuple[Claim, ...]:
    """The claims of a subject's fresh part, each with its rows; empty without text or context."""
    found = evidence(subject.context)
    if found is None:
        return ()
    made = []
    for left, right in claim_spans(subject.text, subject.start, subject.stop):
        sentence = subject.text[left:right].strip()
        text = claim_text(subject.prompt, sentence)
        rows = tuple(Row(part, text) for part in found.pick(text))
        made.append(Claim(left, right, rows, found.novelty(sentence)))
    return tuple(made)


def claim_logits(found: Sequence[Claim], column: Logits, blend: Blend) -> NDArray[np.float64]:
    """How unsupported each claim is: its best evidence's logit, blended with its novelty.

    `column` is the head's logits of all claims' rows in order; the result is of shape (claims,).
    """
    starts = np.cumsum([0, *(len(claim.rows) for claim in found)])[:-1]
    best = np.minimum.reduceat(column.astype(np.float64), starts)
    novel = np.array([(c.novelty.words, c.novelty.numbers, c.novelty.names) for c in found])
    weights = np.array([blend.words, blend.numbers, blend.names])
    blended: NDArray[np.float64] = blend.logit * best + novel @ weights + blend.offset
    return blended


def reply_features(found: Sequence[Claim], claimed: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a reply is judged by: worst and mean claim, mean share of new words, log of claims."""
    novel = np.mean([claim.novelty.words for claim in found])
    return np.array([claimed.max(), claimed.mean(), novel, np.log(len(claimed))])


def reply_logit(found: Sequence[Claim], claimed: NDArray[np.float64], blend: Blend) -> float:
    """How unsupported a reply is: a weighted sum of its features."""
    weights = np.array([blend.worst, blend.mean, blend.novel, blend.claims])
    return float(reply_features(found, claimed) @ weights)


def reply_map(found: Sequence[Claim]) -> str:
    """The calibration map of a reply: of many claims one is at fault more often than of one."""
    return "long" if len(found) >= LONG_REPLY else Side.REPLY.value


class Faithfulness:
    """Holds each sentence of a reply against the best evidence in the context.

    A sentence is as unsupported as its best evidence leaves it, joined with how much of it the
    context lacks; a reply is judged by its worst sentence, by their mean and by their number.
    Sentences at even odds or worse come back as spans.
    """

    name = "faithfulness"

    def __init__(self, heads: HeadMap) -> None:
        self._map = heads
        self._spec = heads.scorer(self.name)
        self.heads = self._spec.heads
        self.sides = frozenset(Side(side) for side in self._spec.sides)

    def rows(self, subject: Subject) -> Sequence[Row]:
        """Pairs of evidence and sentence; none without a context or for an empty text."""
        if subject.side not in self.sides:
            return []
        return [row for claim in claims(subject) for row in claim.rows]

    def score(self, subject: Subject, rows: Sequence[Row], logits: Logits) -> Score:
        """The reply's risk and its unsupported sentences, from logits of shape (rows, heads)."""
        model, head = self._map.model, self.heads[0]
        if not rows:
            reason = "no_context" if subject.fresh.strip() else "empty"
            return Score(
                self.name,
                subject.side,
                model,
                None,
                reason=reason,
                start=subject.start,
                stop=subject.stop,
            )
        found = claims(subject)
        column = logits[:, self._map.column(head)]
        blend = self._map.blend(head)
        worst = claim_logits(found, column, blend)
        own = reply_map(found)
        side = own if self._map.has(head, own) else Side.REPLY
        risk = float(self._map.probability(head, side, reply_logit(found, worst, blend)))
        return Score(
            self.name,
            subject.side,
            model,
            risk,
            heads={head: risk},
            spans=tuple(self._spans(found, worst)),
            start=subject.start,
            stop=subject.stop,
            evidence_windows=evidence_windows(subject.context),
        )

    def _spans(self, found: Sequence[Claim], worst: NDArray[np.float64]) -> list[Span]:
        risks = self._map.probability(self.heads[0], "sentence", worst)
        return [
            Span(claim.start, claim.end, float(risk))
            for claim, risk in zip(found, risks, strict=True)
            if risk >= _SPAN_RISK
        ]
