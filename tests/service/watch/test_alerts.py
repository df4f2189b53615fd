"""What raises, suppresses and ends alerts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import orjson
import pytest

from service.watch.alerts import Alert, Alerts
from service.watch.message import stamp
from storage.records import DeliveryRecord, ReceiverRecord
from storage.store import Store
from tests.service.watch.conftest import Clock

HIGH = Alert(
    type="veto_rate.high",
    summary="more vetoes than before",
    labels={"policy": "default"},
    details={"vetoes": 30},
)


@dataclass(frozen=True)
class Hook:
    name: str
    address_hash: str = "a"


@pytest.fixture
def alerts(store: Store, clock: Clock) -> Alerts:
    """Alerts with two recipients that end after a minute without their cause."""
    return Alerts(store, [Hook("one"), Hook("two")], hold_s=60, clock_us=clock)


async def told(store: Store, receiver: str = "one") -> list[DeliveryRecord]:
    """The messages to one receiver, oldest first."""
    async with store.reading() as unit:
        messages = await unit.alerts.deliveries(limit=100)
    return [one for one in messages[::-1] if one.receiver == receiver]


async def test_an_alert_is_told_once_while_it_is_open(
    store: Store, alerts: Alerts, clock: Clock
) -> None:
    """Raised three times it gives each recipient one message, with the same id for all."""
    assert [await alerts.raise_alert(HIGH) for _ in range(3)] == [True, False, False]

    (one,), (two,) = await told(store, "one"), await told(store, "two")
    assert one.event_id == two.event_id
    (record,) = await alerts.open("veto_rate.high")
    assert record.repeats == 2
    assert orjson.loads(one.payload) == {
        "type": "veto_rate.high",
        "timestamp": stamp(clock()),
        "data": {
            "alert_id": record.id,
            "summary": "more vetoes than before",
            "labels": {"policy": "default"},
            "details": {"vetoes": 30},
            "since": stamp(clock()),
        },
    }
    assert alerts.has_news.is_set()


async def test_other_labels_are_another_alert(store: Store, alerts: Alerts) -> None:
    """An alert is known by its type and its labels together; the labels' order is nothing."""
    both = {"policy": "p", "model": "m"}
    for labels in (both, dict(sorted(both.items())), {"policy": "p"}, {"policy": "m"}):
        await alerts.raise_alert(Alert(type="drift.detected", summary="", labels=labels))
    await alerts.raise_alert(Alert(type="veto_rate.high", summary="", labels=both))

    assert len(await alerts.open()) == len(await told(store)) == 4


async def test_its_end_is_told_once(store: Store, alerts: Alerts, clock: Clock) -> None:
    """`*.resolved` comes when the cause has been gone for the time that is set, and not again."""
    await alerts.raise_alert(HIGH)
    assert await alerts.resolve("veto_rate.high", {"policy": "default"})
    clock.forward(59)
    assert await alerts.resolve("veto_rate.high", {"policy": "default"})
    assert await alerts.settle() == 0
    clock.forward(1)
    assert [await alerts.settle() for _ in range(2)] == [1, 0]

    raised, resolved = await told(store)
    assert (raised.type, resolved.type) == ("veto_rate.high", "veto_rate.resolved")
    assert raised.event_id != resolved.event_id
    data = orjson.loads(resolved.payload)["data"]
    assert data["alert_id"] == orjson.loads(raised.payload)["data"]["alert_id"]
    assert data["resolved_at"] == stamp(clock())
    assert not await alerts.resolve("veto_rate.high", {"policy": "default"})


async def test_what_comes_and_goes_is_one_alert(store: Store, alerts: Alerts, clock: Clock) -> None:
    """A cause that is back before the time is over keeps its alert open, and nobody is told."""
    for _ in range(5):
        await alerts.raise_alert(HIGH)
        clock.forward(30)
        await alerts.resolve("veto_rate.high", {"policy": "default"})
        clock.forward(30)
        assert await alerts.settle() == 0

    assert len(await told(store)) == 1


async def test_after_its_end_it_can_be_raised_anew(
    store: Store, alerts: Alerts, clock: Clock
) -> None:
    """Then it is a new alert with an id of its own."""
    for _ in range(2):
        assert await alerts.raise_alert(HIGH)
        await alerts.resolve("veto_rate.high", {"policy": "default"})
        clock.forward(60)
        await alerts.settle()
        clock.forward(1)

    kinds = [one.type for one in await told(store)]
    assert kinds == ["veto_rate.high", "veto_rate.resolved"] * 2
    assert len({one.alert_id for one in await told(store)}) == 2


async def test_an_alert_whose_watcher_has_gone_ends(
    store: Store, alerts: Alerts, clock: Clock
) -> None:
    """Where it says so it ends by not being raised again."""
    await alerts.raise_alert(Alert(type="scorer.unhealthy", summary="", stale_after_s=300))
    clock.forward(200)
    await alerts.raise_alert(Alert(type="scorer.unhealthy", summary="", stale_after_s=300))
    clock.forward(299)
    assert await alerts.settle() == 0
    clock.forward(1)
    assert await alerts.settle() == 1

    assert [one.type for one in await told(store)] == ["scorer.unhealthy", "scorer.resolved"]


async def test_two_replicas_raise_one_alert(store: Store, clock: Clock) -> None:
    """Whoever is second finds it open."""
    replicas = [Alerts(store, [Hook("one")], clock_us=clock) for _ in range(8)]

    found = await asyncio.gather(*(replica.raise_alert(HIGH) for replica in replicas))

    assert sorted(found) == [False] * 7 + [True]
    assert len(await told(store)) == 1


async def test_a_disabled_recipient_is_told_nothing(store: Store, alerts: Alerts) -> None:
    """Unless it has another address now."""
    async with store.writing() as unit:
        for name, address in (("one", "a"), ("two", "another")):
            record = ReceiverRecord(name=name, address_hash=address, disabled_us=1)
            await unit.alerts.note_receiver(record)

    await alerts.raise_alert(HIGH)

    assert [len(await told(store, name)) for name in ("one", "two")] == [0, 1]


def test_a_fault_of_whoever_raises_is_told_at_once() -> None:
    """Labels that a receiver cannot take and endless details are refused."""
    with pytest.raises(ValueError, match="small letters"):
        Alert(type="drift.detected", summary="", labels={"the model": "m"})
    with pytest.raises(ValueError, match="bytes"):
        Alert(type="drift.detected", summary="", details={"text": "x" * 20_000})


async def test_long_labels_are_cut_and_stay_apart(store: Store, alerts: Alerts) -> None:
    """What is cut is only what is shown."""
    for end in ("a", "b"):
        labels = {"model": "m" * 4000 + end}
        await alerts.raise_alert(Alert(type="drift.detected", summary="", labels=labels))

    found = await alerts.open()
    assert [record.labels for record in found] == [{"model": "m" * 120}] * 2
