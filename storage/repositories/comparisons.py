"""Comparisons: one reply preferred to another."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables
from storage.jsontext import clean
from storage.records import ComparisonRecord
from storage.repositories.paging import Page, cut_page, page_query

_table = tables.comparisons


class Comparisons:
    """The comparisons of one unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: ComparisonRecord) -> None:
        """Store one comparison; DuplicateRecord for a known id, MissingRecord for no exchange."""
        fields = asdict(record)
        fields |= {"rater": clean(record.rater), "comment": clean(record.comment)}
        await self._connection.execute(insert(_table).values(fields))

    async def get(self, ident: str) -> ComparisonRecord | None:
        """The comparison with this id."""
        query = select(_table).where(_table.c.id == clean(ident))
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else ComparisonRecord(**row)

    async def page(
        self, *, interaction_id: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[ComparisonRecord]:
        """A page of comparisons, newest first, of one exchange or of all."""
        query = select(_table)
        if interaction_id is not None:
            ident = clean(interaction_id)
            columns = (_table.c.chosen_interaction_id, _table.c.rejected_interaction_id)
            query = query.where(or_(*(column == ident for column in columns)))
        query = page_query(query, _table, limit=limit, cursor=cursor)
        rows = (await self._connection.execute(query)).mappings().all()
        return cut_page([ComparisonRecord(**row) for row in rows], limit)
