"""Whose prompts are vetoed again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal_column, null, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables

_table = tables.interactions
MOST_OFFENDERS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Vetoed:
    """A user under a key, and how many of their prompts were vetoed in a time."""

    key_id: str | None
    user: str | None
    prompts: int
    first_us: int
    last_us: int
    last_id: str


class Abuse:
    """The vetoed prompts of one unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def users(
        self, *, since_us: int, key_id: str | None = None, limit: int = 50
    ) -> list[Vetoed]:
        """Who had prompts vetoed since then, the most first; of all keys or of one."""
        columns = _table.c
        query = (
            select(
                columns.key_id,
                columns.user,
                func.count(),
                func.min(columns.created_us),
                func.max(columns.created_us),
                func.max(columns.id),
            )
            .where(_vetoed_since(since_us))
            .group_by(columns.key_id, columns.user)
            .order_by(func.count().desc(), func.max(columns.created_us).desc())
            .limit(limit)
        )
        if key_id is not None:
            query = query.where(columns.key_id == key_id)
        return [
            Vetoed(
                key_id=key, user=user, prompts=prompts, first_us=first, last_us=last, last_id=ident
            )
            for key, user, prompts, first, last, ident in await self._connection.execute(query)
        ]

    async def offenders(
        self, *, after: int, within_us: int, since_us: int, is_by_key: bool
    ) -> dict[tuple[str | None, str | None], int]:
        """Who had so many prompts vetoed within a time, and when last they had.

        A user counts under each key apart. Where `is_by_key`, users are all one: the second part
        of the name is None. Of more than 10,000 those are given whose last was newest.
        """
        columns = _table.c
        user: ColumnElement[Any] = null() if is_by_key else columns.user
        names = (columns.key_id,) if is_by_key else (columns.key_id, columns.user)
        order = (columns.created_us, columns.id)
        back: ColumnElement[int] = literal_column(str(after - 1))
        earlier = func.lag(columns.created_us, back).over(partition_by=names, order_by=order)
        is_somebody = or_(*(name.is_not(None) for name in names))
        rows = (
            select(
                columns.key_id,
                user.label("user"),
                columns.created_us,
                earlier.label("earlier"),
            )
            .where(_vetoed_since(since_us), is_somebody)
            .subquery()
        )
        last = func.max(rows.c.created_us)
        query = (
            select(rows.c.key_id, rows.c.user, last)
            .where(rows.c.created_us - rows.c.earlier < within_us)
            .group_by(rows.c.key_id, rows.c.user)
            .order_by(last.desc())
            .limit(MOST_OFFENDERS)
        )
        found = await self._connection.execute(query)
        return {(key, name): at_us for key, name, at_us in found}


def _vetoed_since(since_us: int) -> ColumnElement[bool]:
    return and_(_table.c.status == "prompt_vetoed", _table.c.created_us >= since_us)
