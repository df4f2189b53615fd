"""Themes: small groups of prompts that are about one thing, found in embeddings. Pure.

The encoder was trained to judge texts, and most of what its embeddings tell apart is what kind of
text it is. So they are whitened first (Su et al., "Whitening Sentence Representations for Better
Semantics and Faster Retrieval", 2021): the directions in which all texts differ no longer drown
those in which few do. Groups are then cut out of the density, the largest first (Butina,
"Unsupervised Data Base Clustering", 1999): how many there are need not be known, and what lies
alone is in none. Neither time nor what became of a reply is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Labels = NDArray[np.intp]

FEWEST = 400
"""Fewer texts say too little of how embeddings lie."""
MOST_FITTED = 4000
_DIRECTIONS = 128
_TEXTS_PER_DIRECTION = 8
_NEAR = 3.4
"""How near a group's texts are: the cosine, in standard deviations of that of unrelated texts."""
_SAME = 0.5
"""The cosine of two centres from which on they stand for one group."""
_BLOCK = 512
_ROUNDS = 5


@dataclass(frozen=True)
class Themes:
    """The groups: `centres` are unit vectors of shape (groups, directions)."""

    mean: Vectors
    directions: Vectors
    centres: Vectors

    @classmethod
    def fit(cls, vectors: Vectors, *, most: int = 60, fewest: int = 10) -> Themes:
        """At most so many groups, each of at least so many texts; the same for the same texts.

        Of more than `MOST_FITTED` texts as many are looked at, drawn with a fixed seed. None are
        found in less than `FEWEST`.
        """
        units = _unit(vectors)
        if len(units) > MOST_FITTED:
            chosen = np.random.default_rng(0).choice(len(units), MOST_FITTED, replace=False)
            units = units[chosen]
        mean = units.sum(axis=0) / max(1, len(units))
        directions = _whitening(units - mean)
        near = _near(directions.shape[1])
        white = _unit((units - mean) @ directions)
        centres = _cut_out(white, near, most, fewest) if len(units) >= FEWEST else white[:0]
        return cls(mean, directions, _refined(white, centres, near))

    def likeness(self, vectors: Vectors) -> Vectors:
        """The cosine of each text and each centre, of shape (texts, groups)."""
        if not len(self.centres):
            return np.zeros((len(vectors), 0), np.float32)
        found: Vectors = _unit((_unit(vectors) - self.mean) @ self.directions) @ self.centres.T
        return found

    def labels(self, vectors: Vectors) -> Labels:
        """The number of each text's group, -1 where it is in none."""
        return _labels(self.likeness(vectors), _near(self.directions.shape[1]))


def _near(directions: int) -> float:
    """The cosine to a centre from which on a text belongs to it."""
    return _NEAR / float(np.sqrt(max(1, directions)))


def _labels(likeness: Vectors, near: float) -> Labels:
    if not likeness.shape[1]:
        return np.full(len(likeness), -1, np.intp)
    return np.where(likeness.max(axis=1) >= near, likeness.argmax(axis=1), -1)


def _whitening(centred: Vectors) -> Vectors:
    """Principal directions, each divided by its spread; more of them the more texts there are."""
    many = max(2, min(_DIRECTIONS, len(centred) // _TEXTS_PER_DIRECTION, centred.shape[1]))
    spreads, axes = np.linalg.eigh(centred.T.astype(np.float64) @ centred / max(1, len(centred)))
    kept = np.argsort(-spreads)[:many]
    kept = kept[spreads[kept] > spreads.max() * 1e-9]
    found: Vectors = (axes[:, kept] / np.sqrt(spreads[kept])).astype(np.float32)
    return found


def _cut_out(white: Vectors, near: float, most: int, fewest: int) -> Vectors:
    """Centres: the text with most others near it, then of the rest again the one with most."""
    neighbours = np.concatenate(
        [white[at : at + _BLOCK] @ white.T >= near for at in range(0, len(white), _BLOCK)]
    )
    is_left = np.ones(len(white), np.bool_)
    counts = neighbours.sum(axis=1)
    centres: list[Vectors] = []
    while len(centres) < most:
        best = int(np.argmax(np.where(is_left, counts, -1)))
        own = neighbours[best] & is_left
        if own.sum() < fewest:
            break
        centres.append(white[own].mean(axis=0))
        is_left &= ~own
        counts = counts - neighbours[:, own].sum(axis=1)
    return _unit(np.array(centres, np.float32)) if centres else white[:0]


def _refined(white: Vectors, centres: Vectors, near: float) -> Vectors:
    """The centres moved to the middle of their groups, a few times, and each group once."""
    if not len(centres):
        return centres
    for _ in range(_ROUNDS):
        centres = _apart(centres)
        labels = _labels(white @ centres.T, near)
        sums = np.stack([white[labels == at].sum(axis=0) for at in range(len(centres))])
        centres = np.where(np.any(sums, axis=1, keepdims=True), _unit(sums), centres)
    return centres


def _apart(centres: Vectors) -> Vectors:
    """The centres without those that stand for much the same as one before them."""
    alike = np.tril(centres @ centres.T, k=-1) >= _SAME
    kept: list[int] = []
    for at in range(len(centres)):
        if not alike[at, kept].any():
            kept.append(at)
    return centres[kept]


def _unit(vectors: NDArray[np.floating]) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Vectors = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return units
