"""Delivers what is to be told, out of the store: at least once, under one id, until it is given up.

Every process sends. Whoever tries a message claims it first, so that nobody else does; if it dies
in the middle, the claim runs out and the message is tried again under the same `webhook-id`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

import orjson

from service.watch.alerts import is_disabled
from service.watch.post import REFUSED, Answer, Poster
from service.watch.webhooks import Webhook
from storage.errors import DuplicateRecord, StorageError
from storage.ids import now_us
from storage.records import DeliveryRecord, DeliveryStatus, ReceiverRecord
from storage.store import Store

logger = logging.getLogger("fairlead.alerts")

GROWTH = 3.0
CLAIM_SPARE_S = 5.0
STOP_LIMIT_S = 5.0
GONE = 410
BUSY = frozenset({429, 502, 503, 504})


class SendMeter(Protocol):
    """Whoever counts deliveries."""

    def alert_sent(self, webhook: str, status: str) -> None:
        """A try came to this."""
        ...

    def webhook_disabled(self, webhook: str, *, is_disabled: bool) -> None:
        """Whether a webhook wants no more."""
        ...

    def watch_failed(self, watcher: str) -> None:
        """A round of deliveries failed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SendLimits:
    """Times of deliveries, in seconds. `timeout_s` is the poster's, for the length of a claim."""

    timeout_s: float = 10.0
    first_retry_s: float = 5.0
    max_retry_s: float = 3600.0
    give_up_s: float = 72 * 3600.0
    poll_s: float = 5.0


