"""A subject on its way through the engine: what it asks, who waits for it, what it weighs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scorers.base import Scorer
from scorers.errors import DeadlineExceeded, Overloaded, ScorerError, ScorerFailed
from scorers.serving import Output
from scorers.types import Row, Score, Subject

_CHARACTERS_PER_TOKEN = 4
_LEAST_TOKENS = 8


class Ask(Protocol):
    """What a caller wants: rows to run, then an answer from their outputs.

    Both methods are called once, in this order, each from a thread of the engine.
    """

    def rows(self) -> Sequence[Row]:
        """The distinct rows to run; raises ScorerFailed where a scorer does."""
        ...

    def answer(self, output: Output) -> Any:
        """The caller's result, from one output row for each row."""
        ...


class ScoreAsk:
    """Asks several scorers about one subject; a row that two of them want runs once."""

    def __init__(self, subject: Subject, scorers: Sequence[Scorer], *, model: str) -> None:
        self._subject = subject
        self._scorers = scorers
        self._model = model
        self._wanted: list[tuple[Scorer, Sequence[Row], list[int]]] = []

    def rows(self) -> Sequence[Row]:
        """The distinct rows of all scorers that have something to say on the subject's side."""
        index: dict[Row, int] = {}
        for scorer in self._scorers:
            if self._subject.side in scorer.sides:
                rows = self._ask_rows(scorer)
                places = [index.setdefault(row, len(index)) for row in rows]
                self._wanted.append((scorer, rows, places))
        return list(index)

    def answer(self, output: Output) -> dict[str, Score]:
        """The scores by scorer name, in the order of the scorers."""
        scores = {scorer.name: self._not_applicable(scorer) for scorer in self._scorers}
        for scorer, rows, places in self._wanted:
            score = self._ask_score(scorer, rows, output.logits[places])
            cut = len(output.cut.intersection(places))
            scores[scorer.name] = replace(score, cut_rows=cut) if cut else score
        return scores

    def _ask_rows(self, scorer: Scorer) -> Sequence[Row]:
        try:
            return scorer.rows(self._subject)
        except Exception as error:  # the scorer loop: any fault reaches the waiter
            raise _blame(scorer, error) from error

    def _ask_score(self, scorer: Scorer, rows: Sequence[Row], logits: NDArray[np.float32]) -> Score:
        try:
            return scorer.score(self._subject, rows, logits)
        except Exception as error:  # the scorer loop: any fault reaches the waiter
            raise _blame(scorer, error) from error

    def _not_applicable(self, scorer: Scorer) -> Score:
        subject = self._subject
        return Score(
            scorer.name,
            subject.side,
            self._model,
            None,
            reason="not_applicable",
            start=subject.start,
            stop=subject.stop,
        )


class EmbedAsk:
    """Asks for the sentence embeddings of texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._rows = [Row(text) for text in texts]
        self._distinct = list(dict.fromkeys(self._rows))

    def rows(self) -> Sequence[Row]:
        """The distinct texts."""
        return self._distinct

    def answer(self, output: Output) -> NDArray[np.float32]:
        """One embedding for each text, of shape (texts, hidden)."""
        place = {row: at for at, row in enumerate(self._distinct)}
        return output.embeddings[[place[row] for row in self._rows]]


def _blame(scorer: Scorer, error: Exception) -> ScorerFailed:
    return ScorerFailed(f"{scorer.name} failed on this text: {error!r}", scorer=scorer.name)


class Job:
    """One ask with the future that its caller waits on.

    The future is touched on the event loop only; threads merely look whether it
    is done, which means that nobody waits any more.
    """

    __slots__ = (
        "admitted_s",
        "ask",
        "cut",
        "deadline",
        "future",
        "is_expired",
        "missing",
        "output",
        "tokens",
    )

    def __init__(
        self, ask: Ask, future: asyncio.Future[Any], *, tokens: int, deadline: float | None
    ) -> None:
        self.ask = ask
        self.future = future
        self.tokens = tokens
        self.deadline = deadline
        self.admitted_s = time.monotonic()
        self.is_expired = False
        self.missing = 0
        self.cut: frozenset[int] = frozenset()
        self.output: Output | None = None

    @property
    def is_gone(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.future.done()

    def fill(self, at: int, output: Output, row: int, *, rows: int) -> bool:
        """Takes one row's output as row `at` of `rows`; true once all rows are there."""
        if self.output is None:
            logits, embeddings = _like(output.logits, rows), _like(output.embeddings, rows)
            self.output = Output(logits, embeddings, self.cut)
        self.output.logits[at] = output.logits[row]
        self.output.embeddings[at] = output.embeddings[row]
        self.missing -= 1
        return self.missing == 0

    def expire(self) -> None:
        """Answers the waiter that its deadline has passed."""
        self.is_expired = not self.is_gone
        self.fail(DeadlineExceeded("the deadline passed before the scores were there"))

    def fail(self, error: ScorerError) -> None:
        """Answers the waiter, if one is left, with an error."""
        if not self.is_gone:
            self.future.set_exception(error)
            self.future.exception()  # seen: a caller cancelled just now must not leave a warning


def _like(array: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    return np.empty((rows, array.shape[1]), dtype=np.float32)


def estimate_tokens(characters: int) -> int:
    """What a text will weigh before anyone has tokenised it; cheap enough for the event loop."""
    return _LEAST_TOKENS + characters // _CHARACTERS_PER_TOKEN


class Gate:
    """Admission at the door: how many tokens wait or run, against a limit.

    Weights are estimates at the door and become exact once the rows are
    tokenised. Usable from any thread.
    """

    def __init__(self, limit_tokens: int) -> None:
        self._lock = threading.Lock()
        self._inside: set[Job] = set()
        self.limit_tokens = limit_tokens
        self.tokens = 0

    def admit(self, job: Job) -> None:
        """Lets a job in, or raises Overloaded; an empty house takes a job of any size."""
        with self._lock:
            if self.tokens and self.tokens + job.tokens > self.limit_tokens:
                raise Overloaded(
                    f"{self.tokens} tokens wait to be scored and the limit is {self.limit_tokens}"
                )
            self._inside.add(job)
            self.tokens += job.tokens

    def reweigh(self, job: Job, tokens: int) -> None:
        """Replaces a job's estimate by its exact weight, if it is still inside."""
        with self._lock:
            if job in self._inside:
                self.tokens += tokens - job.tokens
                job.tokens = tokens

    def release(self, job: Job) -> None:
        """Lets a job out."""
        with self._lock:
            self._inside.discard(job)
            self.tokens -= job.tokens

    def jobs(self) -> list[Job]:
        """The jobs inside."""
        with self._lock:
            return list(self._inside)
