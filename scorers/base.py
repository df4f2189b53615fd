"""What a scorer is. Built-in and foreign scorers meet the same protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from scorers.types import Row, Score, Side, Subject

Logits = NDArray[np.float32]


@runtime_checkable
class Scorer(Protocol):
    """One question asked of a text, answered from the rows' logits.

    `rows` and `score` are pure: the engine does everything between them.
    """

    name: str
    """The scorer's name in policies, metrics and exports, such as `toxicity`."""

    heads: tuple[str, ...]
    """The heads that the scorer reads, in the order in which it reports them."""

    sides: frozenset[Side]
    """The sides on which the scorer has something to say."""

    def rows(self, subject: Subject) -> Sequence[Row]:
        """The rows that have to be run for this subject; empty where the scorer does not apply."""
        ...

    def score(self, subject: Subject, rows: Sequence[Row], logits: Logits) -> Score:
        """The score of a subject from its rows' logits, of shape (rows, all heads of the model).

        With no rows the score says `not_applicable` and carries no risk.
        """
        ...
