"""Keeps words from giving a label away."""

from __future__ import annotations

import re
from collections import Counter

from scorers.training.examples import Example

_WORD = re.compile(r"\w+|%|\$")
_SLACK = 3.0
_SHARE = 0.1


class Evenness:
    """Turns an example away when one of its words already leans to the example's label."""

    def __init__(self) -> None:
        self._lean: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()
        self._balance = 0

    def takes(self, one: Example) -> bool:
        """Whether the example may be used; it is counted when it may."""
        side = 1 if one.labels["unsupported"] >= 0.5 else -1
        words = set(_WORD.findall(one.subject.text.lower()))
        if side * self._balance > _SLACK + 0.02 * self._seen[""]:
            return False
        if any(side * self._lean[w] > _SLACK + _SHARE * self._seen[w] for w in words):
            return False
        for word in words:
            self._lean[word] += side
            self._seen[word] += 1
        self._seen[""] += 1
        self._balance += side
        return True
