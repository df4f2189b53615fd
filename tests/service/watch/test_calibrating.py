"""The watcher of calibration: what it shows, raises and resolves."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from service.settings import CalibrationSettings
from service.watch.alerts import Alerts
from service.watch.calibrating import DAY_US, KIND, Calibrating
from storage import migrate
from storage.store import Store
from tests.storage.building import exchange, score, thumb

NOW = 1_800_000_000_000_000


@dataclass
class Meter:
    errors: dict[str, float] = field(default_factory=dict)

    def calibration(self, model: str, error: float) -> None:
        """Keeps the newest."""
        self.errors[model] = error


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A migrated store."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'own.db'}"
    await migrate.upgrade(url)
    opened = await Store.open(url)
    yield opened
    await opened.close()


async def fill(store: Store, *, days_ago: float, count: int, right: float, model: str) -> None:
    """Replies that sound sure at .7 to .9, of which a share is right."""
    rng = random.Random(f"{days_ago}{model}")
    async with store.writing() as unit:
        for _ in range(count):
            heads = {"expressed": rng.choice((0.7, 0.8, 0.9))}
            at = NOW - round(days_ago * DAY_US)
            scored = (score(scorer="confidence", heads=heads),)
            record = exchange(model=model, created_us=at, scores=scored)
            await unit.interactions.add(record)
            await unit.feedback.add(thumb(record, "up" if rng.random() < right else "down"))


def watcher(store: Store, meter: Meter) -> Calibrating:
    """The watcher at a set time."""
    settings = CalibrationSettings(days=7, reference_days=28)
    alerts = Alerts(store, clock_us=lambda: NOW)
    return Calibrating(store, alerts, settings, meter, clock_us=lambda: NOW)


async def test_what_got_worse_is_told_once_with_examples(store: Store) -> None:
    """The model that is right less often than it was raises one alert, the steady one none."""
    for model, later in (("worse", 0.3), ("steady", 0.8)):
        await fill(store, days_ago=20, count=200, right=0.8, model=model)
        await fill(store, days_ago=2, count=150, right=later, model=model)
    meter = Meter()
    looking = watcher(store, meter)

    await looking.look()
    await looking.look()

    (alert,) = await looking.alerts.open(KIND)
    assert alert.labels == {"model": "worse", "reading": "expressed"}
    assert "rose from 0.0" in alert.summary
    assert len(alert.details["examples"]) == 3
    assert meter.errors["worse"] > 0.4
    assert meter.errors["steady"] < 0.2


async def test_what_is_well_again_is_resolved(store: Store) -> None:
    """When recent replies are as they were, the open alert is marked as gone."""
    await fill(store, days_ago=20, count=200, right=0.8, model="m")
    await fill(store, days_ago=2, count=150, right=0.2, model="m")
    looking = watcher(store, Meter())
    await looking.look()

    async with store.writing() as unit:
        for one in (await unit.interactions.page(limit=1000)).items:
            await unit.feedback.add(thumb(one, "up", created_us=NOW))
    await looking.look()

    (alert,) = await looking.alerts.open(KIND)
    assert alert.clear_us is not None


async def test_without_feedback_nothing_is_shown(store: Store) -> None:
    """An empty store is no fault."""
    meter = Meter()

    await watcher(store, meter).look()

    assert not meter.errors
