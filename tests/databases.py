"""A migrated database per test: SQLite always, PostgreSQL when the environment asks for it.

`FAIRLEAD_TEST_POSTGRES=1` starts a throw-away server and runs every test on it as well; without a
server the tests then fail.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest

from storage import migrate
from storage.store import Store
from tests.schema import sqlite_url, write_database
from tests.storage.postgres import Cluster, running_cluster

_BACKENDS = ["sqlite"] + (["postgresql"] if os.environ.get("FAIRLEAD_TEST_POSTGRES") else [])
_numbers = count()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server with a migrated database named "migrated"."""
    with running_cluster() as started:
        started.create("migrated")
        with asyncio.Runner() as runner:
            runner.run(migrate.upgrade(started.url("migrated")))
        yield started


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    """A migrated SQLite file of this test's own."""
    path = tmp_path / "fairlead.db"
    write_database(path)
    return path


@pytest.fixture(params=_BACKENDS)
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated, empty database."""
    if request.param == "sqlite":
        return sqlite_url(request.getfixturevalue("sqlite_file"))
    return _copy(request)


@pytest.fixture(params=_BACKENDS[1:])
def server_url(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated, empty database on PostgreSQL; no test without a server."""
    return _copy(request)


def _copy(request: pytest.FixtureRequest) -> str:
    started: Cluster = request.getfixturevalue("cluster")
    name = f"test_{next(_numbers)}"
    started.create(name, template="migrated")
    return started.url(name)


@pytest.fixture(params=_BACKENDS)
def blank_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without any table."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "blank.db")
    started: Cluster = request.getfixturevalue("cluster")
    name = f"blank_{next(_numbers)}"
    started.create(name)
    return started.url(name)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """An open, empty store."""
    opened = await Store.open(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def server(server_url: str) -> AsyncIterator[Store]:
    """An open, empty store on PostgreSQL."""
    opened = await Store.open(server_url)
    yield opened
    await opened.close()
