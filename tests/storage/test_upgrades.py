"""A database that any earlier version of Fairlead made keeps every row when it is upgraded."""

from __future__ import annotations

import re
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    insert,
    select,
)

from storage import migrate
from storage.engine import open_engines
from storage.ids import new_id, now_us

DAY_US = 86_400_000_000
ROWS = 4
EARLIER = [
    script.revision
    for script in ScriptDirectory.from_config(migrate.config()).walk_revisions()
    if script.revision != migrate.head()
]
_NOW = now_us()
_IDENTS = [
    *(new_id("fl", _NOW - days * DAY_US) for days in (0, 45, 200)),
    "fl_made_by_somebody_else",
]
_Row = tuple[tuple[str, Any], ...]


def _tables(connection: Connection) -> list[Table]:
    """The tables that are there, without partitions, those that are referred to first."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [
        table
        for table in metadata.sorted_tables
        if table.name != "alembic_version" and not re.search(r"_(default|p\d{10})$", table.name)
    ]


def _owner(column: Column[Any]) -> Column[Any]:
    """The column that this one repeats: an exchange's id has many names."""
    if column.name.endswith("interaction_id"):
        return column.table.metadata.tables["interactions"].c.id
    found = next(iter(column.foreign_keys), None)
    return column if found is None else found.column


def _value(column: Column[Any], number: int) -> Any:
    owner = _owner(column)
    if owner.table.name == "interactions" and owner.name == "id":
        return _IDENTS[number]
    kinds: list[tuple[type[Any], Any]] = [
        (Boolean, number % 2 == 0),
        (JSON, {"of": column.name, "n": number}),
        (Float, number / 4),
        (BigInteger, 1_700_000_000_000_000 + number),
        (Integer, number),
        (LargeBinary, bytes([number])),
    ]
    found = (value for kind, value in kinds if isinstance(owner.type, kind))
    return next(found, f"{owner.table.name}.{owner.name}.{number}")


def _fill(connection: Connection) -> None:
    for table in _tables(connection):
        rows = [{c.name: _value(c, number) for c in table.columns} for number in range(ROWS)]
        connection.execute(insert(table), rows)


def _rows(connection: Connection, of: dict[str, list[str]] | None) -> dict[str, list[_Row]]:
    """Every row of every table, only the columns that are asked for, in a fixed order."""
    found = {}
    for table in _tables(connection):
        if of is None or table.name in of:
            names = [c.name for c in table.columns] if of is None else of[table.name]
            rows = connection.execute(select(*(table.c[name] for name in names))).mappings()
            found[table.name] = sorted((tuple(sorted(row.items())) for row in rows), key=repr)
    return found


def _to(connection: Connection, revision: str) -> None:
    config = migrate.config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


@pytest.mark.parametrize("revision", EARLIER)
async def test_upgrade_keeps_every_row(blank_url: str, revision: str) -> None:
    """Whatever table and column there was, its rows are there afterwards, unchanged."""
    engines = open_engines(blank_url)
    async with engines.writing.begin() as connection:
        await connection.run_sync(_to, revision)
        await connection.run_sync(_fill)
        before = await connection.run_sync(_rows, None)
    columns = {name: [column for column, _ in rows[0]] for name, rows in before.items()}

    await migrate.upgrade(blank_url)

    async with engines.writing.connect() as connection:
        after = await connection.run_sync(_rows, columns)
    await engines.dispose()
    assert {len(rows) for rows in before.values()} == {ROWS}
    assert after == before


async def test_downgrade_of_partitions_keeps_every_row(blank_url: str) -> None:
    """The tables without partitions have the rows that those with partitions had."""
    await migrate.upgrade(blank_url)
    engines = open_engines(blank_url)

    def down(connection: Connection) -> tuple[dict[str, list[_Row]], dict[str, list[_Row]]]:
        config = migrate.config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0005")
        _fill(connection)
        before = _rows(connection, None)
        command.downgrade(config, "0004")
        return before, _rows(connection, None)

    async with engines.writing.begin() as connection:
        before, after = await connection.run_sync(down)
    await engines.dispose()

    assert after == before
