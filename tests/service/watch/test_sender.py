"""How alerts are delivered: signed, tried again, given up, and never lost."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from service.watch.alerts import Alert, Alerts
from service.watch.post import HttpPoster
from service.watch.sender import CLAIM_SPARE_S, Sender, SendLimits
from service.watch.webhooks import Webhook
from storage.records import DeliveryRecord, ReceiverRecord
from storage.store import Store
from tests.fakes.receiver import SECRET, Receiver
from tests.fakes.store import AwayStore
from tests.patience import PATIENCE_S, until
from tests.service.watch.conftest import Clock

HANG_S = 0.5
S = 1_000_000


@dataclass
class Meter:
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    disabled: dict[str, bool] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)

    def alert_sent(self, webhook: str, status: str) -> None:
        self.sent[webhook, status] += 1

    def webhook_disabled(self, webhook: str, *, is_disabled: bool) -> None:
        self.disabled[webhook] = is_disabled

    def watch_failed(self, watcher: str) -> None:
        self.failures[watcher] += 1


@dataclass
class Desk:
    """Alerts and a sender to one receiver, over one store and one clock."""

    store: Store
    clock: Clock
    receiver: Receiver
    meter: Meter = field(default_factory=Meter)
    limits: SendLimits = field(
        default_factory=lambda: SendLimits(timeout_s=PATIENCE_S, poll_s=0.02)
    )

    def __post_init__(self) -> None:
        self.hook = Webhook("hook", self.receiver.url, secret=SECRET)
        self.alerts = Alerts(self.store, [self.hook], hold_s=0, clock_us=self.clock)
        self.sender = self.new_sender()

    def new_sender(self, *hooks: Webhook, timeout_s: float = PATIENCE_S, **changes: Any) -> Sender:
        """A sender, as another replica has one or this one after its restart."""
        parts: dict[str, Any] = {
            "meter": self.meter,
            "limits": self.limits,
            "clock_us": self.clock,
            "draw": lambda: 1.0,
            "has_news": self.alerts.has_news,
        }
        poster = HttpPoster(timeout_s=timeout_s, allow_private=True)
        return Sender(self.store, hooks or [self.hook], poster, **parts | changes)

    async def raise_one(self, name: str = "default") -> None:
        """Raises an alert of its own."""
        labels = {"policy": name}
        await self.alerts.raise_alert(Alert(type="veto_rate.high", summary="more", labels=labels))

    async def end(self, name: str = "default") -> None:
        """Ends an alert."""
        await self.alerts.resolve("veto_rate.high", {"policy": name})
        await self.alerts.settle()

    async def messages(self) -> list[DeliveryRecord]:
        """The messages in the store, oldest first."""
        async with self.store.reading() as unit:
            return (await unit.alerts.deliveries(limit=1000))[::-1]

    async def only(self) -> DeliveryRecord:
        """The only message."""
        (found,) = await self.messages()
        return found


@pytest.fixture
async def desk(store: Store, clock: Clock) -> AsyncIterator[Desk]:
    """Alerts and a sender to a receiver on a real port."""
    async with Receiver() as receiver:
        yield Desk(store, clock, receiver)


async def test_a_delivery_is_what_standard_webhooks_say(desk: Desk) -> None:
    """Its signature holds for the library, and its id is the message's."""
    await desk.raise_one()

    assert await desk.sender.round() == 1

    (got,) = desk.receiver.got
    body = got.verified()
    assert (body["type"], body["data"]["labels"]) == ("veto_rate.high", {"policy": "default"})
    message = await desk.only()
    assert (message.status, message.http_status, message.tries) == ("delivered", 204, 1)
    assert got.id == message.event_id
    assert got.headers["webhook-timestamp"] == str(desk.clock() // S)
    assert desk.meter.sent == {("hook", "delivered"): 1}


async def test_what_was_delivered_is_not_sent_again(desk: Desk) -> None:
    """Neither later nor by another replica."""
    await desk.raise_one()
    await desk.sender.round()
    desk.clock.forward(100_000)

    assert [await desk.sender.round(), await desk.new_sender().round()] == [0, 0]
    assert len(desk.receiver.got) == 1


@pytest.mark.parametrize("status", [500, 503, 404, 400, 302])
async def test_a_failure_is_tried_again_under_the_same_id(desk: Desk, status: int) -> None:
    """Whatever is no success is tried again, later each time; a redirect is not followed."""
    async with Receiver() as elsewhere:
        desk.receiver.answers = [(status, {"location": elsewhere.url})] * 3
        await desk.raise_one()
        waits = []
        for _ in range(3):
            await desk.sender.round()
            waits.append(((await desk.only()).next_us - desk.clock()) // S)
            assert await desk.sender.round() == 0
            desk.clock.now_us = (await desk.only()).next_us
        await desk.sender.round()

        assert elsewhere.got == []
    assert waits == [5, 15, 45]
    assert len(set(desk.receiver.ids)) == 1
    assert len(desk.receiver.got) == 4
    assert len({got.body for got in desk.receiver.got}) == 1
    message = await desk.only()
    assert (message.status, message.tries) == ("delivered", 4)
    assert desk.meter.sent == {("hook", "failed"): 3, ("hook", "delivered"): 1}


async def test_waits_are_random_and_bounded(desk: Desk) -> None:
    """A wait is between half and the whole, and never longer than is set."""
    desk.limits = SendLimits(timeout_s=PATIENCE_S, max_retry_s=60)
    draws = iter([0.0, 0.5, 1.0, 1.0, 1.0])
    sender = desk.new_sender(draw=lambda: next(draws))
    desk.receiver.answers = [500] * 5
    await desk.raise_one()
    waits = []
    for _ in range(5):
        await sender.round()
        waits.append(((await desk.only()).next_us - desk.clock()) / S)
        desk.clock.now_us = (await desk.only()).next_us

    assert waits == [2.5, 11.25, 45.0, 60.0, 60.0]


async def test_a_receiver_that_hangs_is_cut_off(desk: Desk) -> None:
    """No answer in time is a failure like any other."""
    desk.receiver.answers = [None]
    await desk.raise_one()
    await desk.new_sender(timeout_s=HANG_S).round()
    message = await desk.only()
    assert (message.status, message.error, message.http_status) == ("pending", "timeout", None)

    desk.clock.forward(5)
    await desk.sender.round()

    assert (await desk.only()).status == "delivered"
    assert len(set(desk.receiver.ids)) == 1


async def test_nobody_there_is_a_failure_like_any_other(desk: Desk) -> None:
    """A refused connection is tried again."""
    await desk.receiver.__aexit__()
    await desk.raise_one()

    await desk.sender.round()

    message = await desk.only()
    assert (message.status, message.error) == ("pending", "unreachable")


async def test_a_receiver_says_when_to_come_again(desk: Desk) -> None:
    """429 with `retry-after` holds for every message to it, and for every replica."""
    desk.receiver.answers = [(429, {"retry-after": "120"})]
    await desk.raise_one("one")
    await desk.sender.round()
    await desk.raise_one("two")

    desk.clock.forward(119)
    assert await desk.sender.round() == await desk.new_sender().round() == 0
    desk.clock.forward(1)
    assert await desk.new_sender().round() == 2
    assert [one.status for one in await desk.messages()] == ["delivered"] * 2


async def test_gone_disables_a_receiver(desk: Desk) -> None:
    """After 410 nothing is sent to it any more, by nobody; the store says so."""
    desk.receiver.answers = [410]
    for name in ("one", "two"):
        await desk.raise_one(name)
    await desk.sender.round()
    await desk.raise_one("three")

    again = desk.new_sender()
    assert await again.round() == 0
    assert len(desk.receiver.got) == 1
    assert [one.status for one in await desk.messages()] == ["disabled"] * 2
    assert desk.sender.disabled == again.disabled == {"hook"}
    assert desk.meter.disabled == {"hook": True}
    assert desk.meter.sent == {("hook", "gone"): 1}
    async with desk.store.reading() as unit:
        known = (await unit.alerts.receivers())["hook"]
    assert known.disabled_us == desk.clock()


async def test_others_are_told_beside_one_that_has_gone(desk: Desk) -> None:
    """A receiver is disabled by itself."""
    async with Receiver() as second:
        hooks = desk.hook, Webhook("second", second.url, secret=SECRET)
        alerts = Alerts(desk.store, hooks, clock_us=desk.clock)
        sender = desk.new_sender(*hooks)
        desk.receiver.answers = [410]
        for labels in ({"n": "1"}, {"n": "2"}):
            await alerts.raise_alert(Alert(type="drift.detected", summary="", labels=labels))
            await sender.round()

        assert len(desk.receiver.got) == 1
        assert len(second.got) == 2
    assert desk.meter.disabled == {"hook": True, "second": False}


async def test_another_address_under_the_name_is_asked_anew(desk: Desk) -> None:
    """What was said of one address does not hold for another."""
    async with desk.store.writing() as unit:
        gone = ReceiverRecord(name="hook", address_hash="of another", disabled_us=1)
        await unit.alerts.note_receiver(gone)
    await desk.raise_one()

    assert await desk.sender.round() == 1


async def test_it_is_given_up_in_the_end(desk: Desk) -> None:
    """After the time that is set; the store says so, and it is counted."""
    desk.limits = SendLimits(timeout_s=PATIENCE_S, give_up_s=60)
    sender = desk.new_sender()
    desk.receiver.answers = [500] * 9
    await desk.raise_one()
    for _ in range(9):
        await sender.round()
        desk.clock.forward(10)

    message = await desk.only()
    assert (message.status, message.http_status) == ("gave_up", 500)
    assert len(desk.receiver.got) < 9
    assert desk.meter.sent["hook", "gave_up"] == 1


async def test_two_replicas_send_one(desk: Desk) -> None:
    """Of many that try at once one gets each message."""
    for number in range(6):
        await desk.raise_one(str(number))

    await asyncio.gather(*(desk.new_sender().round() for _ in range(4)))
    await desk.sender.round()

    assert [(one.status, one.tries) for one in await desk.messages()] == [("delivered", 1)] * 6
    assert len(desk.receiver.got) == len(set(desk.receiver.ids)) == 6


async def test_the_end_comes_after_the_beginning(desk: Desk) -> None:
    """An alert's messages keep their order, while others pass."""
    desk.receiver.answers = [500]
    await desk.raise_one("slow")
    await desk.sender.round()
    desk.clock.forward(1)
    await desk.end("slow")
    await desk.raise_one("other")
    assert await desk.sender.round() == 1
    desk.clock.forward(5)
    await desk.sender.round()

    told = [(got.json["type"], got.json["data"]["labels"]["policy"]) for got in desk.receiver.got]
    assert told == [
        ("veto_rate.high", "slow"),
        ("veto_rate.high", "other"),
        ("veto_rate.high", "slow"),
        ("veto_rate.resolved", "slow"),
    ]


async def test_a_sender_that_died_leaves_its_message(desk: Desk) -> None:
    """Its claim runs out, then another sends it under the same id, and not before."""
    desk.receiver.answers = [None]
    await desk.raise_one()
    dying = asyncio.create_task(desk.sender.round())
    await desk.receiver.received(1)
    dying.cancel()

    assert await desk.new_sender().round() == 0
    desk.clock.forward(PATIENCE_S + CLAIM_SPARE_S)
    assert await desk.new_sender().round() == 1
    assert len(set(desk.receiver.ids)) == 1


async def test_a_sender_that_stops_gives_its_message_back(desk: Desk) -> None:
    """A call under way is broken off, and whoever comes next sends at once."""
    desk.receiver.answers = [None]
    await desk.raise_one()
    desk.sender.start()
    await desk.receiver.received(1)

    await desk.sender.stop()

    assert await desk.new_sender().round() == 1
    assert len(set(desk.receiver.ids)) == 1


async def test_news_is_sent_at_once(desk: Desk) -> None:
    """A running sender does not wait for its next look into the store."""
    desk.limits = SendLimits(timeout_s=PATIENCE_S, poll_s=3600)
    sender = desk.new_sender()
    sender.start()
    await asyncio.sleep(0.1)
    await desk.raise_one()

    await desk.receiver.received(1)
    await sender.stop()


async def test_a_store_that_is_away_stops_no_sender(desk: Desk) -> None:
    """It is counted, and tried again."""
    away: Any = AwayStore()
    sender = Sender(
        away, [desk.hook], HttpPoster(), meter=desk.meter, limits=SendLimits(poll_s=0.01)
    )
    sender.start()
    await until(lambda: desk.meter.failures["sender"] >= 2)
    await sender.stop()


async def test_neither_secret_nor_address_is_logged(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """An address may be a secret too: only the name is shown."""
    caplog.set_level(logging.DEBUG, logger="fairlead")
    desk.receiver.answers = [500]
    await desk.raise_one()
    await desk.sender.round()
    desk.clock.forward(5)
    await desk.sender.round()

    shown = "".join(str(vars(record)) for record in caplog.records if "fairlead" in record.name)
    assert "hook" in shown
    assert SECRET not in shown + repr(desk.hook)
    assert desk.receiver.url not in shown + repr(desk.hook)
