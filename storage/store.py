"""The record's front door: open once, hand out units of work, close once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.engine import Engines, mapped, open_engines
from storage.repositories.abuse import Abuse
from storage.repositories.alerts import Alerts
from storage.repositories.audit import Audit
from storage.repositories.comparisons import Comparisons
from storage.repositories.feedback import Feedback
from storage.repositories.gaps import Gaps
from storage.repositories.idempotency import Idempotency
from storage.repositories.interactions import Interactions
from storage.repositories.keys import Keys
from storage.repositories.leases import Leases
from storage.repositories.spending import Spending
from storage.repositories.tallies import Tallies
from storage.repositories.watched import Watched


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """The repositories over one transaction; `connection` is for the exports in this room."""

    connection: AsyncConnection
    interactions: Interactions
    feedback: Feedback
    comparisons: Comparisons
    keys: Keys
    idempotency: Idempotency
    alerts: Alerts
    leases: Leases
    watched: Watched
    audit: Audit
    tallies: Tallies
    abuse: Abuse
    spending: Spending
    gaps: Gaps

    @classmethod
    def over(cls, connection: AsyncConnection) -> UnitOfWork:
        """All repositories over one connection."""
        parts = (
            Interactions,
            Feedback,
            Comparisons,
            Keys,
            Idempotency,
            Alerts,
            Leases,
            Watched,
            Audit,
            Tallies,
            Abuse,
            Spending,
            Gaps,
        )
        return cls(connection, *(part(connection) for part in parts))  # type: ignore[arg-type]


class Store:
    """One database. `await Store.open(url)`, then `reading()` / `writing()`, then `close()`.

    Errors of the database leave here as StorageErrors.
    """

    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        # SQLite lets one writer in at a time and others poll; in here they queue instead.
        self._one_writer = asyncio.Lock() if engines.is_single_writer else None

    @classmethod
    async def open(cls, url: str, *, is_durable: bool = False) -> Store:
        """Connect and ask for an answer; StorageError says why not.

        The schema is not looked at here: `migrate.check` does. `is_durable`: see `open_engines`.
        """
        store = cls(open_engines(url, is_durable=is_durable))
        try:
            await store.ping()
        except BaseException:
            await store.close()
            raise
        return store

    async def close(self) -> None:
        """Close every connection."""
        await self.engines.dispose()

    async def ping(self) -> None:
        """Return when the store answers, else raise StoreUnavailable."""
        async with self.reading() as unit:
            await unit.connection.execute(text("SELECT 1"))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[UnitOfWork]:
        """A transaction to read in; writing in it fails."""
        try:
            async with self.engines.reading.connect() as connection:
                if not self.engines.is_single_writer:
                    await connection.execution_options(
                        isolation_level="REPEATABLE READ", postgresql_readonly=True
                    )
                yield UnitOfWork.over(connection)
        except (SQLAlchemyError, OSError) as error:
            raise mapped(error) from error

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[UnitOfWork]:
        """A transaction: committed at the end of the block, rolled back when it raises.

        Keep the block short: on SQLite nobody else in this process writes meanwhile.
        """
        try:
            async with self.write_turn(), self.engines.writing.begin() as connection:
                yield UnitOfWork.over(connection)
        except (SQLAlchemyError, OSError) as error:
            raise mapped(error) from error

    def write_turn(self) -> AbstractAsyncContextManager[None]:
        """Wait for this process's turn to write, first come first served; no wait on a server."""
        return self._one_writer or nullcontext()
