"""The rules that raise alerts from what is recorded, on both engines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from scorers.engine import Health
from service.settings import ScorerHealth, VetoRate
from service.watch.alerts import Alerts
from service.watch.scorers import EngineWatcher, FailureWatcher
from service.watch.vetoes import HOUR_US, HOURS_AT_A_LOOK, VetoRates
from storage.ids import new_id
from storage.records import AlertRecord, InteractionRecord, ScoreRecord
from storage.store import Store
from storage.writer import Writer
from tests.service.watch.conftest import Clock
from tests.storage.building import exchange, score


@dataclass
class Desk:
    """A record that is filled, and the watchers over it."""

    store: Store
    clock: Clock

    def __post_init__(self) -> None:
        self.alerts = Alerts(self.store, hold_s=60, clock_us=self.clock)

    async def keep(self, records: Iterable[InteractionRecord]) -> None:
        """Stores exchanges."""
        writer = Writer(self.store)
        await writer.start()
        for record in records:
            await writer.put(record, is_durable=False)
        await writer.close()

    def traffic(
        self, total: int, vetoed: int, *, minutes_ago: float, **changes: Any
    ) -> list[InteractionRecord]:
        """Exchanges of one moment, of which so many were vetoed."""
        at = self.clock() - round(minutes_ago * 60e6)
        return [
            exchange(
                id=new_id("fl", at),
                created_us=at,
                **{"verdict": "veto" if number < vetoed else "allow"} | changes,
            )
            for number in range(total)
        ]

    async def past(self, *, hours: int = 12, total: int = 40, vetoed: int = 1) -> None:
        """Hours of ordinary traffic before the newest two."""
        self.clock.now_us = self.clock() // HOUR_US * HOUR_US + 10
        records: list[InteractionRecord] = []
        for hour in range(hours):
            records += self.traffic(total, vetoed, minutes_ago=60 * (hour + 2) - 30)
        await self.keep(records)

    def rates(self, **wanted: Any) -> VetoRates:
        """The watcher of vetoes."""
        settings = VetoRate(**{"reference_days": 1} | wanted)
        return VetoRates(self.store, self.alerts, settings, clock_us=self.clock)

    async def open(self) -> list[AlertRecord]:
        """The open alerts."""
        return await self.alerts.open()


@pytest.fixture
def desk(store: Store, clock: Clock) -> Desk:
    """An empty record and its watchers."""
    return Desk(store, clock)


async def test_more_vetoes_than_before_raise_an_alert(desk: Desk) -> None:
    """With the share of now and of before, and three vetoed exchanges by id."""
    await desk.past()
    await desk.keep(desk.traffic(80, 30, minutes_ago=5))
    rates = desk.rates()

    await rates.look()
    await rates.look()
    assert await desk.open() == []  # the reference is not read to its end
    await rates.look()

    (alert,) = await desk.open()
    assert alert.type == "veto_rate.high"
    assert alert.labels == {"policy": "default", "model": "m-small"}
    assert (alert.details["vetoed"], alert.details["total"]) == (30, 80)
    assert alert.details["share_before"] == pytest.approx(1 / 40)
    assert len(alert.details["examples"]) == 3
    assert alert.details["share_low"] < 0.375 < alert.details["share_high"]
    assert alert.details["since"].endswith("Z")
    assert "37.5% vetoed in the last 60 minutes (30 of 80; 95% 27." in alert.summary


@pytest.mark.parametrize(
    ("total", "vetoed"),
    [(9, 9), (80, 4), (400, 20), (0, 0)],
    ids=["few", "twice as many", "much traffic", "none"],
)
async def test_few_events_and_small_rises_raise_none(desk: Desk, total: int, vetoed: int) -> None:
    """Nine of nine are too few; twice the rate is what may be, with however much traffic."""
    await desk.past()
    await desk.keep(desk.traffic(total, vetoed, minutes_ago=5))
    rates = desk.rates()
    for _ in range(3):
        await rates.look()

    assert await desk.open() == []


async def test_no_past_is_no_alarm(desk: Desk) -> None:
    """A new service has nothing to compare with."""
    await desk.keep(desk.traffic(80, 80, minutes_ago=5))

    await desk.rates().look()

    assert await desk.open() == []


async def test_one_conversation_is_one(desk: Desk) -> None:
    """A conversation whose every turn is vetoed does not raise an alert by itself."""
    await desk.past()
    await desk.keep(desk.traffic(80, 80, minutes_ago=5, conversation="again and again"))
    rates = desk.rates()
    for _ in range(3):
        await rates.look()

    assert await desk.open() == []


async def test_the_alert_ends_when_the_rate_is_back(desk: Desk) -> None:
    """Not while it is only less sure, and not against a reference that the trouble has spoilt."""
    await desk.past()
    await desk.keep(desk.traffic(80, 30, minutes_ago=5))
    rates = desk.rates(min_vetoes=1)
    for _ in range(3):
        await rates.look()
    desk.clock.forward(70 * 60)
    await desk.keep(desk.traffic(20, 2, minutes_ago=5))
    await rates.look()
    (alert,) = await desk.open()
    assert (alert.clear_us, alert.repeats) == (None, 1)

    desk.clock.forward(70 * 60)
    await desk.keep(desk.traffic(60, 1, minutes_ago=5))
    await rates.look()
    desk.clock.forward(60)
    await rates.look()
    await desk.alerts.settle()

    assert await desk.open() == []


async def test_old_hours_are_read_bit_by_bit(desk: Desk) -> None:
    """The newest first, so many at a look, and none twice."""
    rates = desk.rates(reference_days=1)
    await rates.look()
    first = set(rates._hours)
    assert len(first) == HOURS_AT_A_LOOK
    assert min(first) == max(first) - (HOURS_AT_A_LOOK - 1) * HOUR_US
    for _ in range(3):
        await rates.look()
    assert len(rates._hours) == 24
    desk.clock.forward(3600)
    await rates.look()
    assert len(rates._hours) == 24


def failed() -> ScoreRecord:
    """A score that did not come."""
    return score(status="failed", risk=None, scorer="all", verdict="unscored")


async def test_missing_scores_raise_an_alert_and_end_it(desk: Desk) -> None:
    """Where they are more than may be, by a test; the alert ends with them."""
    watcher = FailureWatcher(desk.store, desk.alerts, ScorerHealth(), clock_us=desk.clock)
    missing = {"verdict": "unscored", "scores": (failed(),)}
    await desk.keep(desk.traffic(40, 0, minutes_ago=3))
    await desk.keep(desk.traffic(4, 0, minutes_ago=3, **missing))
    await watcher.look()
    assert await desk.open() == []

    await desk.keep(desk.traffic(30, 0, minutes_ago=2, **missing))
    await desk.keep(desk.traffic(500, 0, minutes_ago=2, mode="off", verdict="unscored"))
    await watcher.look()
    (alert,) = await desk.open()
    assert alert.labels == {"kind": "failures"}
    assert (alert.details["failed"], alert.details["total"]) == (34, 74)
    assert alert.details["share_low"] < 34 / 74 < alert.details["share_high"]
    assert len(set(alert.details["examples"])) == 3
    assert alert.summary.startswith("34 of the last 74 exchanges lack a score (95% ")

    desk.clock.forward(700)
    await desk.keep(desk.traffic(40, 0, minutes_ago=3))
    await watcher.look()
    desk.clock.forward(60)
    await desk.alerts.settle()
    assert await desk.open() == []


@dataclass
class Told:
    """An engine that says how it is."""

    reason: str = ""
    provider: str = "cpu"

    def health(self) -> Health:
        return Health(not self.reason, self.provider, "m@1", self.reason, 1, 0)


async def test_an_engine_that_stays_down_raises_an_alert(desk: Desk) -> None:
    """One bad look is none; the alert ends when it runs again."""
    engine = Told("a worker died and is being restarted")
    watcher = EngineWatcher(engine, desk.alerts, worker="host:1")
    await watcher.look()
    assert await desk.open() == []
    await watcher.look()
    (alert,) = await desk.open()
    assert (alert.type, alert.labels) == ("scorer.unhealthy", {"worker": "host:1"})

    engine.reason = ""
    for _ in range(3):
        await watcher.look()
        desk.clock.forward(30)
    await desk.alerts.settle()
    assert await desk.open() == []


async def test_a_wrong_provider_raises_an_alert(desk: Desk) -> None:
    """The model runs, but not where it was asked to."""
    watcher = EngineWatcher(Told(), desk.alerts, provider="cuda", worker="host:1")
    for _ in range(2):
        await watcher.look()

    (alert,) = await desk.open()
    assert "runs on cpu, asked for cuda" in alert.summary


async def test_the_alert_of_a_dead_worker_ends(desk: Desk) -> None:
    """Nobody says of it that all is well: silence is its end."""
    watcher = EngineWatcher(Told("stopped"), desk.alerts, worker="host:1")
    for _ in range(2):
        await watcher.look()
    desk.clock.forward(120)

    assert await desk.alerts.settle() == 1
