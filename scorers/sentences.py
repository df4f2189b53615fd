"""Where sentences end: pure, shared by the faithfulness scorer and the stream veto."""

from __future__ import annotations

import re
from itertools import pairwise

_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|[。！？]+[”’」』）]*|\n+")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|vs|etc|e\.g|i\.e|cf|No|Fig|Inc|Ltd|Co|approx|ca)|\b[A-Z])\.$"
)
_LIST_NUMBER = re.compile(r"(?:^|\n)\s*\d{1,3}\.$")


def sentence_ends(text: str, start: int = 0) -> list[int]:
    """Offsets after each sentence end found in `text[start:]`, ascending.

    An end needs the white space (or line break) that follows it, so an offset
    that was returned stays an end however the text goes on. The end of the text
    itself is not reported.
    """
    ends = []
    for match in _END.finditer(text, start):
        stop = match.end()
        head = text[max(start, stop - 12) : stop]
        if text[match.start()] == "." and (_ABBREVIATION.search(head) or _LIST_NUMBER.search(head)):
            continue
        ends.append(stop)
    return ends


def sentences(text: str, start: int = 0, stop: int | None = None) -> list[tuple[int, int]]:
    """The sentences of `text[start:stop]` as trimmed `(start, end)` offsets into `text`."""
    stop = len(text) if stop is None else stop
    cuts = [start, *(end for end in sentence_ends(text[:stop], start) if end < stop), stop]
    found = []
    for left, right in pairwise(cuts):
        part = text[left:right]
        trimmed = part.strip()
        if trimmed:
            offset = left + len(part) - len(part.lstrip())
            found.append((offset, offset + len(trimmed)))
    return found
