"""Alerts, their deliveries and leases, on both engines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from storage.errors import DuplicateRecord
from storage.records import AlertRecord, DeliveryRecord, ReceiverRecord
from storage.store import Store

S = 1_000_000


def alert(ident: str = "al_1", **changes: Any) -> AlertRecord:
    """An open alert, raised at second 1."""
    fields: dict[str, Any] = {
        "id": ident,
        "key": "veto_rate.high{}",
        "type": "veto_rate.high",
        "summary": "more vetoes",
        "labels": {"policy": "default"},
        "details": {"vetoes": 3},
        "created_us": S,
        "seen_us": S,
    }
    return AlertRecord(**fields | changes)


def delivery(ident: str = "ad_1", **changes: Any) -> DeliveryRecord:
    """A message of the first alert that may be tried at once."""
    fields: dict[str, Any] = {
        "id": ident,
        "created_us": S,
        "event_id": "msg_1",
        "alert_id": "al_1",
        "type": "veto_rate.high",
        "receiver": "hook",
        "payload": "{}",
        "next_us": S,
    }
    return DeliveryRecord(**fields | changes)


async def test_one_alert_of_a_key_is_open(store: Store) -> None:
    """A second one is refused while the first is open, and stored after its end."""
    async with store.writing() as unit:
        await unit.alerts.add(alert())
    with pytest.raises(DuplicateRecord):
        async with store.writing() as unit:
            await unit.alerts.add(alert("al_2"))
    async with store.writing() as unit:
        assert await unit.alerts.resolve("al_1", now_us=2 * S)
        assert not await unit.alerts.resolve("al_1", now_us=3 * S)
        await unit.alerts.add(alert("al_2"))

    async with store.reading() as unit:
        assert await unit.alerts.open() == [alert("al_2")]
        assert await unit.alerts.open("drift.detected") == []
        recent = await unit.alerts.recent(limit=5)
    assert [one.id for one in recent] == ["al_2", "al_1"]
    assert recent[1] == alert(resolved_us=2 * S)


async def test_raising_again_is_noted(store: Store) -> None:
    """It counts, moves the time and takes back that the cause was gone."""
    async with store.writing() as unit:
        assert not await unit.alerts.raised_again(alert().key, now_us=S)
        await unit.alerts.add(alert())
        assert await unit.alerts.clear(alert().key, now_us=2 * S)
        assert await unit.alerts.raised_again(alert().key, now_us=3 * S, stale_after_us=S)

    async with store.reading() as unit:
        assert await unit.alerts.open() == [alert(seen_us=3 * S, repeats=1, stale_after_us=S)]


async def test_an_alert_is_over_when_its_cause_stays_gone(store: Store) -> None:
    """The first time of being gone counts, however often it is said."""
    async with store.writing() as unit:
        await unit.alerts.add(alert())
        await unit.alerts.clear(alert().key, now_us=10 * S)
        await unit.alerts.clear(alert().key, now_us=15 * S)

    async with store.reading() as unit:
        assert await unit.alerts.over(now_us=19 * S, hold_us=10 * S) == []
        assert len(await unit.alerts.over(now_us=20 * S, hold_us=10 * S)) == 1


async def test_an_alert_is_over_when_nobody_raises_it_any_more(store: Store) -> None:
    """Only where it says after how long; others stay open for ever."""
    async with store.writing() as unit:
        await unit.alerts.add(alert())
        await unit.alerts.add(alert("al_2", key="other", stale_after_us=5 * S))

    async with store.reading() as unit:
        assert await unit.alerts.over(now_us=5 * S, hold_us=S) == []
        found = await unit.alerts.over(now_us=6 * S, hold_us=S)
    assert [one.id for one in found] == ["al_2"]


async def test_messages_of_one_alert_keep_their_order(store: Store) -> None:
    """A later one is not due while an older one waits, and other alerts are not held up."""
    first, later = delivery(next_us=9 * S), delivery("ad_2", type="veto_rate.resolved")
    other, elsewhere = delivery("ad_3", alert_id="al_2"), delivery("ad_4", receiver="other")
    async with store.writing() as unit:
        await unit.alerts.enqueue([first, later, other, elsewhere])

    async with store.reading() as unit:
        assert await unit.alerts.due("hook", now_us=2 * S) == [other]
        assert await unit.alerts.due("hook", now_us=9 * S) == [first, other]
    async with store.writing() as unit:
        done = {"next_us": S, "done_us": 9 * S, "http_status": 200, "error": None}
        await unit.alerts.note_try("ad_1", status="delivered", **done)
        assert await unit.alerts.due("hook", now_us=9 * S) == [later, other]
        messages = await unit.alerts.deliveries(limit=9)
    assert messages[-1] == replace(first, status="delivered", **done)


async def test_a_message_is_claimed_once(store: Store) -> None:
    """Of two who read the same message one gets it; it is due again when the claim runs out."""
    async with store.writing() as unit:
        await unit.alerts.enqueue([delivery()])
    async with store.writing() as unit:
        assert await unit.alerts.claim(delivery(), until_us=5 * S)
    async with store.writing() as unit:
        assert not await unit.alerts.claim(delivery(), until_us=6 * S)

    async with store.reading() as unit:
        assert await unit.alerts.due("hook", now_us=4 * S) == []
        assert await unit.alerts.due("hook", now_us=5 * S) == [delivery(next_us=5 * S, tries=1)]


async def test_waiting_messages_can_be_ended(store: Store) -> None:
    """Those of a receiver, or those that are too old; what has ended stays as it is."""
    old, new = delivery(), delivery("ad_2", created_us=9 * S, alert_id="al_2")
    other = delivery("ad_3", receiver="other")
    async with store.writing() as unit:
        await unit.alerts.enqueue([old, new, other])
        assert await unit.alerts.end_pending("disabled", now_us=S, receiver="other") == 1
        assert await unit.alerts.end_pending("dropped", now_us=S, created_before_us=9 * S) == 1
        messages = await unit.alerts.deliveries(limit=9)

    found = {one.id: one.status for one in messages}
    assert found == {"ad_1": "dropped", "ad_2": "pending", "ad_3": "disabled"}


async def test_what_is_known_of_a_receiver_is_kept(store: Store) -> None:
    """Written twice, the last word holds."""
    async with store.writing() as unit:
        await unit.alerts.note_receiver(ReceiverRecord(name="hook", address_hash="a"))
        await unit.alerts.note_receiver(
            ReceiverRecord(name="hook", address_hash="b", disabled_us=S, wait_until_us=2)
        )

    async with store.reading() as unit:
        assert await unit.alerts.receivers() == {
            "hook": ReceiverRecord(name="hook", address_hash="b", disabled_us=S, wait_until_us=2)
        }


async def test_only_what_has_ended_is_forgotten(store: Store) -> None:
    """Open alerts and waiting messages stay, however old."""
    async with store.writing() as unit:
        await unit.alerts.add(alert(resolved_us=2 * S))
        await unit.alerts.add(alert("al_2"))
        await unit.alerts.enqueue([delivery(done_us=2 * S, status="delivered"), delivery("ad_2")])
        assert await unit.alerts.forget(before_us=2 * S) == 0
        assert await unit.alerts.forget(before_us=9 * S) == 2
        alerts, left = await unit.alerts.recent(), await unit.alerts.deliveries()

    assert [one.id for one in alerts] == ["al_2"]
    assert [one.id for one in left] == ["ad_2"]


async def test_a_lease_has_one_holder(store: Store) -> None:
    """Its holder keeps it; another gets it when it has run out or was given back."""

    async def take(holder: str, at_s: int) -> bool:
        async with store.writing() as unit:
            return await unit.leases.take("w", holder=holder, now_us=at_s * S, for_us=10 * S)

    assert await take("one", 0)
    assert not await take("two", 5)
    assert await take("one", 6)
    assert not await take("two", 15)
    assert await take("two", 16)
    async with store.writing() as unit:
        await unit.leases.give_back("w", holder="one")
    assert not await take("one", 17)
    async with store.writing() as unit:
        await unit.leases.give_back("w", holder="two")
    assert await take("one", 17)
