"""Scores that were given before: a text that comes again is not scored again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping

from scorers.types import Score


class ScoreMemory:
    """The scores of the texts that were asked for last, `max_texts` of them at most.

    Texts are known by their SHA-256 only. A memory belongs to one side of one engine, whose
    model does not change. Scores that did not come are not in it.
    """

    def __init__(self, max_texts: int) -> None:
        self._max_texts = max_texts
        self._scores: OrderedDict[bytes, Mapping[str, Score]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._scores)

    def clear(self) -> None:
        """Forgets everything."""
        self._scores.clear()

    def find(self, text: str) -> Mapping[str, Score]:
        """What is remembered of a text, by scorer; nothing where it is new."""
        key = _key(text)
        scores = self._scores.get(key)
        if scores is None:
            return {}
        self._scores.move_to_end(key)
        return scores

    def keep(self, text: str, scores: Mapping[str, Score]) -> None:
        """Remembers scores of a text beside those that it had."""
        if not self._max_texts:
            return
        key = _key(text)
        self._scores[key] = {**self._scores.get(key, {}), **scores}
        self._scores.move_to_end(key)
        if len(self._scores) > self._max_texts:
            self._scores.popitem(last=False)


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
