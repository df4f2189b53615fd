"""Several models behind one engine: each row goes to the model that it names.

The columns of the logits are those of all models, one after another; a row has numbers in the
columns of its own model and NaN in the others. Embeddings are the main model's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from scorers.builtin.headmap import HeadMap
from scorers.errors import ModelError
from scorers.serving import Encoding, Output, RowEncoder, Session
from scorers.types import Row

MAIN = ""
"""The model of rows that name none."""


class JoinedTokenizer:
    """Encodes each row with the tokenizer of its model."""

    def __init__(self, by_model: Mapping[str, RowEncoder]) -> None:
        self._by_model = by_model
        self.max_tokens = by_model[MAIN].max_tokens

    def encode(self, rows: Sequence[Row]) -> list[Encoding]:
        """The encodings of `rows`, in their order, each with its row's model."""
        found: dict[int, Encoding] = {}
        for model, places in _by_model([row.model for row in rows]).items():
            encodings = self._by_model[model].encode([rows[at] for at in places])
            for at, encoding in zip(places, encodings, strict=True):
                found[at] = replace(encoding, model=model)
        return [found[at] for at in range(len(rows))]


class JoinedSession:
    """Runs each row of a batch through the session of its model, one session after another."""

    def __init__(
        self, by_model: Mapping[str, Session], columns: Mapping[str, int], *, hidden: int
    ) -> None:
        self._by_model = by_model
        self._hidden = hidden
        ends = np.cumsum(list(columns.values()))
        self._columns = {
            model: slice(int(end) - columns[model], int(end))
            for model, end in zip(columns, ends, strict=True)
        }
        self._width = int(ends[-1])

    @property
    def provider(self) -> str:
        """The main model's execution provider."""
        return self._by_model[MAIN].provider

    def run(self, encodings: Sequence[Encoding]) -> Output:
        """The outputs of a batch, row by row in the order given."""
        logits = np.full((len(encodings), self._width), np.nan, np.float32)
        embeddings = np.zeros((len(encodings), self._hidden), np.float32)
        for model, places in _by_model([encoding.model for encoding in encodings]).items():
            output = self._by_model[model].run([encodings[at] for at in places])
            logits[places, self._columns[model]] = output.logits
            if model == MAIN:
                embeddings[places] = output.embeddings
        return Output(logits, embeddings)


def joined_heads(main: HeadMap, added: Sequence[HeadMap]) -> HeadMap:
    """The main model's description with the heads and scorers of the added ones.

    Raises ModelError where two have a head or a scorer of one name.
    """
    found = main
    for one in added:
        twice = sorted({*found.heads, *found.scorers} & {*one.heads, *one.scorers})
        if twice:
            raise ModelError(f"{one.model} and another model both have {twice[0]!r}; add it anew")
        found = replace(
            found,
            heads=found.heads + one.heads,
            scorers={**found.scorers, **one.scorers},
            calibration={**found.calibration, **one.calibration},
            thresholds={**found.thresholds, **one.thresholds},
        )
    return found


def _by_model(names: Sequence[str]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        places.setdefault(name, []).append(at)
    return places
