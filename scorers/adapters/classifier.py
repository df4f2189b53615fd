"""Any sequence classifier as a scorer: its labels are heads, its windows' worst is the risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scorers.base import Logits
from scorers.builtin.headmap import HeadMap
from scorers.builtin.windows import snap_right, windows
from scorers.errors import ModelError
from scorers.onnx import Provider, checked_file, create_session, input_names
from scorers.serving import Encoding, Output
from scorers.types import Row, Score, Side, Subject

ADAPTER = "classifier"
"""What a `heads.json` says in `adapter` when its model is a classifier."""

Activation = Literal["softmax", "sigmoid"]

_WINDOW_SHARE = 0.85
"""Of a row, since a window's tokens are an estimate."""
_OVERLAP_SHARE = 0.125
_LEAD_IN = 200


class Classifier:
    """Judges a text by itself, window by window; the highest probability of a label counts.

    The risk is the highest of the default heads: the labels that mean a fault.
    """

    def __init__(self, name: str, heads: HeadMap, *, model: str, max_tokens: int) -> None:
        self._map = heads
        self._spec = heads.scorer(name)
        self._model = model
        self._budget_tokens = max_tokens * _WINDOW_SHARE
        self.name = name
        self.heads: tuple[str, ...] = self._spec.heads
        self.sides = frozenset(Side(side) for side in self._spec.sides)

    def rows(self, subject: Subject) -> Sequence[Row]:
        """Windows of the text; none for an empty one."""
        if not subject.fresh.strip():
            return []
        begin = snap_right(subject.text, max(0, subject.start - _LEAD_IN))
        cuts = windows(
            subject.text,
            min(begin, subject.start),
            subject.stop,
            budget_tokens=self._budget_tokens,
            overlap_tokens=self._budget_tokens * _OVERLAP_SHARE,
        )
        texts = [part for left, right in cuts if (part := subject.text[left:right].strip())]
        return [Row(part, model=self.name) for part in texts]

    def score(self, subject: Subject, rows: Sequence[Row], logits: Logits) -> Score:
        """Each label's probability, from log-odds of shape (rows, all heads)."""
        if not rows:
            return self._score(subject, None, {}, reason="empty")
        risks = {
            head: float(
                self._map.probability(head, subject.side, logits[:, self._map.column(head)].max())
            )
            for head in self.heads
        }
        risk = max(risks[head] for head in self._spec.default_heads)
        return self._score(subject, risk, risks)

    def _score(
        self, subject: Subject, risk: float | None, heads: dict[str, float], *, reason: str = ""
    ) -> Score:
        return Score(
            self.name,
            subject.side,
            self._model,
            risk,
            heads=heads,
            reason=reason,
            start=subject.start,
            stop=subject.stop,
        )


class ClassifierSession:
    """A classifier's ONNX file, loaded; its outputs are log-odds, one column for each label."""

    def __init__(
        self,
        session: Any,
        *,
        provider: Provider,
        labels: int,
        activation: Activation,
        pad_id: int,
    ) -> None:
        self._session = session
        self._inputs = input_names(session)
        self._labels = labels
        self._activation = activation
        self._pad_id = pad_id
        self.provider: Provider = provider
        self._check()

    @classmethod
    def open(
        cls, folder: Path, raw: Mapping[str, Any], provider: Provider, *, threads: int | None
    ) -> ClassifierSession:
        """Loads the file that the description names, after checking its digest, and runs it once.

        Raises ModelError where it does not load, run, or have as many outputs as labels.
        """
        path = checked_file(folder, raw["files"], provider)
        return cls(
            create_session(path, provider, threads),
            provider=provider,
            labels=len(raw["heads"]),
            activation=raw["activation"],
            pad_id=raw["pad_id"],
        )

    def run(self, encodings: Sequence[Encoding]) -> Output:
        """The log-odds of a batch, padded to its longest row; there are no embeddings."""
        width = max(len(encoding) for encoding in encodings)
        ids = np.full((len(encodings), width), self._pad_id, np.int64)
        mask, types = np.zeros((2, len(encodings), width), np.int64)
        for at, encoding in enumerate(encodings):
            ids[at, : len(encoding)] = encoding.ids
            mask[at, : len(encoding)] = 1
            types[at, : len(encoding)] = encoding.type_ids
        every = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        feed = {name: every[name] for name in self._inputs}
        logits = np.asarray(self._session.run(["logits"], feed)[0], np.float64)
        odds = logits if self._activation == "sigmoid" else log_odds(logits)
        return Output(odds.astype(np.float32), np.zeros((len(encodings), 0), np.float32))

    def _check(self) -> None:
        try:
            found = self.run([Encoding([self._pad_id, self._pad_id], [0, 0])]).logits.shape
        except Exception as error:  # the runtime's errors share no base class
            raise ModelError(f"the classifier does not run: {error}") from error
        if found != (1, self._labels):
            raise ModelError(
                f"the classifier's `logits` have the shape {found} for one text, "
                f"and its config.json names {self._labels} labels"
            )


def log_odds(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-odds of each label against all others under softmax, of the logits' shape."""
    columns = range(logits.shape[1])
    others = [np.logaddexp.reduce(np.delete(logits, at, axis=1), axis=1) for at in columns]
    odds: NDArray[np.float64] = logits - np.stack(others, axis=1)
    return odds
