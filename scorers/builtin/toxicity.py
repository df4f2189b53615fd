"""Toxicity, harm and injection: whether a text is abusive, dangerous or an attack on the model."""

from __future__ import annotations

from collections.abc import Sequence

from scorers.base import Logits
from scorers.builtin.headmap import HeadMap
from scorers.builtin.rows import text_rows
from scorers.types import Row, Score, Side, Subject


def toxicity_rows(subject: Subject) -> list[Row]:
    """The rows for a subject: those that the scorers share."""
    return list(text_rows(subject))


class Toxicity:
    """Scores a text window by window; the risk of a head is the highest of its windows.

    `injection` is judged on prompts only. The score's risk is the highest of the scorer's
    default heads (`toxic` and `harm`).
    """

    name = "toxicity"

    def __init__(self, heads: HeadMap) -> None:
        self._map = heads
        self._spec = heads.scorer(self.name)
        self.heads = self._spec.heads
        self.sides = frozenset(Side(side) for side in self._spec.sides)

    def rows(self, subject: Subject) -> Sequence[Row]:
        """Windows of the text; none for an empty one."""
        return toxicity_rows(subject) if subject.side in self.sides else []

    def score(self, subject: Subject, rows: Sequence[Row], logits: Logits) -> Score:
        """Each head's risk on the subject's side, from logits of shape (rows, heads)."""
        model = self._map.model
        if not rows:
            return Score(
                self.name,
                subject.side,
                model,
                None,
                reason="empty",
                start=subject.start,
                stop=subject.stop,
            )
        risks = {
            head: float(
                self._map.probability(head, subject.side, logits[:, self._map.column(head)].max())
            )
            for head in self.heads
            if self._map.has(head, subject.side)
        }
        return Score(
            self.name,
            subject.side,
            model,
            max(risks[head] for head in self._spec.default_heads if head in risks),
            heads=risks,
            start=subject.start,
            stop=subject.stop,
        )
