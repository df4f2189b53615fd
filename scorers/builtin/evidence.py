"""Choosing the parts of a context that a sentence should be held against: pure and lexical."""

from __future__ import annotations

import math
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache

from scorers.builtin.structured import readable
from scorers.builtin.windows import windows
from scorers.sentences import sentences

WINDOW_TOKENS = 130.0
_OVERLAP_TOKENS = 35.0
_UNIT_TOKENS = 60.0
_WORD = re.compile(r"\w+")
_STEM = 6
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_NAME = re.compile(r"(?<=[a-z,;:] )[A-Z]\w+")
_CONTENT_LETTERS = 4
_NEAR = 0.95


def words(text: str) -> frozenset[str]:
    """The words of a text that say something, lower-cased and cut to six letters."""
    found = _WORD.findall(text.lower())
    return frozenset(word[:_STEM] for word in found if len(word) > 2 or word.isdigit())


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a context with its words and its estimated length in tokens."""

    text: str
    words: frozenset[str]
    tokens: float


@dataclass(frozen=True, slots=True)
class Novelty:
    """What a sentence has that its context lacks: shares in [0, 1]."""

    words: float
    numbers: float
    names: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """A context cut into overlapping windows and into sentences, with the weight of each word."""

    windows: tuple[Passage, ...]
    units: tuple[Passage, ...]
    weights: dict[str, float]
    numbers: frozenset[str]

    def novelty(self, sentence: str) -> Novelty:
        """The shares of the sentence's content words, numbers and names that the context lacks."""
        content = {w for w in words(sentence) if len(w) >= _CONTENT_LETTERS and not w.isdigit()}
        names = {name.lower()[:_STEM] for name in _NAME.findall(sentence)}
        return Novelty(
            words=_missing(content, self.weights.keys()),
            numbers=_missing(_numbers(sentence), self.numbers),
            names=_missing(names, self.weights.keys()),
        )

    def overlap(self, claim: frozenset[str], passage: Passage) -> float:
        """The summed weight of the claim's words that the passage has."""
        return sum(self.weights.get(word, 0.0) for word in claim & passage.words)

    def best_window(self, claim: frozenset[str]) -> str:
        """The window that shares most with the claim, the earliest on a tie."""
        return max(self.windows, key=lambda window: self.overlap(claim, window)).text

    def cover(self, claim: frozenset[str]) -> str:
        """Sentences chosen greedily to cover the claim's words, in the context's order."""
        missing, chosen, spent = claim, set[int](), 0.0
        while len(chosen) < len(self.units):
            free = [
                (self.overlap(missing, unit), -index)
                for index, unit in enumerate(self.units)
                if index not in chosen and spent + unit.tokens <= WINDOW_TOKENS
            ]
            gain, index = max(free, default=(0.0, 0))
            if gain <= 0.0:
                break
            chosen.add(-index)
            spent += self.units[-index].tokens
            missing = missing - self.units[-index].words
        return " ".join(self.units[index].text for index in sorted(chosen))

    def surest(self, sentence: str) -> tuple[str, ...]:
        """Of what `pick` gives, that which shares most with the sentence, or all when near."""
        found, claim = self.pick(sentence), words(sentence)
        shares = [self.overlap(claim, _passage(text)) for text in found]
        bar = _NEAR * max(shares)
        return tuple(text for text, share in zip(found, shares, strict=True) if share >= bar)

    def pick(self, sentence: str) -> tuple[str, ...]:
        """The evidence to hold a sentence against: the best window, then the best cover."""
        claim = words(sentence)
        best = self.best_window(claim)
        if len(self.windows) == 1:
            return (best,)
        cover = self.cover(claim)
        return (best,) if not cover or cover in best else (best, cover)


def _numbers(text: str) -> frozenset[str]:
    return frozenset(found.replace(",", "") for found in _NUMBER.findall(text))


def _missing(wanted: AbstractSet[str], known: AbstractSet[str]) -> float:
    return len(wanted - known) / len(wanted) if wanted else 0.0


def _passage(text: str) -> Passage:
    # four characters to a token is near enough to fill a window
    return Passage(text=text, words=words(text), tokens=len(text) / 4.0)


def _cut(text: str, start: int, stop: int, tokens: float, overlap: float) -> list[str]:
    found = windows(text, start, stop, budget_tokens=tokens, overlap_tokens=overlap)
    return [part for left, right in found if (part := text[left:right].strip())]


@lru_cache(maxsize=64)
def evidence(context: tuple[str, ...]) -> Evidence | None:
    """The context made ready for picking, None where it holds no text."""
    whole = [readable(part) for part in context if part.strip()]
    cuts = [cut for t in whole for cut in _cut(t, 0, len(t), WINDOW_TOKENS, _OVERLAP_TOKENS)]
    units = [
        cut
        for text in whole
        for left, right in sentences(text)
        for cut in _cut(text, left, right, _UNIT_TOKENS, 0.0)
    ]
    if not cuts:
        return None
    found = tuple(_passage(cut) for cut in cuts)
    counts: dict[str, int] = {}
    for passage in found:
        for word in passage.words:
            counts[word] = counts.get(word, 0) + 1
    weights = {word: math.log(1.0 + len(found) / count) for word, count in counts.items()}
    numbers = frozenset(number for text in whole for number in _numbers(text))
    return Evidence(found, tuple(map(_passage, units)), weights, numbers)


def evidence_windows(context: tuple[str, ...]) -> int:
    """How many windows a context gives to choose evidence from."""
    found = evidence(context)
    return len(found.windows) if found else 0
