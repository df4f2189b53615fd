"""The engine: many callers, one session.

Rows of all scorers and all requests share a batch. Callers are refused at the
door when too much waits, answered at their deadline whatever happens, and
answered exactly once: with scores or with an error from `scorers.errors`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from scorers.base import Scorer
from scorers.cores import usable_cores
from scorers.crew import Answers, Crew, Died, Report
from scorers.errors import (
    DeadlineExceeded,
    EngineStopped,
    ModelError,
    ScorerError,
    ScorerFailed,
    WorkerDied,
)
from scorers.jobs import Ask, EmbedAsk, Gate, Job, ScoreAsk, estimate_tokens
from scorers.observer import EngineObserver, NoObserver
from scorers.plan import BatchLimits
from scorers.serving import ServingModel
from scorers.types import Score, Subject

__all__ = ["BatchLimits", "Engine", "EngineLimits", "EngineObserver", "Health", "NoObserver"]

R = TypeVar("R")

_LONGEST_RESTART_S = 30.0
_HEALTHY_S = 60.0
"""A crew that lived this long did not die of its start."""


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """How much the engine takes on.

    `queue_tokens` bounds what waits or runs, `bulk_subjects` how many subjects of
    one `score_many` are inside together. `drain_s` is the patience of `stop`,
    `restart_s` the first pause before a dead crew is replaced (it doubles up to
    half a minute), `stall_s` the length of a run that makes the engine unready.
    """

    queue_tokens: int = 65_536
    batch: BatchLimits = field(default_factory=BatchLimits)
    bulk_subjects: int = 64
    drain_s: float = 10.0
    restart_s: float = 0.1
    stall_s: float = 30.0

    @classmethod
    def for_provider(cls, provider: str) -> EngineLimits:
        """Limits that suit an execution provider; see DECISIONS.md for the figures."""
        if provider == "cpu":
            return cls(batch=BatchLimits(budget_tokens=cpu_budget_tokens(usable_cores())))
        batch = BatchLimits(budget_tokens=32_768, max_rows=512, run_cost_tokens=2048)
        return cls(queue_tokens=2_097_152, batch=batch, bulk_subjects=1024)


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the engine answers, and if not why; `deaths` counts crews lost so far."""

    is_ready: bool
    provider: str
    model: str
    reason: str
    deaths: int
    queue_tokens: int


def cpu_budget_tokens(cores: int) -> int:
    """The padded tokens of a batch on the CPU; more would only make urgent rows wait longer."""
    return min(4096, max(512, 256 * cores))


class _State(Enum):
    NEW = "not started"
    WARMING = "warming up"
    READY = ""
    DOWN = "a worker died and is being restarted"
    STOPPED = "stopped"


