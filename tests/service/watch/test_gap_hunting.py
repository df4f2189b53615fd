"""Prompts are read within a budget, once, and gaps are told once, on both engines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import select

from scorers.engine import Engine
from scorers.errors import Overloaded, RunFailed, ScorerError
from service.cli import main
from service.settings import KnowledgeGaps
from service.watch.alerts import Alerts
from service.watch.gap_hunting import AT_A_TIME, DAY_US, GapWatcher
from service.watch.gap_names import named
from service.watch.series import HOUR_US
from service.watch_metrics import WatchMetrics
from storage import retention, tables
from storage.erasing import Erased, Person, erase
from storage.ids import new_id, now_us
from storage.keys import new_key
from storage.records import AlertRecord, InteractionRecord
from storage.repositories.gaps import GapRecord
from storage.repositories.watched import REPLAYED
from storage.store import Store
from storage.writer import Writer
from tests.fakes.local import local_settings, serving_locally
from tests.fakes.tiny_model import SEVEN_HEADS, write_tiny_model
from tests.fakes.upstream import Upstream
from tests.service.watch.conftest import Clock
from tests.storage.building import exchange, score, thumb

HIDDEN = 48
BAD = "The pump needs no insulin."


@dataclass
class WordEncoder:
    """Puts texts that begin with the same word near each other."""

    texts: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    failure: ScorerError | None = None

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        """A direction for the first word, and noise of the whole text; for `any`, noise alone."""
        if self.failure is not None:
            raise self.failure
        self.texts += texts
        self.sizes.append(len(texts))
        return np.stack([self._vector(text) for text in texts]).astype(np.float32)

    @staticmethod
    def _vector(text: str) -> np.ndarray:
        word = text.split(maxsplit=1)[0]
        noise = np.random.default_rng(list(text.encode())).normal(size=HIDDEN)
        about = np.random.default_rng(list(word.encode())).normal(size=HIDDEN)
        return noise if word == "any" else about + 0.5 * noise


@dataclass
class Desk:
    """A record that is filled, and the watcher over it."""

    store: Store
    clock: Clock

    def __post_init__(self) -> None:
        self.clock.now_us = self.clock() // DAY_US * DAY_US + 10 * HOUR_US
        self.start_us = self.clock()
        self.encoder = WordEncoder()
        self.registry = CollectorRegistry()
        self.alerts = Alerts(self.store, hold_s=60, clock_us=self.clock)
        self.watcher = self.made()

    def made(self, encoder: str = "mini@1", **settings: Any) -> GapWatcher:
        """A watcher, as after a start."""
        given = {"prompts_per_hour": 2000, "reference_days": 1, "watched_days": 1}
        return GapWatcher(
            self.store,
            self.alerts,
            KnowledgeGaps(**given | settings),
            WatchMetrics(CollectorRegistry()),
            self.encoder.embed,
            encoder,
            clock_us=self.clock,
        )

    async def keep(self, records: Iterable[InteractionRecord]) -> None:
        """Stores exchanges."""
        writer = Writer(self.store)
        await writer.start()
        for record in records:
            await writer.put(record, is_durable=False)
        await writer.close()

    def hour(
        self, counts: dict[str, int], *, bad: float = 0.05, **changes: Any
    ) -> list[InteractionRecord]:
        """The exchanges of the hour that begins now: so many about each word."""
        rng = np.random.default_rng(self.clock() // HOUR_US)
        found = []
        for word, count in counts.items():
            for number in range(count):
                at = self.clock() + number * 1_000_000
                is_bad = rng.random() < (bad if word == "pump" else 0.05)
                user = rng.choice(PUMP_USERS) if word == "pump" else f"u{rng.integers(400)}"
                fields = {"created_us": at, "id": new_id("fl", at), "user": str(user)}
                scores = (
                    score(scorer="faithfulness", verdict="flag" if is_bad else "allow"),
                    score(scorer="confidence", risk=None, heads={"expressed": 0.9}),
                )
                prompt = f"{word} number {rng.integers(10**9)} of {at}"
                found.append(exchange(BAD, prompt=prompt, scores=scores, **fields | changes))
        return found

    async def pass_hours(
        self, hours: int, counts: dict[str, int], watcher: GapWatcher | None = None, **how: Any
    ) -> None:
        """Hours of traffic, which are looked at when they are over."""
        looking = watcher or self.watcher
        await looking.look()
        records: list[InteractionRecord] = []
        for _ in range(hours):
            records += self.hour(counts, **how)
            self.clock.forward(3600)
        await self.keep(records)
        self.clock.forward(61)
        await looking.look()
        self.clock.forward(-61)

    async def vectors(self) -> list[str]:
        """The exchanges that have a vector."""
        async with self.store.reading() as unit:
            query = select(tables.prompt_vectors.c.interaction_id)
            return list((await unit.connection.execute(query)).scalars())

    async def gaps(self) -> list[GapRecord]:
        """All gaps."""
        async with self.store.reading() as unit:
            return await unit.gaps.newest()

    async def open(self) -> list[AlertRecord]:
        """The open alerts."""
        return await self.alerts.open("knowledge_gap.found")


@pytest.fixture
def desk(store: Store, clock: Clock) -> Desk:
    """An empty record and its watcher."""
    return Desk(store, clock)


ORDINARY = {"any": 16, "cake": 3, "train": 3}
PUMPS = ORDINARY | {"pump": 5}
PUMP_USERS = [f"pump user {number}" for number in range(12)]


async def _with_a_gap(desk: Desk) -> GapRecord:
    await desk.pass_hours(24, ORDINARY)
    await desk.pass_hours(14, PUMPS, bad=0.8)
    (gap,) = await desk.gaps()
    return gap


async def test_a_gap_is_found_and_told_once_and_again_when_it_closes(desk: Desk) -> None:
    """By figures and ids; a start in between changes nothing, and no look raises it again."""
    gap = await _with_a_gap(desk)

    (alert,) = await desk.open()
    assert alert.labels == {"gap": gap.id}
    assert alert.details["worst"] == "unsupported"
    assert "of the rest" in alert.summary
    assert len(alert.details["examples"]) == 3
    assert set(alert.details["examples"]) <= set(gap.members)
    told = alert.summary + json.dumps(alert.details) + json.dumps(gap.figures)
    assert "pump" not in told
    assert "number" not in told

    await desk.pass_hours(3, PUMPS, desk.made(), bad=0.8)
    assert [one.id for one in await desk.gaps()] == [gap.id]
    (still,) = await desk.open()
    assert (still.id, still.repeats > alert.repeats) == (alert.id, True)

    for _ in range(4):
        await desk.pass_hours(18, ORDINARY)
    (closed,) = await desk.gaps()
    assert closed.closed_us is not None
    desk.clock.forward(61)
    await desk.alerts.settle()
    assert await desk.open() == []


async def test_a_gap_is_named_by_the_prompts_that_are_there(
    desk: Desk, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its terms and its typical prompt are read, not kept; of erased prompts there are none."""
    gap = await _with_a_gap(desk)
    config = _config(tmp_path, database_url)

    def shown(*flags: str) -> str:
        assert main(["gaps", "--config", config, *flags]) == 0
        return capsys.readouterr().out

    table, listed = await asyncio.to_thread(lambda: (shown(), json.loads(shown("--json"))))

    assert gap.id in table
    assert "pump" in table
    assert (listed[0]["id"], listed[0]["closed_at"]) == (gap.id, None)
    assert listed[0]["terms"][0] == "pump"
    assert listed[0]["typical_id"] == gap.members[0]
    assert listed[0]["typical_prompt"].startswith("pump number")

    for user in PUMP_USERS:
        await erase(desk.store, Person(user), Erased())
    async with desk.store.reading() as unit:
        (found,) = await named(unit, [gap])
        vectors = (await unit.connection.execute(select(tables.prompt_vectors))).all()
    assert (found.terms, found.typical_id, found.typical_prompt) == ((), None, None)
    assert len(vectors) == sum(ORDINARY.values()) * 38


