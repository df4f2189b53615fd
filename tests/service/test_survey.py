"""Drift is found in the record, shown as figures, and told once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from service.cli import main
from service.settings import DriftSettings, Settings
from service.watch.alerts import Alerts
from service.watch.drifting import DriftWatcher
from service.watch.series import HOUR_US
from service.watch.survey import DAY_US, Drift, Survey, Windows
from service.watch_metrics import WatchMetrics
from storage import migrate
from storage.ids import new_id
from storage.records import FeedbackRecord, InteractionRecord, ScoreRecord
from storage.repositories.watched import REPLAYED
from storage.rows import InsertSql, encode
from storage.store import Store
from tests.fakes.local import exchange

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
MONDAY_US = round(MONDAY.timestamp() * 1e6)
REFERENCE_HOURS = 48
PER_HOUR = 10


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A migrated store."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'fairlead.db'}"
    await migrate.upgrade(url)
    opened = await Store.open(url)
    yield opened
    await opened.close()


def pinned(**values: Any) -> DriftSettings:
    """Two days of reference."""
    until = MONDAY + timedelta(hours=REFERENCE_HOURS)
    return DriftSettings(reference_since=MONDAY, reference_until=until, **values)


def recorded(hour: int, number: int, *, risk: float, reply: str = "Yes.") -> InteractionRecord:
    """An exchange of an hour since Monday."""
    at = MONDAY_US + hour * HOUR_US + number * 60_000_000
    one = ScoreRecord(
        side="reply", scorer="toxicity", model="m-1", status="scored", choice_index=0, risk=risk
    )
    message = {"role": "assistant", "content": reply}
    return exchange(
        new_id("fl", at),
        created_us=at,
        scores=(one,),
        timings={"upstream_ms": 100.0 + number},
        choices=[{"index": 0, "message": message, "delivered": reply, "verdict": "allow"}],
    )


async def keep(store: Store, hours: range, risk: float, reply: str = "Yes.") -> list[str]:
    """Ten exchanges an hour; their ids."""
    rng = np.random.default_rng(hours.start)
    made = [
        recorded(hour, number, risk=min(1.0, risk + rng.random() / 10), reply=reply)
        for hour in hours
        for number in range(PER_HOUR)
    ]
    rows = [encode(record) for record in made]
    async with store.writing() as unit:
        sql = InsertSql.of(unit.connection.dialect)
        await unit.connection.exec_driver_sql(sql.interactions, [row.interaction for row in rows])
        await unit.connection.exec_driver_sql(
            sql.scores, [one for row in rows for one in row.scores]
        )
    return [record.id for record in made]


def named(found: Sequence[Drift]) -> dict[str, Drift]:
    """The findings by signal."""
    return {one.finding.signal: one for one in found}


def after(hours: int) -> int:
    """A moment so many hours after Monday, and a little."""
    return MONDAY_US + hours * HOUR_US + 120_000_000


async def test_a_change_in_the_record_is_found(store: Store) -> None:
    """Risks rose and replies became refusals; the rest is as it was."""
    await keep(store, range(60), 0.1)
    bad = await keep(store, range(60, 84), 0.5, "I'm sorry, but I cannot help with that.")

    found = named(await Survey(store, pinned()).look(after(84)))

    drifted = {name for name, one in found.items() if one.finding.state == "drifted"}
    assert drifted == {"risk.reply.toxicity", "reply.refusal", "reply.chars"}
    risk = found["risk.reply.toxicity"]
    assert risk.labels["model"] == "fake-model"
    assert risk.finding.since_us == MONDAY_US + 60 * HOUR_US
    assert set(risk.finding.examples) <= set(bad)
    assert found["verdict.veto"].finding.state == "steady"
    assert found["upstream.ms"].finding.state == "steady"


async def test_replays_are_no_traffic(store: Store) -> None:
    """What is sent to a candidate for a comparison is not watched."""
    await keep(store, range(60), 0.1)
    for number in range(30):
        record = replace(recorded(62, number, risk=0.9), tags=("try", REPLAYED))
        async with store.writing() as unit:
            await unit.interactions.add(record)

    found = await Survey(store, pinned()).look(after(64))

    assert {one.finding.count for one in found} == {12 * PER_HOUR}


async def test_thumbs_count_when_they_are_given(store: Store) -> None:
    """A rating of an old exchange is news of the hour in which it came."""
    idents = await keep(store, range(80), 0.1)
    async with store.writing() as unit:
        for number, ident in enumerate(idents[: REFERENCE_HOURS * PER_HOUR]):
            for hours, rating in ((0, "up"), (50, "down")):
                at = MONDAY_US + number * (HOUR_US // PER_HOUR) + hours * HOUR_US
                if at >= after(80):
                    continue
                await unit.feedback.add(
                    FeedbackRecord(
                        id=new_id("fb", at),
                        created_us=at,
                        interaction_id=ident,
                        rating=rating,
                        rater=f"r{number}",
                    )
                )

    found = named(await Survey(store, pinned()).look(after(80)))["thumbs.down"].finding

    assert found.state == "drifted"
    assert found.effect is not None
    assert (found.effect.before, found.effect.now) == (0.0, 1.0)


@pytest.mark.parametrize("side", ["prompt", "reply"])
async def test_new_topics_are_found_by_their_embeddings(store: Store, side: str) -> None:
    """Groups that were not in the reference, and the distance from all that were."""
    await keep(store, range(96), 0.1)
    rng = np.random.default_rng(1)
    asked = 0

    async def embed(texts: Sequence[str]) -> Any:
        nonlocal asked
        assert set(texts) == {"Hello?" if side == "prompt" else "Yes."}
        vectors = rng.normal(0, 0.1, (len(texts), 8)).astype(np.float32)
        vectors[:, 0] += 1
        if asked >= 72 * PER_HOUR:
            vectors[::2, 1] += 3
        asked += len(texts)
        return vectors

    wanted = {"replies_per_hour" if side == "prompt" else "prompts_per_hour": 0}
    found = named(await Survey(store, pinned(**wanted), embed).look(after(96)))

    assert found[f"{side}.novelty"].finding.state == "drifted"
    assert found[f"{side}.topic"].finding.state == "drifted"
    other = "reply" if side == "prompt" else "prompt"
    assert not {f"{other}.novelty", f"{other}.topic"} & found.keys()


async def test_few_texts_of_an_hour_are_embedded(store: Store) -> None:
    """Of each side as many as the settings say, whatever their model."""
    await keep(store, range(3), 0.1)
    seen: list[str] = []

    async def embed(texts: Sequence[str]) -> Any:
        seen.extend(texts)
        return np.ones((len(texts), 4), np.float32)

    await Survey(store, pinned(prompts_per_hour=4, replies_per_hour=2), embed).look(after(60))

    assert sorted(seen) == ["Hello?"] * 12 + ["Yes."] * 6


async def test_reading_goes_on_where_it_stopped(store: Store) -> None:
    """No patience, no answer; and none twice for the same hours."""
    await keep(store, range(60), 0.1)
    survey = Survey(store, pinned())

    assert await survey.look_in_time(after(60), -1.0) is None
    assert await survey.look_in_time(after(60), 60.0)
    assert await survey.look_in_time(after(60), 60.0) is None
    assert await survey.look_in_time(after(61), 60.0)


async def test_an_alert_is_raised_once_and_ended(store: Store) -> None:
    """With labels, figures, and examples by id; no text of anybody."""
    await keep(store, range(60), 0.1)
    await keep(store, range(60, 84), 0.5)
    registry = CollectorRegistry()
    metrics, now = WatchMetrics(registry), [after(84)]
    alerts = Alerts(store, hold_s=0.0, clock_us=lambda: now[0])
    watcher = DriftWatcher(Survey(store, pinned()), alerts, metrics, clock_us=lambda: now[0])

    await watcher.look()
    await watcher.look()

    (told,) = await alerts.open("drift.detected")
    assert told.labels == {
        "signal": "risk.reply.toxicity",
        "model": "fake-model",
        "route": "/v1/chat/completions",
    }
    assert told.details["since"] == "2026-11-04T12:00Z"
    assert len(told.details["examples"]) == 3
    assert "Hello" not in json.dumps(told.details) + told.summary
    labels = {"signal": "risk.reply.toxicity"}
    assert registry.get_sample_value("fairlead_drift_alarm", labels) == 1
    evidence = registry.get_sample_value("fairlead_drift_statistic", {**labels, "test": "evidence"})
    assert evidence is not None
    assert evidence >= 1

    await keep(store, range(84, 120), 0.1)
    now[0] = after(120)
    await watcher.look()
    now[0] += 1
    await alerts.settle()
    assert await alerts.open("drift.detected") == []
    assert registry.get_sample_value("fairlead_drift_alarm", labels) == 0


async def test_a_rolling_reference_moves_on_once_a_day(store: Store) -> None:
    """Whole days before whole days; while the record is young, what it has."""
    await keep(store, range(1), 0.1)
    survey = Survey(store, DriftSettings(reference_days=2, watched_days=3))

    young = await survey.windows(MONDAY_US + 60 * HOUR_US + 120_000_000)
    day = MONDAY_US + 10 * DAY_US

    assert young.reference == (MONDAY_US, MONDAY_US + 2 * DAY_US)
    assert young.watched == (MONDAY_US + 2 * DAY_US, MONDAY_US + 60 * HOUR_US)
    expected = Windows((day - 5 * DAY_US, day - 3 * DAY_US), (day - 3 * DAY_US, day + 5 * HOUR_US))
    assert await survey.windows(day + 5 * HOUR_US + 120_000_000) == expected


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"reference_since": "2026-11-02T00:00:00Z"}, "has both"),
        (
            {
                "reference_since": "2026-11-02T00:00:00Z",
                "reference_until": "2026-11-01T00:00:00Z",
            },
            "is not before",
        ),
    ],
)
def test_a_pinned_reference_has_two_ends_in_order(values: dict[str, str], complaint: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match=complaint):
        Settings.model_validate({"watch": {"drift": values}})


@pytest.fixture
def drift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Any:
    """Runs `fairlead drift` over the store of the test, without topics."""
    monkeypatch.setenv("FAIRLEAD_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path / 'fairlead.db'}")
    for side in ("PROMPTS", "REPLIES"):
        monkeypatch.setenv(f"FAIRLEAD_WATCH__DRIFT__{side}_PER_HOUR", "0")
    monkeypatch.setenv("FAIRLEAD_WATCH__DRIFT__REFERENCE_DAYS", "2")

    def run(*argv: str) -> tuple[int, str]:
        code = main(["drift", *argv])
        return code, capsys.readouterr().out

    return run


async def _filled(tmp_path: Path, hours: int) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'fairlead.db'}"
    await migrate.upgrade(url)
    store = await Store.open(url)
    try:
        ago = round((datetime.now(UTC) - MONDAY) / timedelta(hours=1)) - 1
        await keep(store, range(ago - hours, ago - 24), 0.1)
        await keep(store, range(ago - 24, ago), 0.5)
    finally:
        await store.close()


def test_the_command_prints_json(tmp_path: Path, drift: Any) -> None:
    """Every signal with its state; what has drifted with its examples."""
    asyncio.run(_filled(tmp_path, 96))

    since = (datetime.now(UTC) - timedelta(hours=40)).isoformat()
    code, out = drift("--since", since, "--json")

    told = json.loads(out)
    risk = next(one for one in told["signals"] if one["signal"] == "risk.reply.toxicity")
    assert code == 0
    assert risk["state"] == "drifted"
    assert len(risk["examples"]) == 3
    assert risk["effect"]["low"] > 0


def test_the_command_says_that_nothing_was_recorded(tmp_path: Path, drift: Any) -> None:
    """An empty store is no error."""
    asyncio.run(migrate.upgrade(f"sqlite+aiosqlite:///{tmp_path / 'fairlead.db'}"))

    code, out = drift()

    assert code == 0
    assert "nothing was recorded" in out
