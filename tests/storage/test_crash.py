from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from storage.store import Store
from tests.schema import sqlite_url

ROOT = Path(__file__).parents[2]


def _killed_after(url: str, lines: int) -> set[str]:
    """Every id acknowledged by a process that is killed once it has acknowledged so many."""
    command = (sys.executable, "-m", "tests.storage.crash_child", url)
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        seen += process.stdout.readlines()
    return {line.decode().strip() for line in seen if line.endswith(b"\n")}


@pytest.mark.parametrize("lines", [1, 40, 400])
async def test_killed_process_loses_no_acknowledged_record(sqlite_file: Path, lines: int) -> None:
    """After kill -9 at any moment every acknowledged exchange is in the store, whole."""
    acknowledged = await asyncio.to_thread(_killed_after, sqlite_url(sqlite_file), lines)

    store = await Store.open(sqlite_url(sqlite_file))
    async with store.reading() as unit:
        found = await unit.interactions.many(acknowledged)
    await store.close()

    assert len(acknowledged) >= lines
    assert acknowledged == set(found)
    assert all(record.scores and record.response_ids for record in found.values())
