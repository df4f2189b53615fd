"""Answers already given under an idempotency key."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables
from storage.jsontext import short
from storage.records import IdempotencyRecord

_table = tables.idempotency


class Idempotency:
    """The idempotency keys of one unit of work.

    Write the answer in the same unit of work as what it answers: then either both are there or
    neither, and of two requests at once the second gets DuplicateRecord and reads the first's.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, key: str, *, key_id: str, endpoint: str) -> IdempotencyRecord | None:
        """What was answered under this key; compare `body_hash` before giving it again."""
        query = (
            select(_table)
            .where(_table.c.key == short(key))
            .where(_table.c.key_id == key_id)
            .where(_table.c.endpoint == endpoint)
        )
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else IdempotencyRecord(**row)

    async def add(self, record: IdempotencyRecord) -> None:
        """Keep an answer; DuplicateRecord when one is kept under this key."""
        fields = asdict(record) | {"key": short(record.key)}
        await self._connection.execute(insert(_table).values(fields))

    async def forget(self, *, before_us: int) -> int:
        """Delete the answers older than this; how many."""
        statement = delete(_table).where(_table.c.created_us < before_us)
        return (await self._connection.execute(statement)).rowcount
