"""The engine's three threads: prepare (rows, tokens), run (batches), answer (scores).

Jobs go from stage to stage through queues, so that tokenising the next rows and
answering the last ones overlap with the session's run. No timer: the run stage
forms a batch whenever the session is free, from all that waits then.

A crew lives until one of its threads dies or it is closed; it is never mended,
the engine makes a new one. All it reports goes through `post`, and whoever
receives it decides.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

import numpy as np

from scorers.errors import RunFailed, ScorerError
from scorers.jobs import Gate, Job
from scorers.plan import BatchLimits, Plan, WaitingRow, plan
from scorers.serving import Encoding, Output, ServingModel
from scorers.types import Row

_JOBS_AT_ONCE = 32
"""How many jobs are tokenised together; more would keep the first of them waiting."""


class _Place(NamedTuple):
    """Where a waiting row belongs: row `at` of the job's `rows` rows."""

    job: Job
    at: int
    rows: int
    encoding: Encoding


class _Ran(NamedTuple):
    """A batch after its run: the output, or why there is none."""

    batch: Sequence[WaitingRow[_Place]]
    output: Output | Exception
    padded_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is warm."""


@dataclass(frozen=True, slots=True)
class Died:
    """A thread ended with an error; the rest of the crew is of no more use."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class Answers:
    """Results or errors by job, how many results came too late, and the run they came from."""

    results: list[tuple[Job, Any]]
    late: int = 0
    rows: int = 0
    padded_tokens: int = 0
    seconds: float = 0.0


Report = Ready | Died | Answers
T = TypeVar("T")


class Crew:
    """Threads that serve one model until `close`."""

    def __init__(
        self,
        model: ServingModel,
        limits: BatchLimits,
        *,
        gate: Gate,
        post: Callable[[Report], None],
    ) -> None:
        self._model = model
        self._limits = limits
        self._gate = gate
        self._post = post
        self._asked: SimpleQueue[Job | None] = SimpleQueue()
        self._waiting: SimpleQueue[list[WaitingRow[_Place]] | None] = SimpleQueue()
        self._ran: SimpleQueue[_Ran | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, args=(stage,), name=f"scorers-{name}", daemon=True)
            for name, stage in (
                ("prepare", self._prepare),
                ("run", self._run),
                ("answer", self._answer),
            )
        ]
        self.running_since_s: float | None = None

    def start(self) -> None:
        """Starts the threads; `Ready` is posted once the model is warm."""
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Hands a job in; its answer is posted."""
        self._asked.put(job)

    def close(self) -> None:
        """Tells the threads to end once they have done what lies before them."""
        self._asked.put(None)
        self._waiting.put(None)
        self._ran.put(None)

    def join(self, timeout_s: float) -> bool:
        """Waits for the threads to end; whether they did."""
        until = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, stage: Callable[[], None]) -> None:
        try:
            stage()
        except BaseException as error:  # noqa: BLE001  a thread's death is news, never silence
            self._post(Died(error))

    def _prepare(self) -> None:
        while (jobs := _take(self._asked, _JOBS_AT_ONCE)) is not None:
            places: list[tuple[Job, Sequence[Row]]] = []
            for job in jobs:
                if not job.is_gone:
                    self._collect(job, places)
            if places:
                self._tokenise(places)

    def _collect(self, job: Job, places: list[tuple[Job, Sequence[Row]]]) -> None:
        try:
            rows = job.ask.rows()
        except ScorerError as error:
            self._post(Answers([(job, error)]))
            return
        if rows:
            places.append((job, rows))
            return
        nothing = np.empty((0, len(self._model.heads)), dtype=np.float32)
        self._post(Answers([(job, _answer(job, Output(nothing, nothing)))]))

    def _tokenise(self, places: Sequence[tuple[Job, Sequence[Row]]]) -> None:
        every = [row for _, rows in places for row in rows]
        try:
            encodings = iter(self._model.tokenizer.encode(every))
        except Exception as error:  # noqa: BLE001  the scorer loop: any fault reaches the waiters
            self._post(Answers([(job, _run_failed(error)) for job, _ in places]))
            return
        waiting = []
        for job, rows in places:
            job.missing = len(rows)
            own = [next(encodings) for _ in rows]
            job.cut = frozenset(at for at, encoding in enumerate(own) if encoding.is_cut)
            self._gate.reweigh(job, sum(map(len, own)))
            waiting += [
                WaitingRow(_Place(job, at, len(rows), encoding), len(encoding), job.deadline)
                for at, encoding in enumerate(own)
            ]
        self._waiting.put(waiting)

    def _run(self) -> None:
        self._warm_up()
        self._post(Ready())
        waiting: list[WaitingRow[_Place]] = []
        while (arrived := _take(self._waiting, wait=not waiting)) is not None:
            for rows in arrived:
                waiting += rows
            planned = plan(waiting, self._limits, is_gone=lambda place: place.job.is_gone)
            waiting = planned.left
            if planned.batch:
                self._ran.put(self._run_batch(planned))

    def _run_batch(self, planned: Plan[_Place]) -> _Ran:
        started_s = self.running_since_s = time.monotonic()
        output: Output | Exception
        try:
            output = self._model.session.run([row.item.encoding for row in planned.batch])
        except Exception as error:  # noqa: BLE001  the scorer loop: any fault reaches the waiters
            output = error
        self.running_since_s = None
        seconds = time.monotonic() - started_s
        return _Ran(planned.batch, output, planned.padded_tokens, seconds)

    def _warm_up(self) -> None:
        """Runs the smallest batch and the largest, so that no caller pays for the first runs."""
        tokenizer = self._model.tokenizer
        short, long = tokenizer.encode([Row("warm"), Row("warm " * tokenizer.max_tokens)])
        self._model.session.run([short])
        rows = min(self._limits.max_rows, self._limits.budget_tokens // len(long))
        self._model.session.run([long] * max(1, rows))

    def _answer(self) -> None:
        while (ran := self._ran.get()) is not None:
            self._post(_answers(ran))


def _answers(ran: _Ran) -> Answers:
    """Hands a batch's rows to their jobs and answers the jobs that are complete."""
    results: list[tuple[Job, Any]] = []
    late = 0
    if isinstance(ran.output, Exception):
        jobs = dict.fromkeys(row.item.job for row in ran.batch)
        results = [(job, _run_failed(ran.output)) for job in jobs]
    else:
        for row, waited in enumerate(ran.batch):
            job, at, rows, _ = waited.item
            if not job.fill(at, ran.output, row, rows=rows):
                continue
            if job.is_gone:
                late += job.is_expired
            elif job.output is not None:
                results.append((job, _answer(job, job.output)))
    return Answers(results, late, len(ran.batch), ran.padded_tokens, ran.seconds)


def _answer(job: Job, output: Output) -> Any:
    try:
        return job.ask.answer(output)
    except ScorerError as error:
        return error


def _run_failed(error: Exception) -> RunFailed:
    failed = RunFailed(f"the model failed on the batch of this text: {error!r}")
    failed.__cause__ = error
    return failed


def _take(
    queue: SimpleQueue[T | None], most: int = 1 << 30, *, wait: bool = True
) -> list[T] | None:
    """What lies in the queue, waiting for the first of it if asked; None once it is closed."""
    taken: list[T] = []
    while len(taken) < most:
        try:
            item = queue.get(block=wait and not taken)
        except Empty:
            break
        if item is None:
            return None
        taken.append(item)
    return taken
