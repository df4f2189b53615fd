"""The engine: every promise it makes to its callers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scorers import catalog
from scorers.engine import BatchLimits, Engine, EngineLimits, NoObserver, cpu_budget_tokens
from scorers.errors import (
    DeadlineExceeded,
    EngineStopped,
    ModelError,
    Overloaded,
    RunFailed,
    ScorerError,
    ScorerFailed,
    WorkerDied,
)
from scorers.serving import Encoding
from scorers.types import Row, Side, Subject
from tests.fakes.scorer import (
    BrokenScorer,
    FakeModel,
    Notes,
    ScriptedSession,
    SumScorer,
    expected_risk,
)
from tests.fakes.tiny_model import write_tiny_model
from tests.patience import PATIENCE_S, until

QUICK = EngineLimits(drain_s=5.0, restart_s=0.01)


def prompt(text: str) -> Subject:
    """A prompt to judge."""
    return Subject(Side.PROMPT, text)


class Bench:
    """An engine over doubles."""

    def __init__(
        self, limits: EngineLimits = QUICK, scorers: Sequence[SumScorer] = (SumScorer(),)
    ) -> None:
        self.session = ScriptedSession()
        self.notes = Notes()
        self.model = FakeModel(session=self.session, scorers=scorers)
        self.engine = Engine(self.model, limits, observer=self.notes)

    async def __aenter__(self) -> Self:
        """Starts the engine; its warm-up runs are forgotten."""
        await self.engine.start()
        self.session.batches.clear()
        while self.session.entered.acquire(blocking=False):
            pass
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stops the engine."""
        self.session.gate.set()
        await self.engine.stop()

    async def busy(self) -> asyncio.Task[object]:
        """Closes the gate with one row in the run, so that all later rows wait."""
        self.session.gate.clear()
        task: asyncio.Task[object] = asyncio.create_task(self.engine.score(prompt("busy")))
        await until(lambda: self.session.entered.acquire(blocking=False))
        return task

    async def inside(self, *texts: str) -> list[asyncio.Task[object]]:
        """Callers of one row each, whose rows have been tokenised and wait for the session."""
        expected = self.model.tokenizer.rows_encoded + len(texts)
        tasks: list[asyncio.Task[object]] = [
            asyncio.create_task(self.engine.score(prompt(text))) for text in texts
        ]
        await until(lambda: self.model.tokenizer.rows_encoded == expected)
        await asyncio.sleep(0.01)  # from the tokenizer to the queue is a step of the same thread
        return tasks


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """A running engine with one scorer and quick restarts."""
    async with Bench() as running:
        yield running


async def test_scores_come_back(bench: Bench) -> None:
    """A subject gets one score for each scorer."""
    scores = await bench.engine.score(prompt("two words\nand more"))

    assert list(scores) == ["sum"]
    assert scores["sum"].risk == pytest.approx(expected_risk("two words\nand more"))
    assert bench.notes.ran == ["sum"]


async def test_equal_rows_of_a_subject_run_once() -> None:
    """Two scorers that ask for the same rows cost one pass."""
    async with Bench(scorers=(SumScorer("first"), SumScorer("second"))) as bench:
        scores = await bench.engine.score(prompt("same\nsame\nother"))

        assert sum(map(len, bench.session.batches)) == 2
        assert scores["first"].risk == scores["second"].risk


async def test_named_scorers_only() -> None:
    """Where scorers are named, only they run; none named is no work at all."""
    async with Bench(scorers=(SumScorer("first"), SumScorer("second"))) as bench:
        assert list(await bench.engine.score(prompt("a"), scorers=["second"])) == ["second"]
        assert await bench.engine.score(prompt("a"), scorers=()) == {}


async def test_unknown_scorer(bench: Bench) -> None:
    """A scorer that the model does not serve is an error that names those it does."""
    with pytest.raises(ModelError, match=r"no scorer 'tone'; it has sum"):
        await bench.engine.score(prompt("a"), scorers=["tone"])


