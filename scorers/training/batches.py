"""Batches of rows of like length within a budget of padded tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_POOL_ROWS = 1024
_STEP_TOKENS = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded inputs (int64, rows by tokens), labels (NaN unknown) and row weights."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    types: NDArray[np.int64]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]


class Rows:
    """The prepared rows, batched in an order that depends only on seed and epoch."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as found:
            self._arrays: Mapping[str, NDArray[Any]] = dict(found)
        self.lengths = np.diff(self._arrays["offsets"])

    def __len__(self) -> int:
        return len(self.lengths)

    def plan(self, *, seed: int, epoch: int, batch_tokens: int) -> list[NDArray[np.int64]]:
        """Row indices of each batch of an epoch."""
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(self))
        made: list[NDArray[np.int64]] = []
        for at in range(0, len(order), _POOL_ROWS):
            pool = order[at : at + _POOL_ROWS]
            pool = pool[np.argsort(self.lengths[pool], kind="stable")]
            cuts = list(self._cut(pool, batch_tokens))
            rng.shuffle(cuts)  # type: ignore[arg-type]
            made += cuts
        return made

    def _cut(self, pool: NDArray[np.int64], batch_tokens: int) -> Iterator[NDArray[np.int64]]:
        start = 0
        for at in range(1, len(pool) + 1):
            if at == len(pool) or self._width(pool[at]) * (at + 1 - start) > batch_tokens:
                yield pool[start:at]
                start = at

    def _width(self, row: int) -> int:
        return int(-(-self.lengths[row] // _STEP_TOKENS) * _STEP_TOKENS)

    def batch(self, index: NDArray[np.int64]) -> Batch:
        """The rows at `index`, padded to the longest."""
        width = max(self._width(row) for row in index)
        shape = (len(index), width)
        ids, mask, types = (np.zeros(shape, np.int64) for _ in range(3))
        for at, row in enumerate(index):
            part = slice(*self._arrays["offsets"][row : row + 2])
            size = part.stop - part.start
            ids[at, :size] = self._arrays["ids"][part]
            types[at, :size] = self._arrays["types"][part]
            mask[at, :size] = 1
        return Batch(
            ids, mask, types, self._arrays["labels"][index], self._arrays["weights"][index]
        )
