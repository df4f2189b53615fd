"""What the engine needs of a loaded model; each part has a fake in the tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scorers.base import Scorer
from scorers.types import Row


@dataclass(frozen=True, slots=True)
class Encoding:
    """One row as the encoder reads it, unpadded; both lists are of the same length.

    `is_cut` says that the row was too long and lost its end, `model` which added model reads it.
    """

    ids: list[int]
    type_ids: list[int]
    is_cut: bool = False
    model: str = ""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Output:
    """A batch's `logits` (rows, heads) and `embeddings` (rows, hidden), both float32.

    `cut` has the rows that were too long and lost their end, where they are those of one ask.
    """

    logits: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    cut: frozenset[int] = frozenset()


class RowEncoder(Protocol):
    """Turns rows into encodings, special tokens included; called from one thread."""

    max_tokens: int

    def encode(self, rows: Sequence[Row]) -> list[Encoding]:
        """The encodings of `rows`, in their order, none longer than `max_tokens`."""
        ...


class Session(Protocol):
    """Runs one batch at a time on one execution provider; called from one thread."""

    @property
    def provider(self) -> str:
        """The execution provider that runs: `cpu`, `cuda` or `tensorrt`."""
        ...

    def run(self, encodings: Sequence[Encoding]) -> Output:
        """The outputs of a batch, row by row in the order given."""
        ...


class ServingModel(Protocol):
    """A model with everything that is needed to score with it."""

    @property
    def model(self) -> str:
        """Name and version, as scores carry them."""
        ...

    @property
    def heads(self) -> tuple[str, ...]:
        """The columns of the logits."""
        ...

    @property
    def session(self) -> Session:
        """What runs the encoder."""
        ...

    @property
    def tokenizer(self) -> RowEncoder:
        """What turns rows into token ids."""
        ...

    @property
    def scorers(self) -> Sequence[Scorer]:
        """The scorers whose heads the model has, in the order in which they run."""
        ...