async def test_scorer_that_does_not_apply() -> None:
    """A scorer of the other side, or without rows, says `not_applicable` and has no risk."""
    reply_only = SumScorer("reply", sides=frozenset({Side.REPLY}))
    async with Bench(scorers=(reply_only, SumScorer())) as bench:
        one_side = await bench.engine.score(prompt("a"))
        blank = await bench.engine.score(prompt("  "))

    assert (one_side["reply"].risk, one_side["reply"].reason) == (None, "not_applicable")
    assert one_side["sum"].is_applicable
    assert [score.risk for score in blank.values()] == [None, None]


async def test_waiting_rows_share_a_batch(bench: Bench) -> None:
    """Whatever waits while the session is busy runs together when it is free."""
    busy = await bench.busy()
    tasks = await bench.inside("a b", "c d", "e f")
    bench.session.gate.set()

    await asyncio.gather(busy, *tasks)

    assert [len(batch) for batch in bench.session.batches] == [1, 3]
    assert bench.notes.batches == [(1, 3), (3, 12)]


async def test_batches_keep_to_the_budget() -> None:
    """No batch of several rows costs more padded tokens than the budget."""
    limits = EngineLimits(batch=BatchLimits(budget_tokens=30, max_rows=100))
    async with Bench(limits) as bench:
        await asyncio.gather(*(bench.engine.score(prompt("w " * (at % 7 + 1))) for at in range(60)))

        assert all(rows == 1 or padded <= 30 for rows, padded in bench.notes.batches)
        assert sum(rows for rows, _ in bench.notes.batches) == 60


async def test_refused_at_the_door() -> None:
    """Past the limit of waiting tokens a caller is refused at once, and the others are served."""
    async with Bench(EngineLimits(queue_tokens=40)) as bench:
        busy = await bench.busy()
        [second] = await bench.inside("b")

        with pytest.raises(Overloaded, match="limit is 40"):
            await bench.engine.score(prompt("word " * 30))

        bench.session.gate.set()
        await asyncio.gather(busy, second)
        assert bench.notes.failures == [("sum", "overloaded")]
        assert bench.notes.queue[-1] == 0


async def test_an_idle_engine_takes_any_size() -> None:
    """A subject heavier than the whole queue is served when nothing else waits."""
    async with Bench(EngineLimits(queue_tokens=10)) as bench:
        assert (await bench.engine.score(prompt("word " * 40)))["sum"].is_applicable


async def test_weight_becomes_exact(bench: Bench) -> None:
    """Once the rows are tokenised the queue holds their real weight, and nothing afterwards."""
    busy = await bench.busy()
    tasks = await bench.inside("one two three")

    assert bench.engine.health().queue_tokens == 3 + 5

    bench.session.gate.set()
    await asyncio.gather(busy, *tasks)
    assert bench.engine.health().queue_tokens == 0


async def test_cancelled_callers_are_not_run(bench: Bench) -> None:
    """Rows of a caller who has gone are dropped before the batch is built."""
    busy = await bench.busy()
    gone, stays = await bench.inside("gone gone", "stays stays")
    gone.cancel()
    await asyncio.sleep(0)
    bench.session.gate.set()

    await asyncio.gather(busy, stays)

    assert [len(batch) for batch in bench.session.batches] == [1, 1]
    assert gone.cancelled()


async def test_deadline_before_the_run(bench: Bench) -> None:
    """A caller whose deadline passes in the queue is told so, and its rows never run."""
    busy = await bench.busy()

    with pytest.raises(DeadlineExceeded):
        await bench.engine.score(prompt("late"), deadline=time.monotonic() + 0.02)

    bench.session.gate.set()
    await busy
    await bench.engine.score(prompt("next"))
    assert [len(batch) for batch in bench.session.batches] == [1, 1]
    assert bench.notes.failures == [("sum", "deadline")]
    assert bench.notes.late_results == 0


async def test_deadline_during_the_run(bench: Bench) -> None:
    """A caller is answered at its deadline while the run goes on; the late result is counted."""
    bench.session.gate.clear()

    for patience_s in (0.2, 1.0, 5.0, 25.0):
        with pytest.raises(DeadlineExceeded):
            await bench.engine.score(prompt("slow"), deadline=time.monotonic() + patience_s)
        if bench.session.batches:  # else a busy machine had not begun by then
            break

    assert len(bench.session.batches) == 1
    bench.session.gate.set()
    await until(lambda: bench.notes.late_results == 1)


