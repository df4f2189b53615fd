"""Migrations: apply them, or see whether they are applied."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from storage.engine import mapped, open_engines
from storage.errors import SchemaNotCurrent

# Any number will do, so long as every Fairlead uses the same.
_LOCK_NUMBER = 0x6661_6972_6C65_6164


def head() -> str:
    """The newest revision this version of Fairlead knows."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    assert revision is not None
    return revision


async def upgrade(url: str) -> None:
    """Bring the database to the newest revision; nothing happens when it is there already.

    Safe when several processes start at once: one migrates, the others wait and find it done.
    """
    engines = open_engines(url)
    try:
        async with engines.writing.begin() as connection:
            await connection.run_sync(_upgrade)
    except (SQLAlchemyError, OSError) as error:
        raise mapped(error) from error
    finally:
        await engines.dispose()


async def current(url: str) -> str | None:
    """The revision the database is at, None before the first."""
    engines = open_engines(url)
    try:
        async with engines.reading.connect() as connection:
            return await connection.run_sync(_revision)
    except (SQLAlchemyError, OSError) as error:
        raise mapped(error) from error
    finally:
        await engines.dispose()


async def check(url: str) -> None:
    """Return when the database is at the newest revision, else raise SchemaNotCurrent."""
    found = await current(url)
    if found != head():
        raise SchemaNotCurrent(
            f"the database is at revision {found or 'none'}, this Fairlead needs {head()}: "
            "run `fairlead db upgrade`"
        )


def config() -> Config:
    """Alembic's settings, without any file; the connection goes into `attributes`."""
    settings = Config()
    settings.set_main_option("script_location", "storage:migrations")
    return settings


def _upgrade(connection: Connection) -> None:
    # SQLite's BEGIN IMMEDIATE is already the lock.
    if connection.dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(:number)")
        connection.execute(lock, {"number": _LOCK_NUMBER})
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
