from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from storage import migrate
from storage.engine import open_engines
from storage.errors import SchemaNotCurrent, StoreUnavailable
from storage.partitions import TABLES
from storage.store import Store
from storage.tables import metadata
from tests.schema import sqlite_url
from tests.storage.building import exchange


def _is_told(item: Any, name: str | None, kind: str, reflected: bool, _other: Any) -> bool:
    """On PostgreSQL partitions are no tables of the code, and their owners are no foreign keys."""
    if kind == "table" and reflected:
        return not _is_partition(str(name))
    if kind == "foreign_key_constraint":
        referred = item.elements[0].target_fullname.partition(".")[0]
        return item.table.name not in TABLES and not _is_partition(referred)
    return True


def _is_partition(name: str) -> bool:
    return re.search(r"_(default|p\d{10})$", name) is not None


async def test_migrations_make_the_tables_of_the_code(database_url: str) -> None:
    """After the last revision the database is what tables.py says."""

    def difference(connection: Connection) -> list[object]:
        is_partitioned = connection.dialect.name == "postgresql"
        options = {
            "compare_type": True,
            "include_object": _is_told if is_partitioned else None,
        }
        context = MigrationContext.configure(connection, opts=options)
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


_FIRST_ROW = """
INSERT INTO interactions (id, created_us, route, dialect, upstream, model, policy, mode,
    is_stream, n, status, http_status, verdict, prompt_hash, choices)
VALUES ('fl_old', 1, '/v1/chat/completions', 'chat', 'default', 'm', 'default', 'enforce',
    :no, 1, 'completed', 200, 'allow', 'h', '[{"index": 0}]')
"""


async def _migrated(url: str, revision: str, statement: str | None = None) -> list[str]:
    """Goes to a revision, up or down, and runs a statement there; gives the table's columns."""

    def migrated(connection: Connection) -> list[str]:
        config = migrate.config()
        config.attributes["connection"] = connection
        is_up = MigrationContext.configure(connection).get_current_revision() is None
        (command.upgrade if is_up else command.downgrade)(config, revision)
        if statement is not None:
            connection.execute(text(statement), {"no": False})
        return [column["name"] for column in inspect(connection).get_columns("interactions")]

    engines = open_engines(url)
    async with engines.writing.begin() as connection:
        found = await connection.run_sync(migrated)
    await engines.dispose()
    return found


async def test_the_second_revision_keeps_what_is_there(blank_url: str) -> None:
    """Exchanges of the first revision are read back without attempts; new ones may have some."""
    assert "attempts" not in await _migrated(blank_url, "0001", _FIRST_ROW)
    with pytest.raises(SchemaNotCurrent, match="0001"):
        await migrate.check(blank_url)

    await migrate.upgrade(blank_url)
    store = await Store.open(blank_url)
    new = exchange(attempts=[{"number": 1}])
    async with store.writing() as unit:
        await unit.interactions.add(new)
    async with store.reading() as unit:
        old = await unit.interactions.get("fl_old")
        assert await unit.interactions.get(new.id) == new
    await store.close()

    assert old is not None
    assert (old.choices, old.attempts) == ([{"index": 0}], None)


async def test_the_second_revision_can_be_taken_back(blank_url: str) -> None:
    """A downgrade drops the attempts and nothing else."""
    await _migrated(blank_url, "0001", _FIRST_ROW)
    await migrate.upgrade(blank_url)

    left = await _migrated(blank_url, "0001", "UPDATE interactions SET n = 2 WHERE id = 'fl_old'")

    assert "attempts" not in left
    assert left[-1] == "timings"


async def test_the_third_revision_keeps_what_is_there(blank_url: str) -> None:
    """Exchanges of the second revision are read back without a twin; new ones may have one."""
    assert "twin" not in await _migrated(blank_url, "0002", _FIRST_ROW)

    await migrate.upgrade(blank_url)
    store = await Store.open(blank_url)
    new = exchange(twin={"outcome": "kept"})
    async with store.writing() as unit:
        await unit.interactions.add(new)
    async with store.reading() as unit:
        old = await unit.interactions.get("fl_old")
        assert await unit.interactions.get(new.id) == new
    await store.close()

    assert old is not None
    assert (old.choices, old.twin) == ([{"index": 0}], None)


async def test_the_third_revision_can_be_taken_back(blank_url: str) -> None:
    """A downgrade drops the twins and nothing else."""
    await migrate.upgrade(blank_url)

    assert (await _migrated(blank_url, "0002"))[-1] == "attempts"


async def test_the_eleventh_revision_comes_and_goes(blank_url: str) -> None:
    """It adds a column and a table, and its downgrade drops both and nothing else."""
    await migrate.upgrade(blank_url)

    left = await _migrated(blank_url, "0010")

    assert "stance_probe" not in left
    assert left[-1] == "twin"
    await migrate.upgrade(blank_url)
    await migrate.check(blank_url)


_OLD_KEY = """
INSERT INTO api_keys (id, name, hash, created_us) VALUES ('key_old', 'web', 'h', 1)
"""


async def test_ties_and_tenants_come_to_what_is_there(blank_url: str) -> None:
    """Comparisons that are there are no ties, keys are tenants of their own."""
    await _migrated(blank_url, "0003", _OLD_KEY)
    await migrate.upgrade(blank_url)
    store = await Store.open(blank_url)
    one, two = exchange(), exchange()
    async with store.writing() as unit:
        await unit.interactions.add(one)
        await unit.interactions.add(two)
        await unit.connection.execute(
            text(
                "INSERT INTO comparisons (id, created_us, chosen_interaction_id, chosen_choice, "
                "rejected_interaction_id, rejected_choice, rater, comment) "
                f"VALUES ('cmp_old', 1, '{one.id}', 0, '{two.id}', 0, '', '')"
            )
        )
    async with store.reading() as unit:
        compared = await unit.comparisons.get("cmp_old")
        (key,) = await unit.keys.all()
    await store.close()

    assert compared is not None
    assert (compared.is_tie, compared.ranking_id, key.tenant) == (False, None, None)
