"""Where a group goes: one transaction, the INSERTs of every table, one commit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from storage.engine import Engines, mapped, open_sync_sqlite
from storage.errors import RecordRejected
from storage.rows import InsertSql, InteractionRows, Row

_BAD_VALUE = (OverflowError, TypeError, ValueError)


class GroupSink(Protocol):
    """Stores groups of exchanges whole or not at all."""

    async def commit(self, group: Sequence[InteractionRows]) -> None:
        """Store the group in one transaction; exchanges already there are left as they are.

        Raises StoreUnavailable when trying again may help, another StorageError when it will not.
        """

    async def close(self) -> None:
        """Give back the connection."""


def open_sink(engines: Engines) -> GroupSink:
    """The sink that suits the database."""
    return ThreadSink(engines) if engines.is_single_writer else AsyncSink(engines)


class ThreadSink:
    """SQLite: one thread with one plain connection, one hop per group."""

    def __init__(self, engines: Engines) -> None:
        self._engine = open_sync_sqlite(engines.url, is_durable=engines.is_durable)
        self._sql = InsertSql.of(self._engine.dialect)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="storage-writer")
        self._connection: Connection | None = None

    async def commit(self, group: Sequence[InteractionRows]) -> None:
        """Hand the group to the thread and wait for its commit."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, group)

    async def close(self) -> None:
        """Close the connection in its thread, then end the thread."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown()
        self._engine.dispose()

    def _commit(self, group: Sequence[InteractionRows]) -> None:
        try:
            self._insert(group)
        except (SQLAlchemyError, OSError) as error:
            self._disconnect()
            raise mapped(error) from error
        except _BAD_VALUE as error:
            raise RecordRejected(str(error)) from error

    def _insert(self, group: Sequence[InteractionRows]) -> None:
        connection = self._connection or self._engine.connect()
        self._connection = connection
        with connection.begin():
            for sql, rows in _statements(self._sql, group):
                connection.exec_driver_sql(sql, rows)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class AsyncSink:
    """A database server: the group goes through the async driver."""

    def __init__(self, engines: Engines) -> None:
        self._engine = engines.writing
        self._sql = InsertSql.of(self._engine.dialect)

    async def commit(self, group: Sequence[InteractionRows]) -> None:
        """Insert and commit on a pooled connection."""
        try:
            async with self._engine.begin() as connection:
                for sql, rows in _statements(self._sql, group):
                    await connection.exec_driver_sql(sql, rows)
        except (SQLAlchemyError, OSError) as error:
            raise mapped(error) from error
        except _BAD_VALUE as error:
            raise RecordRejected(str(error)) from error

    async def close(self) -> None:
        """Nothing to do: the engine belongs to the store."""


def _statements(
    sql: InsertSql, group: Sequence[InteractionRows]
) -> Iterator[tuple[str, list[Any]]]:
    yield sql.interactions, [rows.interaction for rows in group]
    children: tuple[tuple[str, list[Row]], ...] = (
        (sql.scores, list(chain.from_iterable(rows.scores for rows in group))),
        (sql.responses, list(chain.from_iterable(rows.responses for rows in group))),
        (sql.tags, list(chain.from_iterable(rows.tags for rows in group))),
    )
    for statement, rows in children:
        if rows:
            yield statement, rows
