"""The loop that has watchers look."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from service.watch.loop import RENEW_S, Loop
from storage.store import Store
from tests.fakes.store import AwayStore
from tests.patience import until


@dataclass
class Counting:
    """A watcher that counts its looks, and fails where it is told."""

    name: str = "counting"
    every_s: float = 10.0
    is_everywhere: bool = False
    failure: Exception | None = None
    looks: int = 0

    async def look(self) -> None:
        """Counts."""
        self.looks += 1
        if self.failure is not None:
            raise self.failure


@dataclass
class Meter:
    failures: Counter[str] = field(default_factory=Counter)
    leading: list[bool] = field(default_factory=list)

    def watch_failed(self, watcher: str) -> None:
        self.failures[watcher] += 1

    def is_watching(self, *, is_leader: bool) -> None:
        self.leading.append(is_leader)


@dataclass
class Time:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_watcher_looks_when_it_is_due(store: Store) -> None:
    """Not at every tick, but each time that its pause is over."""
    often, seldom, clock = Counting("often", 10), Counting("seldom", 30), Time()
    loop = Loop(store, [often, seldom], meter=Meter(), clock=clock)

    for _ in range(7):
        await loop.tick()
        clock.now += 5

    assert (often.looks, seldom.looks) == (4, 2)


async def test_one_process_of_all_looks(store: Store) -> None:
    """Of two loops over one store one leads; when it stops the other takes over."""
    first, second, clock = Counting(), Counting(), Time()
    meters = Meter(), Meter()
    one, two = (
        Loop(store, [watcher], meter=meter, clock=clock)
        for watcher, meter in zip((first, second), meters, strict=True)
    )
    for loop in (one, two, one, two):
        await loop.tick()
        clock.now += 20
    assert (first.looks, second.looks) == (2, 0)

    await one.stop()
    clock.now += RENEW_S
    await two.tick()

    assert (first.looks, second.looks) == (2, 1)
    assert [meter.leading for meter in meters] == [[True, False], [True]]


async def test_some_watchers_look_in_every_process(store: Store) -> None:
    """What belongs to the process itself is looked at by each."""
    watchers = [Counting(is_everywhere=True) for _ in range(2)]

    for watcher in watchers:
        await Loop(store, [watcher], meter=Meter()).tick()

    assert [watcher.looks for watcher in watchers] == [1, 1]


async def test_a_failing_watcher_stops_nobody(store: Store) -> None:
    """It is counted and looks again at its time, and those after it look as ever."""
    broken, sound = Counting("broken", 0, failure=RuntimeError("no")), Counting("sound", 0)
    meter = Meter()
    loop = Loop(store, [broken, sound], meter=meter)

    await loop.tick()
    await loop.tick()

    assert (broken.looks, sound.looks) == (2, 2)
    assert meter.failures == {"broken": 2}


async def test_a_store_that_is_away_is_counted() -> None:
    """Without a lease nobody looks; the loop goes on."""
    watcher, meter, away = Counting(), Meter(), AwayStore()
    loop = Loop(away, [watcher], meter=meter)  # type: ignore[arg-type]

    await loop.tick()

    assert watcher.looks == 0
    assert meter.failures == {"lease": 1}


async def test_the_loop_runs_until_it_is_stopped(store: Store) -> None:
    """Started, it ticks by itself; stopped, it looks no more."""
    watcher = Counting(every_s=0)
    loop = Loop(store, [watcher], meter=Meter(), tick_s=0.01)
    loop.start()
    await until(lambda: watcher.looks >= 3)
    await loop.stop()
    looks = watcher.looks
    await asyncio.sleep(0.05)

    assert watcher.looks == looks