class Sender:
    """Sends what waits in the store to the webhooks of the configuration."""

    def __init__(
        self,
        store: Store,
        webhooks: Sequence[Webhook],
        poster: Poster,
        *,
        meter: SendMeter,
        limits: SendLimits | None = None,
        has_news: asyncio.Event | None = None,
        clock_us: Callable[[], int] = now_us,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._webhooks = tuple(webhooks)
        self._poster = poster
        self._meter = meter
        self._limits = limits or SendLimits()
        self._has_news = has_news or asyncio.Event()
        self._clock_us = clock_us
        self._draw = draw
        self._is_over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.disabled: frozenset[str] = frozenset()
        """Names of the webhooks that have answered 410, as of the last round."""

    def start(self) -> None:
        """Begins with what waits in the store, if there is anybody to send to."""
        if self._webhooks:
            self._task = asyncio.create_task(self._run(), name="fairlead-alerts")

    async def stop(self) -> None:
        """Breaks off the tries under way and leaves their messages to be tried again."""
        self._is_over.set()
        self._has_news.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=STOP_LIMIT_S)
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def round(self) -> int:
        """Tries everything that is due now; how many tries that were. Raises StorageError."""
        async with self._store.reading() as unit:
            known = await unit.alerts.receivers()
        disabled = {w.name for w in self._webhooks if is_disabled(w, known.get(w.name))}
        for webhook in self._webhooks:
            self._meter.webhook_disabled(webhook.name, is_disabled=webhook.name in disabled)
        self.disabled = frozenset(disabled)
        now = self._clock_us()
        awake = [
            webhook
            for webhook in self._webhooks
            if webhook.name not in disabled and _pause_of(known.get(webhook.name), webhook) <= now
        ]
        return sum(await asyncio.gather(*(self._deliver(webhook) for webhook in awake)))

    async def _run(self) -> None:
        while not self._is_over.is_set():
            self._has_news.clear()
            try:
                await self.round()
            except StorageError as error:
                self._meter.watch_failed("sender")
                logger.warning("alerts not sent", extra={"error": error.label})
            except Exception:  # the loop must outlive any surprise
                self._meter.watch_failed("sender")
                logger.exception("alerts not sent")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._has_news.wait(), self._limits.poll_s)

    async def _deliver(self, webhook: Webhook) -> int:
        """Tries what is due for one webhook, in order, until something fails."""
        tries = 0
        while not self._is_over.is_set():
            now = self._clock_us()
            async with self._store.reading() as unit:
                due = await unit.alerts.due(webhook.name, now_us=now, limit=1)
            if not due or not await self._claim(due[0], now):
                return tries
            tries += 1
            if not await self._try(webhook, replace(due[0], tries=due[0].tries + 1)):
                return tries
        return tries

    async def _claim(self, delivery: DeliveryRecord, now: int) -> bool:
        until = now + _us(self._limits.timeout_s + CLAIM_SPARE_S)
        async with self._store.writing() as unit:
            return await unit.alerts.claim(delivery, until_us=until)

    async def _try(self, webhook: Webhook, delivery: DeliveryRecord) -> bool:
        """One try, and what it came to; False where nothing more should be tried now."""
        headers, body = webhook.request(
            orjson.loads(delivery.payload), event_id=delivery.event_id, at_us=self._clock_us()
        )
        answer = await self._unless_over(self._poster.post(webhook.url, headers, body))
        if answer is None:
            await self._note(delivery, "pending", Answer(error="stopped"), next_us=0)
            return False
        if answer.is_delivered:
            await self._note(delivery, "delivered", answer)
        elif answer.status == GONE:
            await self._disable(webhook, delivery, answer)
        else:
            await self._again(webhook, delivery, answer)
        self._tell(webhook, delivery, answer)
        return answer.is_delivered

    async def _unless_over(self, work: Coroutine[Any, Any, Answer]) -> Answer | None:
        """The answer; None where the service stops first, and the call is broken off."""
        call = asyncio.create_task(work)
        over = asyncio.create_task(self._is_over.wait())
        try:
            await asyncio.wait({call, over}, return_when=asyncio.FIRST_COMPLETED)
            return call.result() if call.done() else None
        finally:
            over.cancel()
            call.cancel()
            with suppress(asyncio.CancelledError):
                await call

    async def _again(self, webhook: Webhook, delivery: DeliveryRecord, answer: Answer) -> None:
        """Puts off a message that was not taken, or gives it up."""
        now = self._clock_us()
        pause_s = max(self._backoff_s(delivery.tries), answer.retry_after_s or 0.0)
        if now + _us(pause_s) > delivery.created_us + _us(self._limits.give_up_s):
            await self._note(delivery, "gave_up", answer)
            self._meter.alert_sent(webhook.name, "gave_up")
            logger.error("alert given up", extra=_fields(webhook, delivery, answer))
            return
        await self._note(delivery, "pending", answer, next_us=now + _us(pause_s))
        if answer.status in BUSY and answer.retry_after_s:
            until = now + _us(answer.retry_after_s)
            await self._note_receiver(webhook, disabled_us=None, wait_until_us=until)

    def _backoff_s(self, tries: int) -> float:
        """Between half and the whole of a wait that grows threefold with each try."""
        longest = self._limits.max_retry_s
        wait_s = min(longest, self._limits.first_retry_s * GROWTH ** min(tries - 1, 20))
        return wait_s * (0.5 + self._draw() / 2)

    async def _disable(self, webhook: Webhook, delivery: DeliveryRecord, answer: Answer) -> None:
        now = self._clock_us()
        await self._note(delivery, "disabled", answer)
        await self._note_receiver(webhook, disabled_us=now, wait_until_us=None)
        async with self._store.writing() as unit:
            await unit.alerts.end_pending("disabled", now_us=now, receiver=webhook.name)
        self.disabled |= {webhook.name}
        self._meter.webhook_disabled(webhook.name, is_disabled=True)
        logger.error("webhook disabled", extra=_fields(webhook, delivery, answer))

    async def _note(
        self,
        delivery: DeliveryRecord,
        status: DeliveryStatus,
        answer: Answer,
        *,
        next_us: int | None = None,
    ) -> None:
        now = self._clock_us()
        async with self._store.writing() as unit:
            await unit.alerts.note_try(
                delivery.id,
                status=status,
                next_us=now if next_us is None else next_us,
                done_us=None if status == "pending" else now,
                http_status=answer.status,
                error=answer.error,
            )

    async def _note_receiver(
        self, webhook: Webhook, *, disabled_us: int | None, wait_until_us: int | None
    ) -> None:
        record = ReceiverRecord(
            name=webhook.name,
            address_hash=webhook.address_hash,
            disabled_us=disabled_us,
            wait_until_us=wait_until_us,
        )
        for _ in range(2):
            with suppress(DuplicateRecord):
                async with self._store.writing() as unit:
                    await unit.alerts.note_receiver(record)
                return

    def _tell(self, webhook: Webhook, delivery: DeliveryRecord, answer: Answer) -> None:
        outcome = "failed"
        if answer.is_delivered:
            outcome = "delivered"
        elif answer.status == GONE:
            outcome = "gone"
        elif answer.error == REFUSED:
            outcome = "refused"
        self._meter.alert_sent(webhook.name, outcome)
        level = logging.INFO if answer.is_delivered else logging.WARNING
        logger.log(
            level, "alert sent", extra=_fields(webhook, delivery, answer) | {"outcome": outcome}
        )


def _pause_of(known: ReceiverRecord | None, webhook: Webhook) -> int:
    if known is None or known.address_hash != webhook.address_hash:
        return 0
    return known.wait_until_us or 0


def _fields(webhook: Webhook, delivery: DeliveryRecord, answer: Answer) -> dict[str, Any]:
    """What a log line has of a try; no address and no secret."""
    return {
        "webhook": webhook.name,
        "event": delivery.event_id,
        "type": delivery.type,
        "tries": delivery.tries,
        "status": answer.status,
        "error": answer.error,
    }


def _us(seconds: float) -> int:
    return round(seconds * 1e6)
