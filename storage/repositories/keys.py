"""The proxy's API keys, by hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables
from storage.jsontext import clean
from storage.records import KeyRecord

_table = tables.api_keys


class Keys:
    """The API keys of one unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: KeyRecord) -> None:
        """Store one key; DuplicateRecord when its id or hash is there."""
        fields = asdict(record) | {"name": clean(record.name)}
        await self._connection.execute(insert(_table).values(fields))

    async def by_hash(self, key_hash: str) -> KeyRecord | None:
        """The key with this hash, revoked or not; look at `revoked_us`."""
        query = select(_table).where(_table.c.hash == clean(key_hash))
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else _key(row)

    async def all(self) -> list[KeyRecord]:
        """Every key, oldest first, revoked ones too."""
        query = select(_table).order_by(_table.c.created_us, _table.c.id)
        return [_key(row) for row in (await self._connection.execute(query)).mappings()]

    async def revoke(self, id_or_name: str, *, at_us: int) -> int:
        """Revoke the keys with this id or name that are not revoked yet; how many were."""
        wanted = clean(id_or_name)
        statement = (
            update(_table)
            .where(or_(_table.c.id == wanted, _table.c.name == wanted))
            .where(_table.c.revoked_us.is_(None))
            .values(revoked_us=at_us)
        )
        return (await self._connection.execute(statement)).rowcount


def _key(row: Mapping[Any, Any]) -> KeyRecord:
    fields = dict(row)
    fields["scopes"] = tuple(fields["scopes"] or ())
    fields["policies"] = None if fields["policies"] is None else tuple(fields["policies"])
    return KeyRecord(**fields)