def _config(folder: Path, database_url: str) -> str:
    path = folder / "fairlead.yaml"
    path.write_text(f"database_url: {database_url}\n")
    return str(path)


async def test_an_empty_list_says_how_to_begin(
    store: Store, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no budget is given nothing is looked for."""
    config = _config(tmp_path, database_url)

    assert await asyncio.to_thread(main, ["gaps", "--config", config]) == 0

    assert "watch.knowledge_gaps.prompts_per_hour" in capsys.readouterr().out


async def test_prompts_are_read_within_the_budget_and_once(desk: Desk) -> None:
    """So many an hour, few at a time, the same ones whoever looks."""
    watcher = desk.made(prompts_per_hour=12)
    await desk.keep(desk.hour({"any": 30}))
    desk.clock.forward(3600 + 61)

    await watcher.look()
    assert desk.encoder.texts == []  # nothing was earned yet
    for _ in range(30):
        desk.clock.forward(60)
        await watcher.look()
    first = await desk.vectors()
    assert len(first) == 6

    again = desk.made(prompts_per_hour=12)
    for _ in range(120):
        desk.clock.forward(60)
        await again.look()

    vectors = await desk.vectors()
    assert len(vectors) == len(set(desk.encoder.texts)) == len(desk.encoder.texts) == 12
    assert set(first) <= set(vectors)


async def test_prompts_go_to_the_encoder_a_few_at_a_time(desk: Desk) -> None:
    """So that scoring never waits long for them."""
    await desk.pass_hours(2, {"any": 40})

    assert max(desk.encoder.sizes) == AT_A_TIME


async def test_a_look_reads_no_longer_than_it_may(desk: Desk) -> None:
    """The next one goes on where it stopped."""
    desk.watcher.patience_s = -1.0
    await desk.pass_hours(1, {"any": 10})
    assert desk.encoder.texts == []

    desk.watcher.patience_s = 20.0
    desk.clock.forward(61)
    await desk.watcher.look()

    assert len(desk.encoder.texts) == 10


async def test_what_nobody_may_read_is_not_read(desk: Desk) -> None:
    """Replays, what was never answered, and texts that are not kept."""
    await desk.watcher.look()
    records = desk.hour({"any": 1}, tags=(REPLAYED,))
    records += desk.hour({"any": 1}, status="prompt_vetoed")
    hashed = {"messages": [{"role": "user", "content": "0af3"}], "text": "hash"}
    records += desk.hour({"any": 1}, request=hashed)
    records += desk.hour({"cake": 1})
    await desk.keep(records)
    desk.clock.forward(3600 + 61)
    await desk.watcher.look()

    assert [text.split()[0] for text in desk.encoder.texts] == ["cake"]


async def test_a_full_engine_is_asked_again_later(desk: Desk) -> None:
    """Nothing is lost, and nothing fails."""
    desk.encoder.failure = Overloaded("full")
    await desk.pass_hours(2, {"any": 10})
    assert await desk.vectors() == []

    desk.encoder.failure = None
    desk.clock.forward(3600)
    await desk.watcher.look()

    assert len(await desk.vectors()) == 20


async def test_a_text_that_cannot_be_embedded_stops_nobody(desk: Desk) -> None:
    """It is left out."""
    await desk.watcher.look()
    await desk.keep(desk.hour({"any": 10}))
    desk.encoder.failure = RunFailed("broken")
    desk.clock.forward(3600 + 61)
    await desk.watcher.look()
    desk.encoder.failure = None
    await desk.pass_hours(1, {"cake": 3})

    assert len(await desk.vectors()) == 3


async def test_erased_and_pruned_exchanges_leave_no_vector(desk: Desk) -> None:
    """Nor does one that is erased while its prompt is embedded."""
    await desk.pass_hours(1, {"any": 5}, user="ann")
    await desk.pass_hours(1, {"any": 5}, user="bob")
    assert len(await desk.vectors()) == 10

    await erase(desk.store, Person("ann"), Erased())
    assert len(await desk.vectors()) == 5

    await retention.prune(desk.store, days=1, at_us=desk.clock() + 40 * DAY_US)
    left = await desk.vectors()
    async with desk.store.reading() as unit:
        there = (await unit.connection.execute(select(tables.interactions.c.id))).scalars().all()
    assert set(left) <= set(there)

    async with desk.store.reading() as unit:
        gone = await unit.gaps.prompts(["fl_gone"])
    assert gone == []


async def test_vectors_are_kept_for_as_long_as_they_are_compared(desk: Desk) -> None:
    """And those of another encoder are worth nothing."""
    await desk.pass_hours(2, {"any": 5})
    assert len(await desk.vectors()) == 10

    await desk.pass_hours(1, {"any": 5}, desk.made("mini@2"))
    await desk.pass_hours(1, {"any": 5}, desk.watcher)
    assert len(await desk.vectors()) <= 10

    desk.clock.forward(4 * 24 * 3600)
    watcher = desk.made()
    await watcher.look()
    await desk.pass_hours(2, {"cake": 3}, watcher)
    assert len(await desk.vectors()) <= 6


async def test_thumbs_and_corrections_are_signs_too(desk: Desk) -> None:
    """Of most of those who said; a thumb that was turned over counts as it stands."""
    await desk.watcher.look()
    records = desk.hour({"any": 3})
    await desk.keep(records)
    desk.clock.forward(3600 + 61)
    await desk.watcher.look()
    async with desk.store.writing() as unit:
        for said in (
            thumb(records[0], "up", created_us=1),
            thumb(records[0], "down", created_us=2),
            thumb(records[0], "down", rater="bob"),
            thumb(records[0], "up", rater="cleo"),
            thumb(records[1], "up"),
            thumb(records[1], "down", rater="bob"),
            thumb(records[2], None, correction="That way, by the river."),
        ):
            await unit.feedback.add(said)

    async with desk.store.reading() as unit:
        placed = await unit.gaps.placed(
            encoder="mini@1", since_us=0, until_us=desk.clock(), most=10
        )

    by_id = {one.id: one for one in placed}
    said = [(by_id[one.id].is_down, by_id[one.id].is_corrected) for one in records]
    assert said == [(True, False), (None, False), (None, True)]
    assert {one.expressed for one in placed} == {0.9}


def recorded_gap(members: Sequence[str], **changes: Any) -> GapRecord:
    """A gap as it lies in the store."""
    sign = {"sign": "corrected", "known": 6, "share": 1.0, "rest": 0.1, "low": 0.5, "high": 1.0}
    figures = {
        "prompts": 6, "people": 6, "share": 0.1, "share_before": 0.0, "since": "2026-11-02T00:00Z",
        "signs": [sign | {"is_found": True}], "worst": "corrected", "examples": list(members[:3]),
    }  # fmt: skip
    fields = {"id": new_id("gap"), "created_us": 1, "seen_us": 2, "figures": figures}
    return GapRecord(**fields | {"members": list(members)} | changes)


async def test_admins_see_gaps_over_the_wire(tmp_path: Path) -> None:
    """Open ones unless all are asked for; other keys see none, since they hold everybody's."""
    settings = local_settings(tmp_path, access={"required": True})
    async with serving_locally(settings) as local:
        keys = [new_key(name, [name]) for name in ("feedback", "admin")]
        asked = [exchange(prompt=f"My insulin pump beeps {number}") for number in range(6)]
        await local.keep(*asked)
        gaps = [recorded_gap([one.id for one in asked]), recorded_gap([], closed_us=3)]
        async with local.state.store.writing() as unit:
            for _, record in keys:
                await unit.keys.add(record)
            for gap in gaps:
                await unit.gaps.add(gap)
        (refused, _), (seen, whole) = [
            [
                await local.client.get(path, headers={"x-fairlead-key": key})
                for path in ("/v1/gaps", "/v1/gaps?open=false")
            ]
            for key, _ in keys
        ]
        unknown = await local.client.get(
            "/v1/gaps?closed=true", headers={"x-fairlead-key": keys[1][0]}
        )

    assert refused.status_code == 403
    assert unknown.status_code == 400
    (found,) = seen.json()["items"]
    assert found["id"] == gaps[0].id
    assert found["terms"][:2] == ["beeps", "insulin"]
    assert found["typical_prompt"] == "My insulin pump beeps 0"
    assert found["signs"][0]["is_found"] is True
    assert {one["id"] for one in whole.json()["items"]} == {gap.id for gap in gaps}


async def test_a_gap_is_a_topic_of_instructlab(
    store: Store, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its corrections, whatever their tags, under its terms; nothing of others."""
    asked = [exchange("No idea.", prompt=f"My insulin pump beeps {at}") for at in range(6)]
    other = exchange("No idea.", prompt="When is high tide?")
    gap = recorded_gap([one.id for one in asked])
    async with store.writing() as unit:
        for one in (*asked, other):
            await unit.interactions.add(one)
            await unit.feedback.add(thumb(one, "down", correction="Look into its manual."))
        await unit.gaps.add(gap)
    target = tmp_path / "qna.yaml"

    def run(kind: str, ident: str) -> int:
        options = ["--config", _config(tmp_path, database_url), "--gap", ident]
        return main(["export", kind, "-o", str(target.with_suffix(f".{kind}.yaml")), *options])

    written = await asyncio.to_thread(run, "instructlab", gap.id)
    refused = [
        await asyncio.to_thread(run, *words)
        for words in (("instructlab", "gap_none"), ("dpo", gap.id))
    ]

    assert written == 0
    text = target.with_suffix(".instructlab.yaml").read_text()
    assert text.count("question:") == 6
    assert "tide" not in text
    assert "insulin" in text
    assert refused == [2, 2]
    told = capsys.readouterr().err
    assert "fairlead gaps --all" in told
    assert "goes with instructlab only" in told


async def test_a_service_with_a_budget_reads_what_it_served(
    tmp_path: Path, upstream: Upstream, clock: Clock
) -> None:
    """From the wire to the vectors, with what the scorers said; without a budget nobody looks."""
    budget = {"knowledge_gaps": {"prompts_per_hour": 100}}
    settings = local_settings(
        tmp_path,
        upstreams=[{"url": upstream.url}],
        policies={"default": {"deadline_ms": 60_000, "on_scorer_failure": "open"}},
        scoring={"model": str(write_tiny_model(tmp_path / "seven", heads=SEVEN_HEADS))},
        watch=budget,
    )
    async with serving_locally(settings) as local:
        clock.now_us = now_us()
        assert isinstance(local.state.engine, Engine)
        watcher = GapWatcher(
            local.state.store,
            local.state.watching.alerts,
            settings.watch.knowledge_gaps,
            local.state.metrics.watch,
            local.state.engine.embed,
            local.state.engine.health().model,
            clock_us=clock,
        )
        await watcher.look()
        for number in range(3):
            messages = [{"role": "user", "content": f"Is it {number} o'clock?"}]
            await local.client.post(
                "/v1/chat/completions", json={"model": "m", "messages": messages}
            )
        clock.forward(2 * 3600)
        await watcher.look()
        async with local.state.store.reading() as unit:
            placed = await unit.gaps.placed(
                encoder=watcher.encoder, since_us=0, until_us=clock(), most=10
            )
        figures = (await local.client.get("/metrics")).text

    assert len(placed) == 3
    assert all(one.expressed is not None for one in placed)
    assert "fairlead_knowledge_gap_prompts_total 3.0" in figures
    assert "fairlead_knowledge_gaps 0.0" in figures
    assert 'fairlead_watch_failures_total{watcher="knowledge_gaps"} 0.0' in figures

    async with serving_locally(local_settings(tmp_path)) as local:
        assert "knowledge_gaps" not in (await local.client.get("/metrics")).text.replace(
            "fairlead_knowledge_gaps", ""
        )
