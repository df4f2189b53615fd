"""Leases: work that one process at a time does, among all that share the store."""

from __future__ import annotations

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables

_table = tables.leases


class Leases:
    """The leases of one unit of work. Times are the caller's: clocks have to agree to seconds."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def take(self, name: str, *, holder: str, now_us: int, for_us: int) -> bool:
        """Take the lease, or keep it; False while another holder has it.

        Raises DuplicateRecord where two take a new lease at once; the other has it then.
        """
        taken = await self._connection.execute(
            update(_table)
            .where(_table.c.name == name)
            .where(or_(_table.c.holder == holder, _table.c.until_us <= now_us))
            .values(holder=holder, until_us=now_us + for_us)
        )
        if taken.rowcount:
            return True
        known = await self._connection.execute(select(_table.c.name).where(_table.c.name == name))
        if known.first() is not None:
            return False
        fields = {"name": name, "holder": holder, "until_us": now_us + for_us}
        await self._connection.execute(insert(_table).values(fields))
        return True

    async def give_back(self, name: str, *, holder: str) -> None:
        """End the lease before its time, if the holder has it."""
        statement = delete(_table).where(_table.c.name == name).where(_table.c.holder == holder)
        await self._connection.execute(statement)
