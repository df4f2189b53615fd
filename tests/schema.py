"""An empty SQLite database with the schema: migrated once in a run, then copied."""

from __future__ import annotations

import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from storage import migrate


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite+aiosqlite:///{path}"


def write_database(path: Path) -> str:
    """Writes the database into a file; its URL."""
    path.write_bytes(_migrated())
    return sqlite_url(path)


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as thread:
        path = Path(folder) / "migrated.db"
        # In a thread of its own: whoever asks may have a loop that runs.
        thread.submit(asyncio.run, migrate.upgrade(sqlite_url(path))).result()
        return path.read_bytes()
