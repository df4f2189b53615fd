"""Old exchanges go, with all that belongs to them: by whole partitions, or a few at a time.

What refers to an exchange by a foreign key of `tables.py` (scores, feedback, comparisons, whatever
later tables hold) goes with it. On SQLite, and in PostgreSQL's default partition, exchanges are
deleted in small groups, each in a transaction of its own, so that traffic is not kept waiting.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Table, column, delete, func, or_, select, table
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import partitions, tables
from storage.ids import now_us
from storage.partitions import Span
from storage.store import Store

GROUP = 500
DAY_US = 86_400_000_000
_CLOCKS_US = 60_000_000
_exchanges = tables.interactions
_rest = table("interactions_default", column("id"), column("created_us"))


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, or would be: rows by table, and partitions by the exchanges' name.

    `is_finished` is False where the time ran out and more is to be removed.
    """

    rows: dict[str, int]
    partitions: tuple[str, ...]
    is_finished: bool = True


def owners() -> dict[Table, list[Column[str]]]:
    """Tables whose rows belong to exchanges, with the columns that name them; exchanges last."""
    found: dict[Table, list[Column[str]]] = {}
    for each in tables.metadata.sorted_tables:
        for key in each.foreign_keys:
            if key.column is _exchanges.c.id and key.ondelete == "CASCADE":
                found.setdefault(each, []).append(key.parent)
    return found | {_exchanges: [_exchanges.c.id]}


async def prune(
    store: Store,
    *,
    days: int,
    at_us: int | None = None,
    limit_s: float | None = None,
    is_dry_run: bool = False,
) -> Pruned:
    """Remove the exchanges that are older than so many days, and answers kept for repeats.

    On PostgreSQL a partition goes when the whole of its time is older, so its last exchanges stay
    until then. After `limit_s` it stops, and the next call goes on. Raises StorageError; what was
    removed before that stays removed.
    """
    before_us = (now_us() if at_us is None else at_us) - days * DAY_US
    run = _Run(store, before_us, None if limit_s is None else time.monotonic() + limit_s)
    is_finished = await (run.count() if is_dry_run else run.remove())
    rows = {name: count for name, count in sorted(run.rows.items()) if count}
    return Pruned(rows, tuple(run.dropped), is_finished)


class _Run:
    def __init__(self, store: Store, before_us: int, until_s: float | None) -> None:
        self.rows: Counter[str] = Counter()
        self.dropped: list[str] = []
        self._store = store
        self._before_us = before_us
        self._until_s = until_s
        self._source = _rest if partitions.has_partitions(store) else _exchanges

    async def count(self) -> bool:
        """Count what would be removed."""
        old = select(self._source.c.id).where(self._source.c.created_us < self._before_us)
        async with self._store.reading() as unit:
            for span in await self._past(unit.connection):
                await self._count(unit.connection, _in_span(span))
                self.dropped.append(_name(span))
            await self._count(unit.connection, lambda named: named.in_(old))
            answers = tables.idempotency.c.created_us < self._before_us
            query = select(func.count()).select_from(tables.idempotency).where(answers)
            self.rows["idempotency"] += (await unit.connection.execute(query)).scalar_one()
            self.rows["pardons"] += await unit.abuse.pardons(before_us=self._before_us)
        return True

    async def remove(self) -> bool:
        """Remove; False where the time ran out."""
        async with self._store.reading() as unit:
            past = await self._past(unit.connection)
        for span in past:
            if self._is_late():
                return False
            await self._drop(span)
        while idents := await self._oldest():
            if self._is_late():
                return False
            await self._delete(idents)
        async with self._store.writing() as unit:
            self.rows["idempotency"] += await unit.idempotency.forget(before_us=self._before_us)
            self.rows["pardons"] += await unit.abuse.forget(before_us=self._before_us)
        return True

    def _is_late(self) -> bool:
        return self._until_s is not None and time.monotonic() >= self._until_s

    async def _past(self, connection: AsyncConnection) -> list[Span]:
        """The spans that are over. One that holds a younger exchange, whatever its id says, is not.

        The clock of whoever made an id may have been a little behind.
        """
        if not partitions.has_partitions(self._store):
            return []
        over = []
        for span in await partitions.spans(connection):
            if span.stop_us + _CLOCKS_US <= self._before_us:
                inside = _in_span(span)(_exchanges.c.id)
                query = select(func.max(_exchanges.c.created_us)).where(inside)
                newest = (await connection.execute(query)).scalar_one()
                over += [span] if newest is None or newest < self._before_us else []
        return over

    async def _count(self, connection: AsyncConnection, which: _Which) -> None:
        for owner, columns in owners().items():
            named = or_(*map(which, columns))
            found = await connection.execute(select(func.count()).select_from(owner).where(named))
            self.rows[owner.name] += found.scalar_one()

    async def _drop(self, span: Span) -> None:
        """Drop the partitions of a span, after what people said of its exchanges."""
        which, dropped = _in_span(span), Counter[str]()
        for owner, columns in owners().items():
            if owner.name in partitions.TABLES:
                async with self._store.reading() as unit:
                    query = select(func.count()).select_from(owner).where(which(columns[0]))
                    dropped[owner.name] = (await unit.connection.execute(query)).scalar_one()
            else:
                await self._clear(owner, or_(*map(which, columns)))
        await partitions.drop(self._store, span)
        self.rows += dropped
        self.dropped.append(_name(span))

    async def _clear(self, owner: Table, condition: ColumnElement[bool]) -> None:
        key = next(iter(owner.primary_key.columns))
        some = select(key).where(condition).limit(GROUP)
        gone = GROUP
        while gone == GROUP:
            async with self._store.writing() as unit:
                done = await unit.connection.execute(delete(owner).where(key.in_(some)))
            gone = done.rowcount
            self.rows[owner.name] += gone

    async def _oldest(self) -> Sequence[str]:
        """The next exchanges to delete one by one."""
        old = self._source.c
        query = select(old.id).where(old.created_us < self._before_us)
        async with self._store.reading() as unit:
            found = await unit.connection.execute(query.order_by(old.created_us).limit(GROUP))
            return found.scalars().all()

    async def _delete(self, idents: Sequence[str]) -> None:
        removed = Counter[str]()
        async with self._store.writing() as unit:
            for owner, columns in owners().items():
                named = or_(*(each.in_(idents) for each in columns))
                done = await unit.connection.execute(delete(owner).where(named))
                removed[owner.name] = done.rowcount
        self.rows += removed


_Which = Callable[[Column[str]], ColumnElement[bool]]


def _in_span(span: Span) -> _Which:
    return lambda named: (named >= span.first) & (named < span.bound)


def _name(span: Span) -> str:
    return f"interactions_{span.suffix}"
