from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect

from storage import migrate
from storage.engine import open_engines
from storage.errors import SchemaNotCurrent, StoreUnavailable
from storage.tables import metadata
from tests.storage.conftest import sqlite_url


async def test_migrations_make_the_tables_of_the_code(database_url: str) -> None:
    """After the last revision the database is what tables.py says."""

    def difference(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    engines = open_engines(database_url)
    async with engines.reading.connect() as connection:
        found = await connection.run_sync(difference)
    await engines.dispose()

    assert found == []


async def test_check_names_what_is_missing(blank_url: str) -> None:
    """A database without the schema is reported with the command that mends it."""
    with pytest.raises(SchemaNotCurrent, match="fairlead db upgrade"):
        await migrate.check(blank_url)


async def test_upgrade_can_be_repeated(blank_url: str) -> None:
    """A second upgrade changes nothing, and the check is then content."""
    await migrate.upgrade(blank_url)
    await migrate.upgrade(blank_url)

    await migrate.check(blank_url)

    assert migrate.head() == await migrate.current(blank_url)


async def test_upgrades_at_once_take_turns(blank_url: str) -> None:
    """Several upgrades that start together all succeed."""
    await asyncio.gather(*(migrate.upgrade(blank_url) for _ in range(4)))

    await migrate.check(blank_url)


def test_processes_that_start_at_once_take_turns(tmp_path: Path) -> None:
    """Two processes may migrate the same new file at the same time."""
    url = sqlite_url(tmp_path / "new.db")
    program = f"import asyncio; from storage import migrate; asyncio.run(migrate.upgrade({url!r}))"

    started = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(2)]

    assert [process.wait() for process in started] == [0, 0]


async def test_unreachable_database_is_reported() -> None:
    """Migrating and checking a server that refuses the connection say so."""
    with pytest.raises(StoreUnavailable):
        await migrate.upgrade("postgresql://fairlead@127.0.0.1:1/fairlead")
    with pytest.raises(StoreUnavailable):
        await migrate.check("postgresql://fairlead@127.0.0.1:1/fairlead")


async def test_downgrade_leaves_no_table(database_url: str) -> None:
    """Every table of the first revision goes again."""

    def downgrade(connection: Connection) -> list[str]:
        config = migrate.config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        return inspect(connection).get_table_names()

    engines = open_engines(database_url)
    async with engines.writing.begin() as connection:
        left = await connection.run_sync(downgrade)
    await engines.dispose()

    assert left == ["alembic_version"]
