"""Comparisons: one reply preferred to another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple

from sqlalchemy import (
    ColumnElement,
    String,
    and_,
    case,
    cast,
    insert,
    or_,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables
from storage.jsontext import clean
from storage.records import ComparisonRecord
from storage.repositories.paging import STREAMED_ROWS, Listing, Page

_table = tables.comparisons
Vote = Literal["first", "second", "tie"]
_EQUALS = ("rater", "key_id", "ranking_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonFilter:
    """Which comparisons to list; None does not filter. `since_us` is inclusive, `until_us` not.

    `interaction_id` is the exchange of either reply.
    """

    interaction_id: str | None = None
    rater: str | None = None
    key_id: str | None = None
    ranking_id: str | None = None
    since_us: int | None = None
    until_us: int | None = None


class VoteRow(NamedTuple):
    """One rater's word on two replies, whichever way round it was written."""

    replies: tuple[str, str]
    key_id: str | None
    rater: str
    vote: Vote


class Comparisons:
    """The comparisons of one unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: ComparisonRecord) -> None:
        """Store one comparison; DuplicateRecord for a known id, MissingRecord for no exchange."""
        await self.add_all([record])

    async def add_all(self, records: Sequence[ComparisonRecord]) -> None:
        """Store several comparisons, all or none; errors as of `add`."""
        rows = [
            asdict(record) | {"rater": clean(record.rater), "comment": clean(record.comment)}
            for record in records
        ]
        await self._connection.execute(insert(_table), rows)

    async def get(self, ident: str) -> ComparisonRecord | None:
        """The comparison with this id."""
        query = select(_table).where(_table.c.id == clean(ident))
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else ComparisonRecord(**row)

    async def ranking(self, ident: str, *, key_id: str | None = None) -> list[ComparisonRecord]:
        """The comparisons of one ranking, the first first; with `key_id` only if it is theirs."""
        query = select(_table).where(_condition(ComparisonFilter(ranking_id=ident, key_id=key_id)))
        query = query.order_by(_table.c.created_us, _table.c.id)
        rows = (await self._connection.execute(query)).mappings()
        return [ComparisonRecord(**row) for row in rows]

    async def votes(self, where: ComparisonFilter | None = None) -> AsyncIterator[VoteRow]:
        """Every comparison, of one two replies after the other, of one the oldest first."""
        columns = _table.c
        chosen = _side(columns.chosen_interaction_id, columns.chosen_choice)
        rejected = _side(columns.rejected_interaction_id, columns.rejected_choice)
        first = case((chosen < rejected, chosen), else_=rejected)
        second = case((chosen < rejected, rejected), else_=chosen)
        query = (
            select(first, second, columns.key_id, columns.rater, chosen < rejected, columns.is_tie)
            .where(_condition(where or ComparisonFilter()))
            .order_by(first, second, columns.created_us, columns.id)
        )
        streamed = query.execution_options(yield_per=STREAMED_ROWS)
        async with self._connection.stream(streamed) as found:
            async for rows in found.partitions():
                for one, other, key_id, rater, is_first, is_tie in rows:
                    vote: Vote = "tie" if is_tie else "first" if is_first else "second"
                    yield VoteRow((one, other), key_id, rater, vote)

    async def page(
        self, where: ComparisonFilter | None = None, *, limit: int = 50, cursor: str | None = None
    ) -> Page[ComparisonRecord]:
        """A page of comparisons, newest first; InvalidCursor for a cursor that is none of its."""
        where = where or ComparisonFilter()
        listing = Listing(_table, where)
        query = listing.narrow(select(_table).where(_condition(where)), limit=limit, cursor=cursor)
        rows = (await self._connection.execute(query)).mappings().all()
        return listing.page([ComparisonRecord(**row) for row in rows], limit)


def _side(interaction_id: ColumnElement[str], choice: ColumnElement[int]) -> ColumnElement[str]:
    return interaction_id + "/" + cast(choice, String)


def _condition(where: ComparisonFilter) -> ColumnElement[bool]:
    columns = _table.c
    wanted = [(columns[name], getattr(where, name)) for name in _EQUALS]
    parts = [column == clean(value) for column, value in wanted if value is not None]
    if where.interaction_id is not None:
        ident = clean(where.interaction_id)
        sides = (columns.chosen_interaction_id, columns.rejected_interaction_id)
        parts.append(or_(*(side == ident for side in sides)))
    if where.since_us is not None:
        parts.append(columns.created_us >= where.since_us)
    if where.until_us is not None:
        parts.append(columns.created_us < where.until_us)
    return and_(true(), *parts)
