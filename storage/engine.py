"""Engines for a database URL: one to read with, one to write with."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    NotSupportedError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from storage import jsontext
from storage.errors import (
    BadDatabaseUrl,
    DuplicateRecord,
    MissingRecord,
    RecordRejected,
    StorageError,
    StoreUnavailable,
)

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
_BUSY_TIMEOUT_MS = 5_000
_RETRY_S = 0.01
_WAL_LIMIT_BYTES = 64 << 20
# A plan that suits every model or key reads the whole table for a rare one (DECISIONS.md).
_PLANNED_EACH_TIME = {"plan_cache_mode": "force_custom_plan"}
_JSON: dict[str, Any] = {
    "json_serializer": jsontext.dumps,
    "json_deserializer": jsontext.loads,
}


@dataclass(frozen=True, slots=True)
class Engines:
    """The pools of one database. `is_single_writer`: the database takes one writer at a time."""

    url: URL
    reading: AsyncEngine
    writing: AsyncEngine
    is_single_writer: bool
    is_durable: bool

    async def dispose(self) -> None:
        """Close every pooled connection."""
        await self.reading.dispose()
        if self.writing is not self.reading:
            await self.writing.dispose()


def parse_url(url: str) -> URL:
    """The URL with its async driver filled in; BadDatabaseUrl says what is wrong with it."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise BadDatabaseUrl("not a database URL; example: sqlite+aiosqlite:///fairlead.db") from (
            error
        )
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None or parsed.drivername not in (driver, parsed.get_backend_name()):
        known = " or ".join(sorted(_DRIVERS.values()))
        raise BadDatabaseUrl(f"cannot use a {parsed.drivername!r} database: {known}")
    if driver.startswith("sqlite") and parsed.database in (None, "", ":memory:"):
        raise BadDatabaseUrl("SQLite needs a file: a record held in memory would not be one")
    return parsed.set(drivername=driver)


def open_engines(url: str, *, is_durable: bool = False) -> Engines:
    """Make the engines; nothing is connected yet. StoreUnavailable for a folder that is not there.

    `is_durable` makes SQLite sync every commit to the disk: without it a commit survives the end
    of the process at any moment, but the last ones may not survive a power cut. On PostgreSQL it
    makes commits wait for the server's log on the disk, also where the server's default is not to.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite":
        session = {"synchronous_commit": "on"} if is_durable else {}
        return Engines(
            parsed,
            reading=_server_engine(parsed, _PLANNED_EACH_TIME),
            writing=_server_engine(parsed, session),
            is_single_writer=False,
            is_durable=is_durable,
        )
    _check_folder(parsed)
    reading = _async_engine(parsed, pool_size=4, max_overflow=4)
    writing = _async_engine(parsed, pool_size=1, max_overflow=0)
    _tune_sqlite(reading.sync_engine, begin="BEGIN", is_durable=is_durable, is_query_only=True)
    _tune_sqlite(writing.sync_engine, begin="BEGIN IMMEDIATE", is_durable=is_durable)
    return Engines(parsed, reading, writing, is_single_writer=True, is_durable=is_durable)


def open_sync_sqlite(url: URL, *, is_durable: bool) -> Engine:
    """An engine over the plain driver, for a thread that does nothing but write."""
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        connect_args={"check_same_thread": False},
        pool_size=1,
        max_overflow=0,
        **_JSON,
    )
    _tune_sqlite(engine, begin="BEGIN IMMEDIATE", is_durable=is_durable)
    return engine


def _check_folder(url: URL) -> None:
    name = url.database or ""
    folder = Path(name).parent
    if not name.startswith("file:") and not folder.is_dir():
        raise StoreUnavailable(f"the folder of the database does not exist: {folder}")


def _server_engine(url: URL, session: dict[str, str]) -> AsyncEngine:
    return _async_engine(url, pool_pre_ping=True, connect_args={"server_settings": session})


def _async_engine(url: URL, **pool: Any) -> AsyncEngine:
    try:
        return create_async_engine(url, **pool, **_JSON)
    except (ImportError, NoSuchModuleError) as error:
        raise BadDatabaseUrl(
            f"the driver for {url.drivername} is missing: pip install 'fairlead[postgres]'"
        ) from error


def _tune_sqlite(
    engine: Engine, *, begin: str, is_durable: bool, is_query_only: bool = False
) -> None:
    pragmas = [
        f"busy_timeout = {_BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        f"synchronous = {'FULL' if is_durable else 'NORMAL'}",
        "foreign_keys = ON",
        f"journal_size_limit = {_WAL_LIMIT_BYTES}",
    ]
    if is_query_only:
        pragmas.append("query_only = ON")

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        # SQLAlchemy, not the driver, says BEGIN: a read is a snapshot, a write locks at once.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            _set_pragma(cursor, pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def say_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def _set_pragma(cursor: Any, pragma: str) -> None:
    """Sets it, and again while another connection is turning the same new file to WAL.

    SQLite does not wait for the lock then (its busy handler is not asked).
    """
    give_up = time.monotonic() + _BUSY_TIMEOUT_MS / 1e3
    while True:
        try:
            cursor.execute(f"PRAGMA {pragma}")
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() >= give_up:
                raise
            time.sleep(_RETRY_S)
        else:
            return


def mapped(error: SQLAlchemyError | OSError) -> StorageError:
    """The record's own error for one of SQLAlchemy's, to be raised `from` it."""
    original = error.orig if isinstance(error, DBAPIError) else error
    first_line = next(iter(str(original).splitlines()), "")
    reason = f"{type(original).__name__}: {first_line}"
    if isinstance(error, IntegrityError):
        is_missing = "foreign key" in first_line.lower()
        return MissingRecord(reason) if is_missing else DuplicateRecord(reason)
    return RecordRejected(reason) if _is_fault_of_the_row(error) else StoreUnavailable(reason)


def _is_fault_of_the_row(error: SQLAlchemyError | OSError) -> bool:
    # A server gives its SQLSTATE: class 22 is a bad value, class 54 one too long for an index.
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    if state is not None:
        return str(state)[:2] in ("22", "54")
    return isinstance(error, (DataError, InterfaceError, NotSupportedError, ProgrammingError))
