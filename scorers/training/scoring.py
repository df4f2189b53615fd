"""Runs many subjects through a model file the way serving does, each distinct row once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from scorers.base import Logits, Scorer
from scorers.builtin import HeadMap
from scorers.onnx import OnnxSession
from scorers.tokens import RowTokenizer
from scorers.types import Row, Score, Subject

_BATCH_TOKENS = 2048


class Runner:
    """Tokenizer and session of a model folder."""

    def __init__(self, folder: Path, *, threads: int = 2) -> None:
        self.heads = HeadMap.load(folder)
        tokens = self.heads.max_tokens
        self._tokenizer = RowTokenizer.open(folder / "tokenizer.json", max_tokens=tokens)
        self._session = OnnxSession.open(folder, "cpu", threads=threads)

    def logits(self, rows: Sequence[Row], *, label: str = "rows") -> Logits:
        """Logits of shape (rows, heads); equal rows are run once."""
        unique = list(dict.fromkeys(rows))
        encodings = self._tokenizer.encode(unique)
        order = sorted(range(len(unique)), key=lambda at: len(encodings[at].ids))
        out = np.zeros((len(unique), len(self.heads.heads)), np.float32)
        bar, start = tqdm(total=len(unique), desc=label, unit="row", mininterval=10), 0
        for end in range(1, len(order) + 1):
            full = (
                end == len(order)
                or len(encodings[order[end]].ids) * (end + 1 - start) > _BATCH_TOKENS
            )
            if full:
                part = order[start:end]
                out[part] = self._session.run([encodings[at] for at in part]).logits
                bar.update(len(part))
                start = end
        bar.close()
        where = {row: at for at, row in enumerate(unique)}
        return out[[where[row] for row in rows]]

    def scores(self, scorer: Scorer, subjects: Sequence[Subject], *, label: str) -> list[Score]:
        """The scorer's score of each subject."""
        rows = [scorer.rows(subject) for subject in subjects]
        parts = self.split(rows, label=label)
        return [
            scorer.score(subject, own, part)
            for subject, own, part in zip(subjects, rows, parts, strict=True)
        ]

    def split(self, rows: Sequence[Sequence[Row]], *, label: str) -> list[NDArray[np.float32]]:
        """The logits of each group of rows."""
        flat = [row for own in rows for row in own]
        if not flat:
            return [np.zeros((0, len(self.heads.heads)), np.float32) for _ in rows]
        cuts = np.cumsum([len(own) for own in rows])[:-1]
        return list(np.split(self.logits(flat, label=label), cuts))