async def test_deadline_already_past(bench: Bench) -> None:
    """A deadline that has passed is refused without any work."""
    with pytest.raises(DeadlineExceeded, match="before scoring began"):
        await bench.engine.score(prompt("a"), deadline=time.monotonic() - 1)

    assert bench.notes.queue == []


async def test_failing_batch_fails_its_own_waiters_only(bench: Bench) -> None:
    """When the session raises, all waiters of that batch get the error and later ones scores."""

    def fail(_: Sequence[Encoding]) -> None:
        bench.session.before = lambda _: None
        raise RuntimeError("no memory")

    busy = await bench.busy()
    bench.session.before = fail
    bench.session.gate.set()

    with pytest.raises(RunFailed, match="no memory") as caught:
        await busy

    assert isinstance(caught.value.__cause__, RuntimeError)
    assert (await bench.engine.score(prompt("next")))["sum"].is_applicable
    assert bench.engine.health().is_ready


async def test_subject_over_several_batches() -> None:
    """A subject whose rows ran in different batches is answered once, when all are there."""
    limits = EngineLimits(batch=BatchLimits(budget_tokens=8, max_rows=2))
    async with Bench(limits) as bench:
        text = "a\nb c\nd e f g\nh i j k l m"

        scores = await bench.engine.score(prompt(text))

        assert len(bench.session.batches) > 1
        assert scores["sum"].risk == pytest.approx(expected_risk(text))


@pytest.mark.parametrize("stage", ["rows", "score"])
async def test_scorer_that_raises(stage: str) -> None:
    """A scorer's fault reaches the one caller whose text it was, under the scorer's name."""
    async with Bench(scorers=(SumScorer(), BrokenScorer("broken"))) as bench:
        busy = await bench.busy()
        bad = asyncio.create_task(bench.engine.score(prompt(f"fail in {stage}")))
        good = asyncio.create_task(bench.engine.score(prompt("all is well")))
        await asyncio.sleep(0)
        bench.session.gate.set()

        with pytest.raises(ScorerFailed, match="broken failed"):
            await bad

        await asyncio.gather(busy, good)
        assert bench.notes.failures == [("broken", "scorer_bug")]


async def test_tokenizer_that_raises(bench: Bench) -> None:
    """A fault in the tokenizer reaches the waiters; the engine goes on."""

    class Torn(type(bench.model.tokenizer)):  # type: ignore[misc]
        def encode(self, rows: Sequence[Row]) -> list[Encoding]:
            raise ValueError("torn")

    sound, bench.model.tokenizer = bench.model.tokenizer, Torn()

    with pytest.raises(RunFailed, match="torn"):
        await bench.engine.score(prompt("a"))

    bench.model.tokenizer = sound
    assert (await bench.engine.score(prompt("a")))["sum"].is_applicable


async def test_dead_worker_is_noticed_and_replaced(bench: Bench) -> None:
    """When a thread dies, all waiters are failed, health says so, and a new crew serves."""

    def die(_: Sequence[Encoding]) -> None:
        bench.session.before = lambda _: None
        raise SystemExit("the thread is gone")

    busy = await bench.busy()
    [waits] = await bench.inside("waits")
    bench.session.before = die
    bench.session.gate.set()

    for task in (busy, waits):
        with pytest.raises(WorkerDied, match="the thread is gone"):
            await task

    await until(lambda: bench.engine.health().is_ready)
    assert bench.engine.health().deaths == 1
    assert (await bench.engine.score(prompt("again")))["sum"].is_applicable


async def test_dead_engine_refuses_at_once() -> None:
    """Until a dead crew is replaced, callers are refused and health gives the reason."""
    async with Bench(EngineLimits(restart_s=20)) as bench:
        bench.session.before = _die

        with pytest.raises(WorkerDied):
            await bench.engine.score(prompt("a"))
        with pytest.raises(WorkerDied, match="being restarted"):
            await bench.engine.score(prompt("b"))

        health = bench.engine.health()
        assert not health.is_ready
        assert "SystemExit" in health.reason


