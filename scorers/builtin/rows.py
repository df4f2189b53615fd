"""The rows that the scorers without a context share: one pass of the encoder answers them all."""

from __future__ import annotations

from functools import lru_cache

from scorers.builtin.windows import snap_right, tail, windows
from scorers.types import Row, Side, Subject

PROMPT_TOKENS = 220.0
REPLY_TOKENS = 165.0
_OVERLAP_TOKENS = 32.0
_PROMPT_TAIL = 260
_LEAD_IN = 200


@lru_cache(maxsize=4)
def text_rows(subject: Subject) -> tuple[Row, ...]:
    """The rows for a subject: windows of the text, beside the end of its prompt on replies.

    A scorer that reads these costs nothing beside another that does, because equal rows of one
    subject run once. Empty for a text without characters.
    """
    if not subject.fresh.strip():
        return ()
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
    return tuple(Row(before, part) if before else Row(part) for part in texts)
