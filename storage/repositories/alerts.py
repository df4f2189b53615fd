"""Alerts, what is still to be told of them, and who is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import and_, exists, func, insert, or_, select, update
from sqlalchemy import delete as delete_from
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables
from storage.jsontext import short
from storage.records import AlertRecord, DeliveryRecord, DeliveryStatus, ReceiverRecord

_alerts = tables.alerts
_deliveries = tables.alert_deliveries
_receivers = tables.alert_receivers


class Alerts:
    """The alerts of one unit of work.

    Write an alert and its deliveries in the same unit of work: then both are there or neither.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def raised_again(
        self, key: str, *, now_us: int, stale_after_us: int | None = None
    ) -> bool:
        """Note that an open alert was raised again; False where none of this key is open."""
        statement = (
            update(_alerts)
            .where(_is_open_with(key))
            .values(
                seen_us=now_us,
                clear_us=None,
                repeats=_alerts.c.repeats + 1,
                stale_after_us=stale_after_us,
            )
        )
        return (await self._connection.execute(statement)).rowcount > 0

    async def add(self, record: AlertRecord) -> None:
        """Store a new alert; DuplicateRecord while one of its key is open."""
        fields = asdict(record) | {"key": short(record.key)}
        await self._connection.execute(insert(_alerts).values(fields))

    async def clear(self, key: str, *, now_us: int) -> bool:
        """Note since when the cause is gone; False where no alert of this key is open."""
        since = func.coalesce(_alerts.c.clear_us, now_us)
        statement = update(_alerts).where(_is_open_with(key)).values(clear_us=since)
        return (await self._connection.execute(statement)).rowcount > 0

    async def over(self, *, now_us: int, hold_us: int) -> list[AlertRecord]:
        """The open alerts that have come to their end, oldest first.

        Their cause is gone for `hold_us`, or they were not raised again in the time they give.
        """
        is_stale = _alerts.c.seen_us + _alerts.c.stale_after_us <= now_us
        query = (
            select(_alerts)
            .where(_alerts.c.resolved_us.is_(None))
            .where(or_(_alerts.c.clear_us <= now_us - hold_us, is_stale))
            .order_by(_alerts.c.created_us, _alerts.c.id)
        )
        return [AlertRecord(**row) for row in await self._rows(query)]

    async def resolve(self, ident: str, *, now_us: int) -> bool:
        """End an open alert; False where somebody else has."""
        statement = (
            update(_alerts)
            .where(_alerts.c.id == ident)
            .where(_alerts.c.resolved_us.is_(None))
            .values(resolved_us=now_us)
        )
        return (await self._connection.execute(statement)).rowcount > 0

    async def open(self, kind: str | None = None) -> list[AlertRecord]:
        """The open alerts, of one type or of all, oldest first."""
        query = select(_alerts).where(_alerts.c.resolved_us.is_(None))
        if kind is not None:
            query = query.where(_alerts.c.type == kind)
        query = query.order_by(_alerts.c.created_us, _alerts.c.id)
        return [AlertRecord(**row) for row in await self._rows(query)]

    async def recent(self, *, limit: int = 50) -> list[AlertRecord]:
        """The newest alerts, open or not, newest first."""
        query = select(_alerts).order_by(_alerts.c.created_us.desc(), _alerts.c.id.desc())
        return [AlertRecord(**row) for row in await self._rows(query.limit(limit))]

    async def enqueue(self, deliveries: Collection[DeliveryRecord]) -> None:
        """Store messages that are to be sent."""
        if deliveries:
            rows = [asdict(delivery) for delivery in deliveries]
            await self._connection.execute(insert(_deliveries), rows)

    async def due(self, receiver: str, *, now_us: int, limit: int = 20) -> list[DeliveryRecord]:
        """Messages to this receiver that may be tried now, oldest first.

        Those of one alert keep their order: none is due while an older one waits.
        """
        older = _deliveries.alias("older")
        has_older = exists().where(
            and_(
                older.c.alert_id == _deliveries.c.alert_id,
                older.c.receiver == _deliveries.c.receiver,
                older.c.status == "pending",
                older.c.id < _deliveries.c.id,
            )
        )
        query = (
            select(_deliveries)
            .where(_deliveries.c.status == "pending")
            .where(_deliveries.c.receiver == receiver)
            .where(_deliveries.c.next_us <= now_us)
            .where(~has_older)
            .order_by(_deliveries.c.id)
            .limit(limit)
        )
        return [DeliveryRecord(**row) for row in await self._rows(query)]

    async def claim(self, delivery: DeliveryRecord, *, until_us: int) -> bool:
        """Take a message to try it; nobody else tries it before `until_us`.

        False where somebody else took it since it was read.
        """
        statement = (
            update(_deliveries)
            .where(_deliveries.c.id == delivery.id)
            .where(_deliveries.c.status == "pending")
            .where(_deliveries.c.next_us == delivery.next_us)
            .values(next_us=until_us, tries=_deliveries.c.tries + 1)
        )
        return (await self._connection.execute(statement)).rowcount > 0

    async def note_try(
        self,
        ident: str,
        *,
        status: DeliveryStatus,
        next_us: int,
        done_us: int | None,
        http_status: int | None,
        error: str | None,
    ) -> None:
        """Write down what came of a try."""
        values = {
            "status": status,
            "next_us": next_us,
            "done_us": done_us,
            "http_status": http_status,
            "error": error,
        }
        statement = update(_deliveries).where(_deliveries.c.id == ident).values(values)
        await self._connection.execute(statement)

    async def end_pending(
        self, status: DeliveryStatus, *, now_us: int, receiver: str | None = None,
        created_before_us: int | None = None,
    ) -> int:  # fmt: skip
        """End the messages that wait, for a receiver or older than a time; how many."""
        statement = update(_deliveries).where(_deliveries.c.status == "pending")
        if receiver is not None:
            statement = statement.where(_deliveries.c.receiver == receiver)
        if created_before_us is not None:
            statement = statement.where(_deliveries.c.created_us < created_before_us)
        statement = statement.values(status=status, done_us=now_us)
        return (await self._connection.execute(statement)).rowcount

    async def deliveries(self, *, limit: int = 50) -> list[DeliveryRecord]:
        """The newest messages, newest first."""
        columns = _deliveries.c
        query = select(_deliveries).order_by(columns.created_us.desc(), columns.id.desc())
        return [DeliveryRecord(**row) for row in await self._rows(query.limit(limit))]

    async def receivers(self) -> dict[str, ReceiverRecord]:
        """What is known of receivers, by name; most are not known at all."""
        found = [ReceiverRecord(**row) for row in await self._rows(select(_receivers))]
        return {record.name: record for record in found}

    async def note_receiver(self, record: ReceiverRecord) -> None:
        """Write down what is known of a receiver now; DuplicateRecord where two do so at once."""
        fields = asdict(record)
        known = update(_receivers).where(_receivers.c.name == record.name).values(fields)
        if not (await self._connection.execute(known)).rowcount:
            await self._connection.execute(insert(_receivers).values(fields))

    async def forget(self, *, before_us: int) -> int:
        """Delete alerts and messages that ended before this time; how many rows."""
        ended = delete_from(_alerts).where(_alerts.c.resolved_us < before_us)
        told = delete_from(_deliveries).where(_deliveries.c.done_us < before_us)
        return sum([(await self._connection.execute(one)).rowcount for one in (ended, told)])

    async def _rows(self, query: Any) -> list[Mapping[str, Any]]:
        found = (await self._connection.execute(query)).mappings().all()
        return [{str(name): value for name, value in row.items()} for row in found]


def _is_open_with(key: str) -> Any:
    return and_(_alerts.c.key == short(key), _alerts.c.resolved_us.is_(None))
