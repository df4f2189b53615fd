"""Near-duplicate texts by MinHash: Broder 1997, "On the resemblance and containment of documents".

A text is the set of its words and of its neighbouring pairs of words; the similarity of two texts
is the Jaccard index of their sets, estimated from `PERMUTATIONS` minimal hashes (standard error
0.035 at 0.8). Candidates share one of `_BANDS` bands of `_ROWS` hashes: two texts that are similar
to 0.8 are found with a chance above 0.9999, to 0.7 with 0.99, to 0.6 with 0.87.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import rensa
from numpy.typing import NDArray

PERMUTATIONS = 128
LEAST_LIKENESS = 0.6
"""Below this too many near texts would be missed."""
_BANDS, _ROWS = 25, 5
_SEED = 1
_LEADERS = 8
"""So many of a bucket every other member is held against, the first ones."""
_CHUNK = 8_192

Signatures = NDArray[np.uint32]
Indices = NDArray[np.int64]
Columns = Callable[[int, int], Signatures]

# Scripts without spaces between words: a character is a word.
_WORD = re.compile(r"[぀-ヿ㐀-鿿가-힯]|[^\W_぀-ヿ㐀-鿿가-힯]+(?:['’]\w+)?")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_NEGATION = re.compile(r"\b(?:not?|never|none|nothing|without|cannot)\b|n['’]t\b", re.IGNORECASE)


def shingles(text: str) -> set[str]:
    """The words of a text and its neighbouring pairs of words, in lower case."""
    words = _WORD.findall(text.casefold())
    return {*words, *(f"{one} {after}" for one, after in pairwise(words))}


def jaccard(one: set[str], other: set[str]) -> float:
    """The share of what both hold in what either holds; 1 for two empty sets."""
    return len(one & other) / len(one | other) if one or other else 1.0


def signatures(texts: Sequence[str]) -> Signatures:
    """Their minimal hashes, of shape (texts, PERMUTATIONS)."""
    rows = rensa.RMinHash.digests_from_token_sets(
        [shingles(text) for text in texts], PERMUTATIONS, _SEED
    )
    return np.array(rows, dtype=np.uint32).reshape(len(texts), PERMUTATIONS)


def fine_print(text: str) -> int:
    """A hash of what may turn a text's meaning in few letters: its numbers, how often it negates.

    Texts that differ in it are never one, however alike. Negations are counted in English only.
    """
    said = [*_NUMBER.findall(text), f"negations {len(_NEGATION.findall(text))}"]
    digest = hashlib.blake2b("\n".join(said).encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def similarity(one: Signatures, other: Signatures) -> NDArray[np.float64]:
    """The estimated Jaccard index of each row with the row beside it."""
    found: NDArray[np.float64] = (one == other).mean(axis=-1, dtype=np.float64)
    return found


def candidates(columns: Columns, within: Indices | None = None) -> Iterator[Indices]:
    """Rows that may be near each other, of shape (many, 2), the smaller place first.

    `columns(start, stop)` gives these columns of all signatures. With `within` only rows of the
    same value there. Pairs may come more than once. Of a bucket every row is held against its
    first `_LEADERS` rows and the one before it, so that work and memory grow with the rows and
    not with their square.
    """
    for band in range(_BANDS):
        keys = _band_keys(columns(band * _ROWS, (band + 1) * _ROWS), within)
        order = np.argsort(keys, kind="stable").astype(np.int64)
        yield from _in_buckets(keys[order], order)


def _band_keys(band: Signatures, within: Indices | None) -> NDArray[np.uint64]:
    keys = np.zeros(len(band), dtype=np.uint64) if within is None else within.astype(np.uint64)
    for column in range(band.shape[1]):
        keys = (keys ^ band[:, column].astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    return keys


def _in_buckets(keys: NDArray[np.uint64], order: Indices) -> Iterator[Indices]:
    """Candidates from rows sorted by key; within a bucket the rows stand in their own order."""
    if not len(keys):
        return
    is_first = np.concatenate(([True], keys[1:] != keys[:-1]))
    starts = np.maximum.accumulate(np.where(is_first, np.arange(len(keys)), 0))
    followers = np.flatnonzero(~is_first)
    for at in range(0, len(followers), _CHUNK):
        some = followers[at : at + _CHUNK]
        yield np.column_stack((order[some - 1], order[some]))
        for leader in range(_LEADERS):
            place = starts[some] + leader
            is_before = place < some - 1
            yield np.column_stack((order[place[is_before]], order[some[is_before]]))


def near(signed: Signatures, *, threshold: float) -> Indices:
    """The rows that are near each other, of shape (many, 2), each once and sorted."""
    found = np.zeros((0, 2), dtype=np.int64)
    for some in candidates(lambda start, stop: signed[:, start:stop]):
        alike = similarity(signed[some[:, 0]], signed[some[:, 1]]) >= threshold
        if alike.any():
            found = np.unique(np.concatenate((found, some[alike])), axis=0)
    return found


class Union:
    """Sets of numbered things that grow together: union by the smaller number."""

    def __init__(self, size: int) -> None:
        self._above = list(range(size))

    def find(self, one: int) -> int:
        """The smallest number of its set."""
        while self._above[one] != one:
            self._above[one] = self._above[self._above[one]]
            one = self._above[one]
        return one

    def join(self, one: int, other: int) -> None:
        """Make the sets of both one."""
        first, second = sorted((self.find(one), self.find(other)))
        self._above[second] = first

    def roots(self) -> Indices:
        """The smallest number of each one's set."""
        return np.array([self.find(at) for at in range(len(self._above))], dtype=np.int64)
