from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.engine import open_engines, open_sync_sqlite, parse_url
from storage.errors import BadDatabaseUrl, StoreUnavailable
from storage.store import Store
from tests.schema import sqlite_url


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:///a.db", "sqlite+aiosqlite"),
        ("sqlite+aiosqlite:///a.db", "sqlite+aiosqlite"),
        ("postgresql://h/d", "postgresql+asyncpg"),
    ],
)
def test_driver_is_filled_in(url: str, driver: str) -> None:
    """A URL without a driver gets the async one."""
    assert driver == parse_url(url).drivername


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "not a database URL"),
        ("fairlead.db", "not a database URL"),
        ("mysql://h/d", "cannot use a 'mysql'"),
        ("postgresql+psycopg2://h/d", "cannot use"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ],
)
def test_useless_url_is_refused_with_its_reason(url: str, reason: str) -> None:
    """A URL that cannot hold the record is refused, saying why."""
    with pytest.raises(BadDatabaseUrl, match=reason):
        parse_url(url)


@pytest.mark.parametrize(("is_durable", "synchronous"), [(False, 1), (True, 2)])
async def test_sqlite_is_tuned(sqlite_file: Path, is_durable: bool, synchronous: int) -> None:
    """SQLite runs in WAL mode, checks references and syncs as asked."""
    engines = open_engines(sqlite_url(sqlite_file), is_durable=is_durable)

    async with engines.writing.begin() as connection:
        found = {
            name: (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "foreign_keys", "synchronous")
        }
    await engines.dispose()

    assert found == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": synchronous}


@pytest.mark.parametrize(("is_durable", "found"), [(False, "off"), (True, "on")])
async def test_durable_commits_wait_for_the_servers_log(
    server_url: str, is_durable: bool, found: str
) -> None:
    """Where the server's default is not to wait for the disk, `is_durable` overrules it."""
    engines = open_engines(server_url)
    async with engines.writing.begin() as connection:
        name = engines.url.database
        await connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    await engines.dispose()

    engines = open_engines(server_url, is_durable=is_durable)
    async with engines.writing.begin() as connection:
        asked = await connection.execute(text("SHOW synchronous_commit"))
        assert asked.scalar_one() == found
    await engines.dispose()


async def test_unreachable_database_says_so(tmp_path: Path) -> None:
    """Opening a store in a folder that is not there raises StoreUnavailable."""
    with pytest.raises(StoreUnavailable, match="folder of the database does not exist"):
        await Store.open(sqlite_url(tmp_path / "missing" / "fairlead.db"))


async def test_unreachable_server_says_so() -> None:
    """A database server that refuses the connection is StoreUnavailable too."""
    with pytest.raises(StoreUnavailable):
        await Store.open("postgresql://fairlead@127.0.0.1:1/fairlead")


def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    """Whoever comes while another turns the new file to WAL waits, instead of failing."""

    def opened(name: str) -> str:
        engine = open_sync_sqlite(parse_url(sqlite_url(tmp_path / name)), is_durable=False)
        with engine.begin() as connection:
            mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar())
        engine.dispose()
        return mode

    with ThreadPoolExecutor(8) as pool:
        for number in range(40):
            assert set(pool.map(opened, [f"{number}.db"] * 8)) == {"wal"}
