"""Partitions by time on PostgreSQL: which there are, and making those of the time to come.

An id begins with its time, so a range of ids is a span of time. The catalogue is the only list of
partitions. What no partition takes (a strange id, a time that nobody prepared for) goes to the
default ones and is found there like everything else.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables
from storage.errors import StoreUnavailable
from storage.ids import first_id, id_us, now_us
from storage.store import Store

_log = logging.getLogger(__name__)

TABLES = {
    "interactions": "id",
    "scores": "interaction_id",
    "responses": "interaction_id",
    "tags": "interaction_id",
}
"""The partitioned tables with the id that says where a row goes; exchanges come first."""

DEFAULT_SPAN_DAYS = 30
SPANS_AHEAD = 2
LOCK_NUMBER = 0x6661_6972_6C65_7061
_DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000
_BOUNDS = re.compile(r"FROM \('(fl_\w+)'\) TO \('(fl_\w+)'\)")
# What reads (an export, a backup) may hold the tables for long, and whoever waits for all of them
# makes everybody behind wait too.
_PATIENCE = "SET LOCAL lock_timeout = '3s'"
_REFERRING = (
    each.name
    for each in tables.metadata.sorted_tables
    if each.name not in TABLES
    and any(key.column.table is tables.interactions for key in each.foreign_keys)
)
# In the order in which writers take them, so that none waits for us while we wait for it.
_LOCK = f"LOCK TABLE {', '.join((*_REFERRING, *TABLES))} IN ACCESS EXCLUSIVE MODE"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A time from `start_us` on and before `stop_us`, and the end of its partitions' names."""

    start_us: int
    stop_us: int
    suffix: str

    @classmethod
    def of(cls, start_us: int, stop_us: int) -> Span:
        """A new span, named after its beginning."""
        start = datetime.fromtimestamp(start_us / 1_000_000, UTC)
        return cls(start_us, stop_us, f"p{start:%Y%m%d%H}")

    @property
    def first(self) -> str:
        """The least id in it."""
        return first_id("fl", self.start_us)

    @property
    def bound(self) -> str:
        """The least id after it."""
        return first_id("fl", self.stop_us)


def has_partitions(store: Store) -> bool:
    """Whether the database of this store is partitioned: PostgreSQL is, SQLite is not."""
    return not store.engines.is_single_writer


async def spans(connection: AsyncConnection) -> list[Span]:
    """The spans that have partitions now, oldest first; the default partition is none."""
    found = await connection.execute(
        text(
            "SELECT relname, pg_get_expr(relpartbound, pg_class.oid) FROM pg_inherits "
            "JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = 'interactions'::regclass"
        )
    )
    bounds = ((str(name), _BOUNDS.search(str(expression))) for name, expression in found)
    return sorted(
        Span(id_us(match[1]), id_us(match[2]), name.removeprefix("interactions_"))
        for name, match in bounds
        if match is not None
    )


async def make_ahead(
    store: Store, *, span_days: int = DEFAULT_SPAN_DAYS, at_us: int | None = None
) -> tuple[str, ...]:
    """Make the partitions up to two spans from now; gives the names of those of exchanges.

    Any number of processes may do this at any time: one works, the others give way. Does nothing on
    SQLite. Raises StoreUnavailable where the tables are held by a long reader: try again later.
    """
    if not has_partitions(store):
        return ()
    now = now_us() if at_us is None else at_us
    async with store.writing() as unit:
        connection = unit.connection
        if not await alone(connection):
            return ()
        known = await spans(connection)
        wanted = list(_wanted(known, now, span_days * _DAY_US))
        if wanted:
            await _lock(connection)
        made = [await _make(connection, span) for span in wanted]
    return tuple(name for name in made if name is not None)


async def alone(connection: AsyncConnection) -> bool:
    """Whether this transaction may change partitions; until its end no other one may."""
    query = text("SELECT pg_try_advisory_xact_lock(:number)")
    found = await connection.execute(query, {"number": LOCK_NUMBER})
    return bool(found.scalar_one())


async def drop(store: Store, span: Span) -> None:
    """Drop the partitions of a span, rows and all; nothing may refer to its exchanges any more.

    Raises StoreUnavailable where another process changes partitions or a long reader holds them.
    """
    async with store.writing() as unit:
        connection = unit.connection
        if not await alone(connection):
            raise StoreUnavailable("another process is changing partitions; try again later")
        await _lock(connection)
        for table in TABLES:
            name = f"{table}_{span.suffix}"
            await connection.execute(text(f"ALTER TABLE {table} DETACH PARTITION {name}"))
            await connection.execute(text(f"DROP TABLE {name}"))


async def _lock(connection: AsyncConnection) -> None:
    await connection.execute(text(_PATIENCE))
    await connection.execute(text(_LOCK))


def _wanted(known: Iterable[Span], now: int, span_us: int) -> Iterable[Span]:
    """The spans to make: after the last one that is known, up to two from now."""
    start = max((span.stop_us for span in known), default=now // span_us * span_us)
    while start < now + SPANS_AHEAD * span_us:
        stop = (start // span_us + 1) * span_us
        yield Span.of(start, stop)
        start = stop


async def _make(connection: AsyncConnection, wanted: Span) -> str | None:
    span = await _free(connection, wanted)
    if span is None:
        return None
    await make(connection, span)
    return f"interactions_{span.suffix}"


async def make(connection: AsyncConnection, span: Span) -> None:
    """Make the partitions of one span, which overlaps no other."""
    for table in TABLES:
        name, bounds = f"{table}_{span.suffix}", f"FROM ('{span.first}') TO ('{span.bound}')"
        await connection.execute(
            text(f"CREATE TABLE {name} PARTITION OF {table} FOR VALUES {bounds}")
        )


async def _free(connection: AsyncConnection, span: Span) -> Span | None:
    """The part of a span after what the default partition already has of it; None if all has.

    Exchanges are never moved: what came before anybody made their partition stays where it is.
    """
    query = text("SELECT max(id) FROM interactions_default WHERE id >= :first AND id < :bound")
    found = await connection.execute(query, {"first": span.first, "bound": span.bound})
    newest = found.scalar_one()
    if newest is None:
        return span
    try:
        start = (id_us(newest) // _HOUR_US + 1) * _HOUR_US
    except ValueError:
        start = span.stop_us
    _log.warning("exchanges without a partition", extra={"span": span.suffix, "newest": newest})
    return Span.of(start, span.stop_us) if start < span.stop_us else None
