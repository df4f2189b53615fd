"""Watchers that keep the alerts themselves in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import orjson

from service.watch import alertmanager
from service.watch.alerts import Alerts, count_by_type
from service.watch.message import about, message
from service.watch.post import Poster
from service.watch.webhooks import Webhook
from storage.ids import new_id, now_us
from storage.store import Store

DAY_US = 24 * 3600 * 1_000_000


class AlertMeter(Protocol):
    """Whoever counts alerts."""

    def alerts_open(self, kind: str, count: int) -> None:
        """So many alerts of this type are open."""
        ...

    def alert_sent(self, webhook: str, status: str) -> None:
        """A try to tell a webhook came to this."""
        ...


@dataclass
class Settling:
    """Ends the alerts that are over, on one process."""

    alerts: Alerts
    name: str = "settling"
    every_s: float = 15.0
    is_everywhere: bool = False

    async def look(self) -> None:
        """Ends what is over."""
        await self.alerts.settle()


@dataclass
class Counting:
    """Counts the open alerts, in every process: any of them may be asked for its figures."""

    alerts: Alerts
    meter: AlertMeter
    name: str = "counting"
    every_s: float = 15.0
    is_everywhere: bool = True
    _shown: set[str] = field(default_factory=set)

    async def look(self) -> None:
        """Counts; a type that was shown once is shown as 0 from then on."""
        counts = count_by_type(await self.alerts.open())
        self._shown |= counts.keys()
        for kind in self._shown:
            self.meter.alerts_open(kind, counts.get(kind, 0))


@dataclass
class Forgetting:
    """Gives up messages to webhooks that are not configured any more, and forgets old alerts."""

    store: Store
    give_up_s: float
    keep_days: int
    clock_us: Callable[[], int] = now_us
    name: str = "forgetting"
    every_s: float = 3600.0
    is_everywhere: bool = False

    async def look(self) -> None:
        """Drops and forgets what is due."""
        now = self.clock_us()
        # A webhook's own sender has given up before: what is left here has none.
        too_old = now - round((self.give_up_s + 3600) * 1e6)
        async with self.store.writing() as unit:
            await unit.alerts.end_pending("dropped", now_us=now, created_before_us=too_old)
            await unit.alerts.forget(before_us=now - self.keep_days * DAY_US)


@dataclass
class Refreshing:
    """Tells Alertmanager of all that is open, again and again: it forgets by itself.

    What fails is not tried again; the next time is near.
    """

    alerts: Alerts
    webhooks: Sequence[Webhook]
    poster: Poster
    meter: AlertMeter
    disabled: Callable[[], frozenset[str]]
    clock_us: Callable[[], int] = now_us
    name: str = "refreshing"
    every_s: float = 60.0
    is_everywhere: bool = False

    async def look(self) -> None:
        """Sends one request to each Alertmanager, where anything is open."""
        found = [one for one in self.webhooks if one.format == "alertmanager"]
        awake = [one for one in found if one.name not in self.disabled()]
        records = await self.alerts.open() if awake else []
        if not records:
            return
        now = self.clock_us()
        told = [message(r.type, r.created_us, about(r, r.type, now)) for r in records]
        body = orjson.dumps([alertmanager.rendered(one, at_us=now) for one in told])
        for webhook in awake:
            headers = webhook.headers(body, event_id=new_id("msg", now), at_us=now)
            answer = await self.poster.post(webhook.url, headers, body)
            status = "delivered" if answer.is_delivered else "failed"
            self.meter.alert_sent(webhook.name, status)
