"""Doubles of the engine's parts: a model in memory, a session that can be told what to do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from scorers.base import Logits, Scorer
from scorers.observer import NoObserver
from scorers.serving import Encoding, Output
from scorers.types import Row, Score, Side, Subject
from tests.patience import PATIENCE_S

BOTH_SIDES = frozenset({Side.PROMPT, Side.REPLY})


class RowCounter(NoObserver):
    """Counts the rows that run."""

    rows = 0

    def batch_ran(self, rows: int, padded_tokens: int, seconds: float) -> None:
        self.rows += rows


class WordEncoder:
    """One token per word: its length; two special tokens around a row."""

    max_tokens = 64

    def __init__(self) -> None:
        self.rows_encoded = 0

    def encode(self, rows: Sequence[Row]) -> list[Encoding]:
        """Encodings whose ids are the lengths of the words."""
        encodings = [self._encode(f"{row.text} {row.pair or ''}") for row in rows]
        self.rows_encoded += len(rows)
        return encodings

    def _encode(self, text: str) -> Encoding:
        whole = [1, *(10 + len(word) for word in text.split()), 2]
        ids = whole[: self.max_tokens]
        return Encoding(ids, [0] * len(ids), is_cut=len(whole) > len(ids))


class ScriptedSession:
    """Answers with the sum of a row's ids; `before` is called with each batch and may raise.

    `gate` is open unless a test closes it: runs wait for it, so that a test can
    put callers into the queue while the session is busy.
    """

    provider = "cpu"

    def __init__(self) -> None:
        self.before: Callable[[Sequence[Encoding]], None] = lambda _: None
        self.batches: list[list[Encoding]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)

    def run(self, encodings: Sequence[Encoding]) -> Output:
        """The outputs of a batch."""
        self.batches.append(list(encodings))
        self.entered.release()
        assert self.gate.wait(PATIENCE_S), "a test left the gate closed"
        self.before(encodings)
        sums = np.array([[sum(encoding.ids)] for encoding in encodings], dtype=np.float32)
        return Output(np.repeat(sums, 2, axis=1), np.repeat(sums, 3, axis=1))


class SumScorer:
    """A row for each line of the text; the risk is the rows' logits summed, over a million."""

    heads = ("sum",)

    def __init__(self, name: str = "sum", *, sides: frozenset[Side] = BOTH_SIDES) -> None:
        self.name = name
        self.sides = sides

    def rows(self, subject: Subject) -> Sequence[Row]:
        """The lines that are not blank."""
        return [Row(line) for line in subject.fresh.splitlines() if line.strip()]

    def score(self, subject: Subject, rows: Sequence[Row], logits: Logits) -> Score:
        """The score of the lines."""
        if not rows:
            return Score(self.name, subject.side, "fake@1", None, reason="not_applicable")
        assert logits.shape == (len(rows), 2)
        return Score(self.name, subject.side, "fake@1", float(logits[:, 0].sum()) / 1e6)


class BrokenScorer(SumScorer):
    """Raises on texts that contain its name."""

    def rows(self, subject: Subject) -> Sequence[Row]:
        """Fails on `rows`."""
        if "fail in rows" in subject.text:
            raise ValueError("rows")
        return super().rows(subject)

    def score(self, subject: Subject, rows: Sequence[Row], logits: Logits) -> Score:
        """Fails on `score`."""
        if "fail in score" in subject.text:
            raise ValueError("score")
        return super().score(subject, rows, logits)


def expected_risk(text: str) -> float:
    """What `SumScorer` says of a text."""
    encoder = WordEncoder()
    rows = [Row(line) for line in text.splitlines() if line.strip()]
    return sum(sum(encoding.ids) for encoding in encoder.encode(rows)) / 1e6


@dataclass
class FakeModel:
    """A served model made of doubles."""

    session: ScriptedSession = field(default_factory=ScriptedSession)
    scorers: Sequence[Scorer] = field(default_factory=lambda: (SumScorer(),))
    tokenizer: WordEncoder = field(default_factory=WordEncoder)
    model: str = "fake@1"
    heads: tuple[str, ...] = ("sum", "other")


@dataclass
class Notes:
    """An observer that writes down what it hears."""

    batches: list[tuple[int, int]] = field(default_factory=list)
    queue: list[int] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    late_results: int = 0

    def batch_ran(self, rows: int, padded_tokens: int, seconds: float) -> None:
        """Notes a batch."""
        self.batches.append((rows, padded_tokens))

    def queue_changed(self, tokens: int) -> None:
        """Notes the queue."""
        self.queue.append(tokens)

    def scorer_ran(self, name: str, seconds: float) -> None:
        """Notes a score."""
        self.ran.append(name)

    def failed(self, scorer: str, kind: str) -> None:
        """Notes a failure."""
        self.failures.append((scorer, kind))

    def late(self) -> None:
        """Notes a late result."""
        self.late_results += 1
