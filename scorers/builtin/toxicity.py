"""Toxicity, harm and injection: whether a text is abusive, dangerous or an attack on the model."""

from __future__ import annotations

from collections.abc import Sequence

from scorers.base import Logits
from scorers.builtin.headmap import HeadMap
from scorers.builtin.windows import snap_right, tail, windows
from scorers.types import Row, Score, Side, Subject

PROMPT_TOKENS = 220.0
REPLY_TOKENS = 165.0
_OVERLAP_TOKENS = 32.0
_PROMPT_TAIL = 260
_LEAD_IN = 200


def toxicity_rows(subject: Subject) -> list[Row]:
    """The rows for a subject: windows of the text, beside the end of its prompt on replies."""
    if not subject.fresh.strip():
        return []
    begin = snap_right(subject.text, max(0, subject.start - _LEAD_IN))
    before = tail(subject.prompt.strip(), _PROMPT_TAIL) if subject.side is Side.REPLY else ""
    cuts = windows(
        subject.text,
        min(begin, subject.start),
        subject.stop,
        budget_tokens=REPLY_TOKENS if before else PROMPT_TOKENS,
        overlap_tokens=_OVERLAP_TOKENS,
    )
    texts = [part for left, right in cuts if (part := subject.text[left:right].strip())]
    return [Row(before, part) if before else Row(part) for part in texts]


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