async def test_restarts_slow_down(bench: Bench) -> None:
    """A crew that dies again and again is replaced ever more slowly, and counted."""
    bench.session.before = _die

    with pytest.raises(WorkerDied):
        await bench.engine.score(prompt("a"))
    await until(lambda: bench.engine.health().deaths >= 4)
    bench.session.before = lambda _: None
    await until(lambda: bench.engine.health().is_ready)

    assert (await bench.engine.score(prompt("a")))["sum"].is_applicable


async def test_model_that_does_not_run() -> None:
    """A model that fails its warm-up is an error at start, and no thread stays behind."""
    before = threading.active_count()
    bench = Bench()
    bench.session.before = _die

    with pytest.raises(ModelError, match=r"fake@1 does not run"):
        await bench.engine.start()

    assert not bench.engine.health().is_ready
    await until(lambda: threading.active_count() <= before)


def _die(_: Sequence[Encoding]) -> None:
    raise SystemExit("dead on arrival")


async def test_not_started() -> None:
    """An engine that was not started refuses and is not ready."""
    bench = Bench()

    with pytest.raises(EngineStopped, match="not started"):
        await bench.engine.score(prompt("a"))

    assert bench.engine.health().reason == "not started"


async def test_stop_before_start() -> None:
    """Stopping an engine that was never started does nothing but keep it stopped."""
    bench = Bench()

    await bench.engine.stop()

    assert bench.engine.health().reason == "stopped"


async def test_stop_during_warm_up() -> None:
    """Stopping while the model warms up ends the start with an error instead of a hang."""
    bench = Bench()
    bench.session.gate.clear()
    starting = asyncio.create_task(bench.engine.start())
    await until(lambda: bench.session.entered.acquire(blocking=False))
    stopping = asyncio.create_task(bench.engine.stop())

    with pytest.raises(EngineStopped, match="while it warmed up"):
        await starting

    bench.session.gate.set()
    await stopping
    assert bench.engine.health().reason == "stopped"


def test_loop_that_closes_first() -> None:
    """Threads that outlive their event loop end quietly."""

    async def leave() -> Bench:
        bench = await Bench().__aenter__()
        await bench.busy()
        return bench

    bench = asyncio.run(leave())
    crew = bench.engine._crew
    assert crew is not None
    bench.session.before = _die
    bench.session.gate.set()
    crew.close()

    assert crew.join(20)


async def test_stop_drains() -> None:
    """Stopping answers those inside with scores and refuses those who come later."""
    async with Bench() as bench:
        busy = await bench.busy()
        stopping = asyncio.create_task(bench.engine.stop())
        await asyncio.sleep(0)

        with pytest.raises(EngineStopped, match="stopped"):
            await bench.engine.score(prompt("late"))

        bench.session.gate.set()
        await asyncio.gather(busy, stopping)
        assert bench.engine.health().reason == "stopped"


async def test_stop_has_a_limit() -> None:
    """Whoever is still inside after the drain's limit is failed, not kept waiting."""
    async with Bench(EngineLimits(drain_s=0.05)) as bench:
        busy = await bench.busy()

        await bench.engine.stop()

        with pytest.raises(EngineStopped):
            await busy


async def test_death_while_stopping() -> None:
    """A worker that dies while the engine drains is not replaced, and its waiters are failed."""
    async with Bench() as bench:
        busy = await bench.busy()
        bench.session.before = _die
        stopping = asyncio.create_task(bench.engine.stop())
        await asyncio.sleep(0)
        bench.session.gate.set()

        with pytest.raises(WorkerDied):
            await busy
        await stopping
        assert not bench.engine.health().is_ready


async def test_stop_while_down() -> None:
    """Stopping a dead engine ends its restarts."""
    bench = Bench(EngineLimits(restart_s=0.05))
    async with bench:
        bench.session.before = _die
        with pytest.raises(WorkerDied):
            await bench.engine.score(prompt("a"))

    assert bench.engine.health().reason == "stopped"