class Engine:
    """Scores subjects with one model; belongs to the event loop that starts it."""

    def __init__(
        self,
        model: ServingModel,
        limits: EngineLimits | None = None,
        *,
        observer: EngineObserver | None = None,
    ) -> None:
        self._model = model
        self._limits = limits or EngineLimits.for_provider(model.session.provider)
        self._observer: EngineObserver = observer or NoObserver()
        self._gate = Gate(self._limits.queue_tokens)
        self._state = _State.NEW
        self._crew: Crew | None = None
        self._crew_since_s = 0.0
        self._restart: asyncio.TimerHandle | None = None
        self._deaths = 0
        self._deaths_in_a_row = 0
        self._last_error = ""
        self._warm: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Starts the threads and returns once the model is warm; ModelError where it cannot run."""
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._warm = self._loop.create_future()
        self._hire()
        await self._warm

    async def stop(self) -> None:
        """Refuses new subjects, gives those inside `drain_s` to finish and fails the rest."""
        if self._state is _State.READY:
            self._state = _State.STOPPED
            await self._drained(self._limits.drain_s)
        self._state = _State.STOPPED
        if self._restart is not None:
            self._restart.cancel()
        self._end_warm_up(EngineStopped("the engine was stopped while it warmed up"))
        self._fail_all(EngineStopped, "the engine stopped before the scores were there")
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.close()
            await asyncio.to_thread(crew.join, self._limits.drain_s)

    async def score(
        self,
        subject: Subject,
        *,
        scorers: Collection[str] | None = None,
        deadline: float | None = None,
    ) -> dict[str, Score]:
        """One score for each scorer named, or for each that the model serves.

        `deadline` is a time of `time.monotonic()` in seconds. A scorer that does not
        apply gives a score without risk. Raises Overloaded at once where too much
        waits, DeadlineExceeded at the deadline, and other errors of `scorers.errors`.
        """
        chosen = self._chosen(scorers)
        if not chosen:
            return {}
        ask = ScoreAsk(subject, chosen, model=self._model.model)
        asked_s = time.monotonic()
        try:
            scores: dict[str, Score] = await self._submit(
                ask, tokens=_weight(subject), deadline=deadline
            )
        except ScorerError as error:
            self._count_failure(error, chosen)
            raise
        seconds = time.monotonic() - asked_s
        for name in scores:
            self._observer.scorer_ran(name, seconds)
        return scores

    async def score_many(
        self,
        subjects: Iterable[Subject],
        *,
        scorers: Collection[str] | None = None,
        deadline: float | None = None,
    ) -> list[dict[str, Score]]:
        """The scores of many subjects, in their order.

        A bounded number is inside at any time, and they wait for room instead of
        being refused. The first error ends it all.
        """

        async def score(subject: Subject) -> dict[str, Score]:
            await self._has_room(_weight(subject), deadline)
            return await self.score(subject, scorers=scorers, deadline=deadline)

        return await self._in_turn(subjects, score)

    async def score_each(
        self,
        subjects: Iterable[Subject],
        *,
        scorers: Collection[str] | None = None,
        deadline: float | None = None,
    ) -> list[dict[str, Score] | ScorerError]:
        """As `score_many`, but an error stands in the place of its subject and ends nothing."""

        async def score(subject: Subject) -> dict[str, Score] | ScorerError:
            try:
                await self._has_room(_weight(subject), deadline)
                return await self.score(subject, scorers=scorers, deadline=deadline)
            except ScorerError as error:
                return error

        return await self._in_turn(subjects, score)

    async def _in_turn(
        self, subjects: Iterable[Subject], score: Callable[[Subject], Awaitable[R]]
    ) -> list[R]:
        """The results in the subjects' order, a bounded number of them under way."""
        results: dict[int, R] = {}
        source = iter(enumerate(subjects))

        async def work() -> None:
            for at, subject in source:
                results[at] = await score(subject)

        await _together([work() for _ in range(self._limits.bulk_subjects)])
        return [results[at] for at in sorted(results)]

    async def embed(
        self, texts: Sequence[str], *, deadline: float | None = None
    ) -> NDArray[np.float32]:
        """The texts' embeddings, of shape (texts, hidden), in the same batches as all else."""
        ask = EmbedAsk(texts)
        tokens = estimate_tokens(sum(map(len, texts)))
        embeddings: NDArray[np.float32] = await self._submit(ask, tokens=tokens, deadline=deadline)
        return embeddings

    def health(self) -> Health:
        """The engine's state now; cheap."""
        reason = self._state.value
        if self._state is _State.DOWN:
            reason = f"{reason}: {self._last_error}"
        since_s = self._crew.running_since_s if self._crew else None
        if since_s is not None and time.monotonic() - since_s > self._limits.stall_s:
            reason = f"one run has taken {time.monotonic() - since_s:.0f} s so far"
        return Health(
            is_ready=not reason,
            provider=self._model.session.provider,
            model=self._model.model,
            reason=reason,
            deaths=self._deaths,
            queue_tokens=self._gate.tokens,
        )

    async def _submit(self, ask: Ask, *, tokens: int, deadline: float | None) -> Any:
        """Admits an ask and waits for its answer; whatever happens, its tokens are released."""
        crew = self._serving_crew()
        left_s = None if deadline is None else deadline - time.monotonic()
        if left_s is not None and left_s <= 0:
            raise DeadlineExceeded("the deadline had passed before scoring began")
        job = Job(ask, self._loop.create_future(), tokens=tokens, deadline=deadline)
        self._gate.admit(job)
        self._observer.queue_changed(self._gate.tokens)
        timer = None if left_s is None else self._loop.call_later(left_s, job.expire)
        crew.submit(job)
        try:
            return await job.future
        finally:
            if timer is not None:
                timer.cancel()
            self._gate.release(job)
            self._room.set()
            self._observer.queue_changed(self._gate.tokens)

    def _serving_crew(self) -> Crew:
        if self._state is _State.READY and self._crew is not None:
            return self._crew
        if self._deaths and self._state is not _State.STOPPED:
            raise WorkerDied(f"{self._state.value}: {self._last_error}")
        raise EngineStopped(f"the engine does not score: {self._state.value}")

    def _chosen(self, names: Collection[str] | None) -> Sequence[Scorer]:
        every = self._model.scorers
        if names is None:
            return every
        known = [scorer.name for scorer in every]
        unknown = sorted(set(names).difference(known))
        if unknown:
            raise ModelError(
                f"{self._model.model} has no scorer {unknown[0]!r}; it has {', '.join(known)}"
            )
        return [scorer for scorer in every if scorer.name in names]

    def _count_failure(self, error: ScorerError, chosen: Sequence[Scorer]) -> None:
        blamed = [error.scorer] if isinstance(error, ScorerFailed) else [s.name for s in chosen]
        for name in blamed:
            self._observer.failed(name, error.kind)

    async def _has_room(self, tokens: int, deadline: float | None) -> None:
        """Waits until bulk work of this weight leaves half of the queue to others."""
        left_s = None if deadline is None else deadline - time.monotonic()
        try:
            async with asyncio.timeout(left_s):
                while (
                    self._gate.tokens
                    and self._gate.tokens + tokens > self._limits.queue_tokens // 2
                ):
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError as error:
            raise DeadlineExceeded("the deadline passed before there was room") from error

    async def _drained(self, limit_s: float) -> None:
        try:
            async with asyncio.timeout(limit_s):
                while self._gate.jobs():
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            pass

    def _hire(self) -> None:
        """A new crew; it serves once it reports that the model is warm."""
        loop = self._loop

        def post(report: Report) -> None:
            try:
                loop.call_soon_threadsafe(self._hear, crew, report)
            except RuntimeError:  # the loop is closed and nobody is left to tell
                return

        crew = Crew(self._model, self._limits.batch, gate=self._gate, post=post)
        self._crew = crew
        self._crew_since_s = time.monotonic()
        self._state = _State.WARMING
        crew.start()

    def _hear(self, crew: Crew, report: Report) -> None:
        if isinstance(report, Answers):
            self._deliver(report)
        elif crew is not self._crew:
            return
        elif isinstance(report, Died):
            self._replace(crew, report.error)
        elif self._state is _State.WARMING:
            self._state = _State.READY
            self._end_warm_up(None)

    def _end_warm_up(self, error: ScorerError | None) -> bool:
        """Lets `start` return or raise; whether it was still waiting."""
        if self._warm is None or self._warm.done():
            return False
        if error is None:
            self._warm.set_result(None)
        else:
            self._warm.set_exception(error)
        return True

    def _deliver(self, answers: Answers) -> None:
        if answers.rows:
            self._observer.batch_ran(answers.rows, answers.padded_tokens, answers.seconds)
        late = answers.late
        for job, result in answers.results:
            if job.is_gone:
                late += job.is_expired
            elif isinstance(result, ScorerError):
                job.fail(result)
            else:
                job.future.set_result(result)
        for _ in range(late):
            self._observer.late()

    def _replace(self, crew: Crew, error: BaseException) -> None:
        """Fails all who wait, and hires anew after a pause that grows with deaths in a row."""
        crew.close()
        self._crew = None
        self._deaths += 1
        self._last_error = repr(error)
        self._fail_all(WorkerDied, f"a worker died: {error!r}")
        if self._state is _State.STOPPED:
            return
        failed = ModelError(f"{self._model.model} does not run: {error!r}")
        failed.__cause__ = error
        if self._end_warm_up(failed):
            self._state = _State.STOPPED
            return
        self._state = _State.DOWN
        has_lived = time.monotonic() - self._crew_since_s > _HEALTHY_S
        self._deaths_in_a_row = 1 if has_lived else self._deaths_in_a_row + 1
        pause_s = self._limits.restart_s * 2 ** (self._deaths_in_a_row - 1)
        self._restart = self._loop.call_later(min(pause_s, _LONGEST_RESTART_S), self._hire)

    def _fail_all(self, kind: type[ScorerError], message: str) -> None:
        for job in self._gate.jobs():
            job.fail(kind(message))


def _weight(subject: Subject) -> int:
    """What a subject will weigh in tokens, before anyone has tokenised it."""
    characters = subject.stop - subject.start + len(subject.prompt)
    return estimate_tokens(characters + sum(map(len, subject.context)))


async def _together(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Runs all, and where one fails cancels the others and raises its error."""
    tasks = [asyncio.create_task(each, name="scorers-bulk") for each in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
