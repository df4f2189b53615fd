"""What texts are about: groups of the reference's embeddings, and how far a text is from all.

Groups have no names: they are numbers, and examples say what they are. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]
_ROUNDS = 20
_MOST_FITTED = 5000


@dataclass(frozen=True)
class Topics:
    """The centres of the groups, unit vectors of shape (groups, hidden)."""

    centres: Embeddings

    @classmethod
    def fit(cls, embeddings: Embeddings, groups: int = 12) -> Topics:
        """Spherical k-means (Dhillon and Modha, 2001), the same each time for the same texts."""
        rng = np.random.default_rng(0)
        units = _unit(embeddings)
        if len(units) > _MOST_FITTED:
            units = units[rng.choice(len(units), _MOST_FITTED, replace=False)]
        centres = units[rng.choice(len(units), min(groups, len(units)), replace=False)]
        for _ in range(_ROUNDS):
            nearest = np.argmax(units @ centres.T, axis=1)
            sums = np.stack([units[nearest == at].sum(axis=0) for at in range(len(centres))])
            centres = np.where(np.any(sums, axis=1, keepdims=True), _unit(sums), centres)
        return cls(centres)

    def groups(self, embeddings: Embeddings) -> NDArray[np.float64]:
        """The number of each text's group."""
        found: NDArray[np.float64] = np.argmax(self._likeness(embeddings), axis=1).astype(
            np.float64
        )
        return found

    def distances(self, embeddings: Embeddings) -> NDArray[np.float64]:
        """How far each text is from the nearest group: 1 less the cosine, from 0 to 2."""
        found: NDArray[np.float64] = 1.0 - np.max(self._likeness(embeddings), axis=1)
        return found

    def _likeness(self, embeddings: Embeddings) -> NDArray[np.float64]:
        """The cosine of each text and each centre."""
        found: NDArray[np.float64] = (_unit(embeddings) @ self.centres.T).astype(np.float64)
        return found


def _unit(vectors: Embeddings) -> Embeddings:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Embeddings = vectors / np.maximum(lengths, 1e-12)
    return units