async def test_stalled_run_is_unready() -> None:
    """A run that takes longer than the limit makes the engine unready until it ends."""
    async with Bench(EngineLimits(stall_s=0.01)) as bench:
        busy = await bench.busy()
        await until(lambda: not bench.engine.health().is_ready)

        assert "one run has taken" in bench.engine.health().reason

        bench.session.gate.set()
        await busy
        assert bench.engine.health().is_ready


async def test_bulk_keeps_order_and_waits_for_room() -> None:
    """Bulk scoring of more than the queue holds is served in order and never refused."""
    async with Bench(EngineLimits(queue_tokens=100, bulk_subjects=16)) as bench:
        texts = ["w" * (at % 9 + 1) for at in range(200)]

        scores = await bench.engine.score_many(map(prompt, texts))

        assert [score["sum"].risk for score in scores] == pytest.approx(
            [expected_risk(text) for text in texts]
        )
        assert max(bench.notes.queue) <= 100


async def test_bulk_leaves_room_for_others() -> None:
    """While others fill half of the queue, bulk work waits at the door instead of failing."""
    async with Bench(EngineLimits(queue_tokens=60)) as bench:
        busy = await bench.busy()
        others = await bench.inside("o " * 30)
        bulk = asyncio.create_task(bench.engine.score_many([prompt("b")]))
        await asyncio.sleep(0.01)

        assert bench.engine.health().queue_tokens == 3 + 32

        bench.session.gate.set()
        await asyncio.gather(busy, *others)
        assert len(await bulk) == 1


async def test_bulk_ends_with_its_first_error() -> None:
    """An error in bulk scoring reaches the caller and leaves nobody inside."""
    async with Bench(scorers=(BrokenScorer("broken"),)) as bench:
        with pytest.raises(ScorerFailed):
            await bench.engine.score_many(prompt(text) for text in ["a", "fail in rows", "b"] * 9)

        assert bench.engine.health().queue_tokens == 0


async def test_each_subject_may_fail_for_itself() -> None:
    """An error stands in its subject's place, and the others have their scores."""
    async with Bench(scorers=(BrokenScorer("broken"),)) as bench:
        found = await bench.engine.score_each(map(prompt, ["a", "fail in rows", "b"] * 9))

        assert [isinstance(one, ScorerFailed) for one in found] == [False, True, False] * 9
        assert bench.engine.health().queue_tokens == 0


async def test_bulk_waits_for_room_until_its_deadline() -> None:
    """Bulk work for which there is no room in time fails with its deadline, and hangs nobody."""
    async with Bench(EngineLimits(queue_tokens=60)) as bench:
        busy = await bench.busy()
        others = await bench.inside("o " * 30)

        [found] = await bench.engine.score_each([prompt("b")], deadline=time.monotonic() + 0.02)

        assert isinstance(found, DeadlineExceeded)
        bench.session.gate.set()
        await asyncio.gather(busy, *others)


async def test_embeddings(bench: Bench) -> None:
    """Embeddings come back one for each text, in order, equal texts alike."""
    embeddings = await bench.engine.embed(["one", "three", "one"])

    assert embeddings.shape == (3, 3)
    assert (embeddings[0] == embeddings[2]).all()
    assert (embeddings[0] != embeddings[1]).any()


async def test_no_observer_is_needed() -> None:
    """The engine runs unobserved, through success, failure and lateness."""
    session = ScriptedSession()
    engine = Engine(FakeModel(session=session))
    await engine.start()
    NoObserver().late()

    assert (await engine.score(prompt("a")))["sum"].is_applicable
    with pytest.raises(DeadlineExceeded):
        await engine.score(prompt("a"), deadline=time.monotonic() - 1)
    await engine.stop()


