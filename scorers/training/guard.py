"""What keeps the benchmarks out of training: no text of theirs, and nothing that is nearly one."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import pyarrow.parquet as pq

from scorers.training.examples import Example, detokenise

_NEAR = 0.5
_INSIDE = 0.8
_LONG = 25
_WORD = re.compile(r"\w+")


def plain(text: str) -> str:
    """A text without what preparation changes: case, spacing, punctuation."""
    return " ".join(_WORD.findall(detokenise(text).lower()))


class Guard:
    """Knows every text that the benchmarks judge, and what it is judged against."""

    def __init__(self, data: Path) -> None:
        self._judged: set[str] = set()
        self._grounded: dict[str, list[frozenset[str]]] = {}
        for file in sorted(data.glob("*/benchmarks/*.parquet")):
            for row in pq.read_table(file).to_pylist():
                self._add(row.get("context"), plain(row.get("response") or row.get("text") or ""))

    def _add(self, context: str | None, text: str) -> None:
        if context is None:
            self._judged.add(text)
        else:
            self._grounded.setdefault(text, []).append(frozenset(plain(context).split()))

    def is_measured(self, example: Example) -> bool:
        """Whether a benchmark judges this text, of grounded ones beside nearly the same context.

        Contexts are near when they share half of their words or four fifths of the shorter's.
        Short texts without a context ("Yes.") are nobody's.
        """
        text = plain(example.subject.text)
        if not example.subject.context:
            return len(text) >= _LONG and text in self._judged
        known = self._grounded.get(text)
        if not known:
            return False
        words = frozenset(plain(example.subject.context[0]).split())
        return any(_are_near(words, other) for other in known)


def _are_near(one: frozenset[str], other: frozenset[str]) -> bool:
    shared = len(one & other)
    return shared >= _NEAR * len(one | other) or shared >= _INSIDE * min(len(one), len(other))


@lru_cache(maxsize=2)
def guard(data: Path) -> Guard:
    """The guard of a data folder."""
    return Guard(data)
