"""What stance probes have cost: counted here, so that it holds for all who share the store."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables
from storage.ids import new_id

_table = tables.stance_spending


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent in a time, and when the first of it was; None where nothing was."""

    requests: int = 0
    tokens: int = 0
    first_us: int | None = None


class Spending:
    """The costs in one unit of work. What is reserved counts as spent until it is settled."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def since(self, since_us: int) -> Spent:
        """What was spent from then on."""
        query = select(
            func.coalesce(func.sum(_table.c.requests), 0),
            func.coalesce(func.sum(_table.c.tokens), 0),
            func.min(_table.c.created_us),
        ).where(_table.c.created_us >= since_us)
        requests, tokens, first_us = (await self._connection.execute(query)).one()
        return Spent(int(requests), int(tokens), first_us)

    async def reserve(self, *, at_us: int, requests: int, tokens: int) -> str:
        """Note a cost before it arises; gives the id that it is settled by."""
        ident = new_id("sp", at_us)
        row = {"id": ident, "created_us": at_us, "requests": requests, "tokens": tokens}
        await self._connection.execute(insert(_table).values(row))
        return ident

    async def settle(self, ident: str, *, requests: int, tokens: int) -> None:
        """Put what it really cost in the place of what was reserved."""
        query = update(_table).where(_table.c.id == ident)
        await self._connection.execute(query.values(requests=requests, tokens=tokens))

    async def forget(self, *, before_us: int) -> int:
        """Remove what was spent before then; the number of rows."""
        found = await self._connection.execute(
            delete(_table).where(_table.c.created_us < before_us)
        )
        return found.rowcount