def test_limits_by_provider() -> None:
    """An accelerator gets larger batches and a longer queue than the CPU."""
    cpu, gpu = EngineLimits.for_provider("cpu"), EngineLimits.for_provider("cuda")

    assert cpu_budget_tokens(1) == 512
    assert cpu_budget_tokens(64) == 4096
    assert cpu.batch.budget_tokens < gpu.batch.budget_tokens
    assert cpu.queue_tokens < gpu.queue_tokens


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["score", "cancel", "deadline", "raise", "die", "rows"]),
        st.integers(1, 6),
    ),
    min_size=1,
    max_size=25,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS)
def test_every_waiter_is_answered(steps: list[tuple[str, int]]) -> None:
    """Whatever happens in whatever order, each caller gets its scores or an error, once."""

    async def play() -> None:
        limits = EngineLimits(
            restart_s=0.001, batch=BatchLimits(budget_tokens=24, max_rows=4), queue_tokens=200
        )
        async with Bench(limits, scorers=(BrokenScorer("sum"),)) as bench:
            async with asyncio.timeout(PATIENCE_S):
                answers = await asyncio.gather(
                    *[asyncio.create_task(_step(bench, *step)) for step in steps],
                    return_exceptions=True,
                )
                await until(lambda: bench.engine.health().is_ready)
            assert bench.engine.health().queue_tokens == 0
        known = (dict, ScorerError, asyncio.CancelledError)
        assert all(isinstance(answer, known) for answer in answers), answers

    asyncio.run(play())


async def _step(bench: Bench, kind: str, size: int) -> object:
    await asyncio.sleep(size / 2000)
    text = "\n".join("w " * (line + 1) for line in range(size))
    if kind in ("raise", "die"):
        bench.session.before = _once(bench.session, SystemExit if kind == "die" else ValueError)
    if kind == "rows":
        text += "\nfail in rows"
    deadline = time.monotonic() + size / 3000 if kind == "deadline" else None
    task = asyncio.create_task(bench.engine.score(prompt(text), deadline=deadline))
    if kind == "cancel":
        await asyncio.sleep(size / 5000)
        task.cancel()
    scores = await task
    assert scores["sum"].risk == pytest.approx(expected_risk(text))
    return scores


def _once(session: ScriptedSession, error: type[BaseException]) -> Callable[[object], None]:
    def fail(_: object) -> None:
        session.before = lambda _: None
        raise error("once")

    return fail


TEXTS = [
    "bad",
    "The good and the bad. Made up, all of it, from the fine start to the awful end.",
    "Fine.",
    "ignore the good " * 12,
]


@pytest.fixture(params=["tiny", "shipped"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> catalog.LoadedModel:
    """A real session: the tiny model, and the one that ships."""
    if request.param == "tiny":
        return catalog.load(write_tiny_model(tmp_path / "tiny"), provider="cpu")
    return catalog.load(provider="cpu")


async def test_scores_do_not_depend_on_company(model: catalog.LoadedModel) -> None:
    """A text has the same risk within 1e-3 alone and in any batch."""
    engine = Engine(model)
    await engine.start()
    company = [
        Subject(Side.REPLY, text, prompt="Is it good?", context=("It is fine. Nothing is bad.",))
        for text in TEXTS
    ]

    alone = [await engine.score(subject) for subject in company]
    together = await engine.score_many(company * 8)
    await engine.stop()

    for at, scores in enumerate(together):
        for name, score in scores.items():
            expected = alone[at % len(company)][name]
            assert list(score.heads.values()) == pytest.approx(
                list(expected.heads.values()), abs=1e-3
            )


async def test_embeddings_of_a_real_model(model: catalog.LoadedModel) -> None:
    """A real session's embeddings are the same alone and in company."""
    engine = Engine(model)
    await engine.start()

    alone = await engine.embed(TEXTS[:1])
    company = await engine.embed(TEXTS)
    await engine.stop()

    assert np.allclose(alone[0], company[0], atol=1e-3)


async def test_rows_that_lost_their_end_are_counted() -> None:
    """A score says how many of its rows were too long for the model."""
    long = "word " * 70
    async with Bench() as bench:
        scores = await bench.engine.score(prompt(f"{long}\nshort\n{long} more"))
        whole = await bench.engine.score(prompt("short"))

    assert (scores["sum"].cut_rows, whole["sum"].cut_rows) == (2, 0)
