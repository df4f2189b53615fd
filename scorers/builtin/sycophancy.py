"""Sycophancy: whether a reply bends to what its user thinks, wants to hear or insists on."""

from __future__ import annotations

from collections.abc import Sequence

from scorers.base import Logits
from scorers.builtin.headmap import HeadMap
from scorers.builtin.rows import text_rows
from scorers.types import Row, Score, Side, Subject

SYCOPHANTIC = "sycophantic"
VIEW = "view"


class Sycophancy:
    """Scores a reply beside the end of what it answers; its risk is that of its worst window.

    On a prompt it only reads `view`, the probability that the user states a view of their own:
    that is no fault, so such a score has the head and no risk. A reply to nothing bends to
    nobody and gets neither.
    """

    name = "sycophancy"

    def __init__(self, heads: HeadMap) -> None:
        self._map = heads
        spec = heads.scorer(self.name)
        self.heads: tuple[str, ...] = tuple(head for head in spec.heads if head != VIEW)
        self.sides = frozenset(Side(side) for side in spec.sides)

    def rows(self, subject: Subject) -> Sequence[Row]:
        """The shared rows; none where there is nothing to read (`score` says why)."""
        if subject.side not in self.sides or self._silence(subject):
            return []
        return text_rows(subject)

    def score(self, subject: Subject, rows: Sequence[Row], logits: Logits) -> Score:
        """The reply's risk, or a prompt's view, from logits of shape (rows, heads)."""
        if not rows:
            return Score.of(
                self.name,
                subject,
                self._map.model,
                reason=self._silence(subject) or "not_applicable",
            )
        if subject.side is Side.PROMPT:
            view = self._highest(VIEW, Side.PROMPT, logits)
            return Score.of(
                self.name, subject, self._map.model, heads={VIEW: view}, reason="not_applicable"
            )
        risk = self._highest(SYCOPHANTIC, Side.REPLY, logits)
        return Score.of(self.name, subject, self._map.model, risk=risk, heads={SYCOPHANTIC: risk})

    def _silence(self, subject: Subject) -> str:
        """Why there is nothing to read, "" where there is something."""
        if not subject.fresh.strip():
            return "empty"
        if subject.side is Side.PROMPT:
            return "" if self._map.has(VIEW, Side.PROMPT) else "not_applicable"
        if not subject.is_speech:
            return "not_speech"
        return "" if subject.prompt.strip() else "no_prompt"

    def _highest(self, head: str, side: Side, logits: Logits) -> float:
        return float(self._map.probability(head, side, logits[:, self._map.column(head)].max()))
