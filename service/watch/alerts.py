"""Alerts: raised once, told once, resolved once.

An alert has a key, its type and its labels. While one of a key is open, raising it again is
noted and not told. It ends when its cause is gone for `hold_s`, or was not reported any more;
then `*.resolved` is told. What is to be told is stored with the alert, in one transaction, and
`sender.py` delivers it: what has been decided is never lost.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import orjson

from service.watch.message import about, message
from storage.errors import DuplicateRecord
from storage.ids import new_id, now_us
from storage.records import AlertRecord, DeliveryRecord, ReceiverRecord
from storage.store import Store, UnitOfWork

AlertType = Literal[
    "drift.detected",
    "veto_rate.high",
    "calibration.degraded",
    "scorer.unhealthy",
    "knowledge_gap.found",
]

TEST = "test"
MAX_LABEL_CHARS = 120
MAX_DETAILS_BYTES = 16 * 1024

_LABEL = re.compile(r"[a-z][a-z0-9_]*")
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What is wrong.

    `labels` tell alerts of one type apart; their values are cut at 120 characters. `summary` is
    one line for people, `details` are figures and ids, JSON of at most 16 KiB. **Nothing in them
    may be text of a user or of a model**: exchanges are named by their ids.

    Where `stale_after_s` is set the alert also ends by not being raised again for that long; for
    whatever may vanish without saying that all is well.
    """

    type: AlertType
    summary: str
    labels: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    stale_after_s: float | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a label that no receiver takes, and for details that are too many.

        Both are faults of whoever raises the alert.
        """
        for name in self.labels:
            if not _LABEL.fullmatch(name):
                raise ValueError(f"a label is named in small letters and underscores, not {name!r}")
        if len(orjson.dumps(self.details)) > MAX_DETAILS_BYTES:
            raise ValueError(f"the details of an alert are over {MAX_DETAILS_BYTES} bytes")


class Recipient(Protocol):
    """Whoever is told of alerts; `webhooks.Webhook` is one."""

    @property
    def name(self) -> str:
        """Its name in the store, in metrics and logs."""
        ...

    @property
    def address_hash(self) -> str:
        """The hash of its address, which may be a secret."""
        ...


class Alerts:
    """Raises and ends alerts. `hold_s` is for how long a cause has to be gone."""

    def __init__(
        self,
        store: Store,
        recipients: Sequence[Recipient] = (),
        *,
        hold_s: float = 300.0,
        clock_us: Callable[[], int] = now_us,
    ) -> None:
        self._store = store
        self._recipients = tuple(recipients)
        self._hold_us = round(hold_s * 1e6)
        self._clock_us = clock_us
        self.has_news = asyncio.Event()
        """Set when something waits to be told."""

    async def raise_alert(self, alert: Alert) -> bool:
        """Raises an alert; True where it is new, False where it is open already.

        Raises StorageError where the store is away: then nothing was decided, raise it again.
        """
        key = key_of(alert.type, alert.labels)
        for _ in range(_TRIES):
            try:
                return await self._raise(alert, key)
            except DuplicateRecord:
                continue  # another process was quicker; the alert is open now
        return False

    async def resolve(self, kind: AlertType, labels: Mapping[str, str] | None = None) -> bool:
        """Says that the cause is gone; False where no such alert is open.

        Call it whenever the cause is not there. The alert ends once it has been gone for
        `hold_s`, in which raising it again keeps it open and tells nobody.
        """
        async with self._store.writing() as unit:
            return await unit.alerts.clear(key_of(kind, labels or {}), now_us=self._clock_us())

    async def open(self, kind: AlertType | None = None) -> list[AlertRecord]:
        """The open alerts of a type, or all, oldest first."""
        async with self._store.reading() as unit:
            return await unit.alerts.open(kind)

    async def settle(self) -> int:
        """Ends the alerts that are over and has it told; how many. The loop calls it."""
        now = self._clock_us()
        async with self._store.reading() as unit:
            found = await unit.alerts.over(now_us=now, hold_us=self._hold_us)
        return sum([await self._end(record) for record in found])

    async def _raise(self, alert: Alert, key: str) -> bool:
        now = self._clock_us()
        stale_us = None if alert.stale_after_s is None else round(alert.stale_after_s * 1e6)
        async with self._store.writing() as unit:
            if await unit.alerts.raised_again(key, now_us=now, stale_after_us=stale_us):
                return False
            record = AlertRecord(
                id=new_id("al", now),
                key=key,
                type=alert.type,
                labels=_cut(alert.labels),
                summary=alert.summary,
                details=dict(alert.details),
                created_us=now,
                seen_us=now,
                stale_after_us=stale_us,
            )
            await unit.alerts.add(record)
            await self._tell(unit, record, alert.type, now=now)
        self.has_news.set()
        return True

    async def _end(self, record: AlertRecord) -> bool:
        now = self._clock_us()
        async with self._store.writing() as unit:
            if not await unit.alerts.resolve(record.id, now_us=now):
                return False
            kind = record.type.partition(".")[0] + ".resolved"
            await self._tell(unit, record, kind, now=now)
        self.has_news.set()
        return True

    async def _tell(self, unit: UnitOfWork, record: AlertRecord, kind: str, *, now: int) -> None:
        known = await unit.alerts.receivers()
        told = [one for one in self._recipients if not is_disabled(one, known.get(one.name))]
        payload = orjson.dumps(message(kind, now, about(record, kind, now))).decode()
        event = new_id("msg", now)
        await unit.alerts.enqueue(
            [
                DeliveryRecord(
                    id=new_id("ad", now),
                    created_us=now,
                    event_id=event,
                    alert_id=record.id,
                    type=kind,
                    receiver=one.name,
                    payload=payload,
                    next_us=now,
                )
                for one in told
            ]
        )


def key_of(kind: str, labels: Mapping[str, str]) -> str:
    """The key of an alert: its type and its labels in their order, then a hash of the whole."""
    shown = ",".join(f"{name}={value}" for name, value in sorted(_cut(labels).items()))
    whole = orjson.dumps([kind, sorted(labels.items())])
    return f"{kind}{{{shown}}}#{hashlib.sha256(whole).hexdigest()[:16]}"[-_KEY_CHARS:]


_KEY_CHARS = 500


def is_disabled(recipient: Recipient, known: ReceiverRecord | None) -> bool:
    """Whether it has said that it wants no more; another address is asked anew."""
    if known is None or known.address_hash != recipient.address_hash:
        return False
    return known.disabled_us is not None


def _cut(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value[:MAX_LABEL_CHARS] for name, value in labels.items()}


def count_by_type(records: Iterable[AlertRecord]) -> dict[str, int]:
    """How many alerts there are of each type."""
    counts: dict[str, int] = {}
    for record in records:
        counts[record.type] = counts.get(record.type, 0) + 1
    return counts
