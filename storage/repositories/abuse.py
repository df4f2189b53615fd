"""Whose prompts are vetoed again and again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    delete,
    exists,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables
from storage.errors import InvalidCursor
from storage.ids import new_id
from storage.jsontext import clean, short
from storage.repositories.paging import FOREIGN, MAX_LIMIT, UNKNOWN, Page, packed, unpacked

_table = tables.interactions
_pardons = tables.pardons
MOST_OFFENDERS = 10_000

Name = tuple[str | None, str | None]
"""An API key (its tenant) and a user under it; a whole key where keys are counted."""


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
        self,
        *,
        since_us: int,
        key_id: str | None = None,
        is_by_key: bool = False,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Vetoed]:
        """A page of who had prompts vetoed since then, the most first; of all keys or of one.

        What was pardoned counts no more; `is_by_key` says that whole keys are. A cursor holds the
        time of its first page, which stands for `since_us` then. Raises InvalidCursor.
        """
        columns, digest = _table.c, _digest(key_id)
        place: tuple[int, int, str] | None = None
        if cursor is not None:
            since_us, place = _place(cursor, digest)
        rank = func.count(), func.max(columns.created_us), func.max(columns.id)
        query = (
            select(columns.key_id, columns.user, *rank, func.min(columns.created_us))
            .where(_vetoed_since(since_us), _counts(is_by_key=is_by_key))
            .group_by(columns.key_id, columns.user)
            .order_by(*(each.desc() for each in rank))
            .limit(max(1, min(limit, MAX_LIMIT)) + 1)
        )
        if key_id is not None:
            query = query.where(columns.key_id == key_id)
        if place is not None:
            query = query.having(tuple_(*rank) < tuple_(*place))
        found = [
            Vetoed(
                key_id=key, user=user, prompts=prompts, first_us=first, last_us=last, last_id=ident
            )
            for key, user, prompts, last, ident, first in await self._connection.execute(query)
        ]
        shown = found[: max(1, min(limit, MAX_LIMIT))]
        if len(shown) == len(found):
            return Page(tuple(shown), None)
        end = shown[-1]
        following = packed([end.prompts, end.last_us, end.last_id, since_us, digest])
        return Page(tuple(shown), following)

    async def struck(
        self, *, user: str | None, key_id: str | None, is_by_key: bool
    ) -> dict[Name, int]:
        """How many vetoed prompts count of a user, by key; of a key where `is_by_key`.

        A user of every key where no key is given; without a user, those of the key without a name.
        """
        columns = _table.c
        name: ColumnElement[Any] = null() if is_by_key else columns.user
        query = select(columns.key_id, name, func.count()).where(
            _vetoed_since(0), _counts(is_by_key=is_by_key)
        )
        if key_id is not None:
            query = query.where(columns.key_id == clean(key_id))
        if not is_by_key:
            is_theirs = columns.user.is_(None) if user is None else columns.user == short(user)
            query = query.where(is_theirs)
        query = query.group_by(columns.key_id, *([] if is_by_key else [columns.user]))
        found = await self._connection.execute(query)
        return {(key, named): count for key, named, count in found}

    async def pardon(self, names: Mapping[Name, int], *, now_us: int) -> None:
        """Note that the vetoed prompts of these count no more until now."""
        for key, user in names:
            same = _pardons.c.key_id.is_not_distinct_from(key)
            also = _pardons.c.user.is_not_distinct_from(user)
            await self._connection.execute(delete(_pardons).where(same, also))
            fields = {"id": new_id("par", now_us), "created_us": now_us}
            await self._connection.execute(
                insert(_pardons).values(fields | {"key_id": key, "user": user})
            )

    async def pardons(self, *, before_us: int) -> int:
        """How many pardons are older."""
        query = select(func.count()).select_from(_pardons).where(_pardons.c.created_us < before_us)
        return (await self._connection.execute(query)).scalar_one()

    async def forget(self, *, before_us: int) -> int:
        """Remove older pardons, whose prompts are gone; how many."""
        older = delete(_pardons).where(_pardons.c.created_us < before_us)
        return (await self._connection.execute(older)).rowcount

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
            .where(_vetoed_since(since_us), is_somebody, _counts(is_by_key=is_by_key))
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


def _counts(*, is_by_key: bool) -> ColumnElement[bool]:
    """Holds for vetoed prompts that were not pardoned since."""
    user = null() if is_by_key else _table.c.user
    return ~exists().where(
        _pardons.c.key_id.is_not_distinct_from(_table.c.key_id),
        _pardons.c.user.is_not_distinct_from(user),
        _pardons.c.created_us >= _table.c.created_us,
    )


def _digest(key_id: str | None) -> str:
    return hashlib.sha256(f"abuse {key_id or ''}".encode()).hexdigest()[:16]


def _place(cursor: str, digest: str) -> tuple[int, tuple[int, int, str]]:
    """The list's beginning in time and the last row's place in it."""
    match unpacked(cursor):
        case [int(prompts), int(last_us), str(ident), int(since_us), str(other)] if (
            min(prompts, last_us, since_us) >= 0 and max(prompts, last_us, since_us) < 1 << 63
        ):
            if other == digest:
                return since_us, (prompts, last_us, clean(ident))
            raise InvalidCursor(FOREIGN)
    raise InvalidCursor(UNKNOWN)
