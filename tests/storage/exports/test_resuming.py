"""Exports that are interrupted: nothing half-written under the final name, and on they go."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storage.agreement import rating_agreement
from storage.errors import ExportError
from storage.exports import reading
from storage.exports.base import ExportOptions, Tally
from storage.exports.card import FileOptions, Stage
from storage.exports.journal import Journal, part_path, state_path
from storage.exports.run import export_file
from storage.store import Store
from tests.storage.building import exchange, preference, score, thumb
from tests.storage.exports.test_run import fill, names

PROMPTS = 12


class Stopped(Exception):
    """Somebody pulled the plug."""


def stopping(stage: Stage, at: int) -> FileOptions:
    """Options of an export that ends when so much of a stage is done."""

    def progress(now: Stage, done: int, *, share: float | None = None) -> None:
        if (now, done) == (stage, at):
            raise Stopped

    return FileOptions(progress=progress, prompts_per_save=3)


async def judged(store: Store, prompts: int = PROMPTS, *, first: int = 0) -> None:
    """So many prompts, each with a liked and a disliked reply, a correction and a comparison."""
    for at in range(first, first + prompts):
        attempt = {"number": 1, "error_code": None, "choices": [], "scores": []}
        good = exchange(f"Good {at}.", prompt_hash=f"{at:08x}", tags=("a",), scores=(score(),))
        bad = exchange(f"Bad {at}.", prompt_hash=f"{at:08x}", attempts=[attempt])
        said = [thumb(good, "up", tags=("b",)), thumb(bad, "down", correction=f"Right {at}.")]
        await fill(store, good, bad, *said, preference(good, bad))


async def uninterrupted(store: Store, folder: Path, name: str, ending: str) -> bytes:
    """The bytes of the same export in one go."""
    path = folder / f"whole.{ending}"
    await export_file(store, name, path, how=FileOptions(is_forced=True))
    return path.read_bytes()


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
@pytest.mark.parametrize("name", ["dpo", "kto", "sft"])
async def test_an_interrupted_export_goes_on(
    store: Store, tmp_path: Path, *, name: str, ending: str
) -> None:
    """Stopped twice while it reads and once while it writes, it ends byte for byte as if never."""
    await judged(store)
    whole = await uninterrupted(store, tmp_path, name, ending)
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / f"data.{ending}"

    for how in (stopping("reading", 5), stopping("reading", 10), stopping("writing", 2)):
        with pytest.raises(Stopped):
            await export_file(store, name, path, how=how)
        assert names(folder) == [f"data.{ending}.part", f"data.{ending}.part.state"]
    summary = await export_file(store, name, path)

    assert path.read_bytes() == whole
    assert summary.is_resumed
    assert summary.prompts == PROMPTS
    assert names(folder) == [f"data.{ending}", f"data.{ending}.card.md"]


async def test_what_was_read_is_not_read_again(store: Store, tmp_path: Path) -> None:
    """The counts on the card are those of the whole, and reading goes on after the last save."""
    await judged(store)
    path = tmp_path / "data.jsonl"
    seen: list[int] = []

    def progress(stage: Stage, done: int, *, share: float | None = None) -> None:
        if stage == "reading":
            seen.append(done)

    with pytest.raises(Stopped):
        await export_file(store, "dpo", path, how=stopping("reading", 8))
    summary = await export_file(store, "dpo", path, how=FileOptions(progress=progress))

    assert seen == list(range(7, PROMPTS + 1))
    assert dict(summary.seen.models) == {"m-small-2026": 2 * PROMPTS}


async def test_what_is_said_meanwhile_is_not_in_it(store: Store, tmp_path: Path) -> None:
    """An export is as of its first beginning, however late it ends."""
    await judged(store)
    whole = await uninterrupted(store, tmp_path, "kto", "jsonl")
    path = tmp_path / "data.jsonl"

    with pytest.raises(Stopped):
        await export_file(store, "kto", path, how=stopping("reading", 4))
    await judged(store, first=PROMPTS)
    late = exchange("Late.", prompt_hash=f"{PROMPTS - 1:08x}")
    await fill(store, late, thumb(late, "up"))
    await export_file(store, "kto", path)

    assert path.read_bytes() == whole


async def test_an_export_is_a_snapshot(store: Store) -> None:
    """What is written and deleted while prompts are read, page after page, makes no difference."""
    await judged(store, 3 * reading.PROMPTS_PER_READ)
    found = []
    async with store.reading() as unit:
        async for group in reading.prompt_groups(unit.connection, ExportOptions(), Tally()):
            if not found:
                await judged(store, 3, first=1000)
                async with store.writing() as other:
                    await other.connection.exec_driver_sql("DELETE FROM feedback")
            found.append(group)

    assert len(found) == 3 * reading.PROMPTS_PER_READ
    assert all(len(group.feedback) == 2 for group in found)


async def test_agreement_survives_an_interruption(store: Store, tmp_path: Path) -> None:
    """The card has Krippendorff's alpha of everything that was read, before and after."""
    for at in range(12):
        said = [
            ("ann", "up"),
            ("bob", "up" if at % 4 else "down"),
            ("ann", "down" if at < 6 else "up"),
        ]
        record = exchange(f"Reply {at}.", prompt_hash=f"{at:08x}")
        await fill(store, record, *(thumb(record, rating, rater) for rater, rating in said))
    async with store.reading() as unit:
        whole = (await rating_agreement(unit)).alpha
    path = tmp_path / "data.jsonl"

    with pytest.raises(Stopped):
        await export_file(store, "kto", path, how=stopping("reading", 8))
    summary = await export_file(store, "kto", path)

    assert summary.seen.agreement() == {"ratings": whole}
    card = summary.card_path.read_text()
    assert f"| ratings, 12 judged by two or more | {whole.value:.3f} ({whole.low:.3f} to" in card


@pytest.mark.parametrize(
    ("stage", "at"), [("reading", 1), ("reading", 2)], ids=["at once", "before a save"]
)
async def test_nothing_is_left_of_what_had_hardly_begun(
    store: Store, tmp_path: Path, *, stage: Stage, at: int
) -> None:
    """Before anything is sure there is nothing to go on with, and no file."""
    await judged(store)
    folder = tmp_path / "out"
    folder.mkdir()

    with pytest.raises(Stopped):
        await export_file(store, "dpo", folder / "data.jsonl", how=stopping(stage, at))

    assert names(folder) == []


async def test_other_options_are_refused(store: Store, tmp_path: Path) -> None:
    """The error says what differs and what to do; beginning anew is one way."""
    await judged(store)
    path = tmp_path / "data.jsonl"
    with pytest.raises(Stopped):
        await export_file(store, "dpo", path, how=stopping("reading", 8))
    begun = part_path(path).read_bytes()

    with pytest.raises(ExportError, match=r"seed was 0, is 1.*--restart"):
        await export_file(store, "dpo", path, options=ExportOptions(seed=1))
    with pytest.raises(ExportError, match="format was dpo, is kto"):
        await export_file(store, "kto", path)
    assert part_path(path).read_bytes() == begun

    options = ExportOptions(seed=1)
    summary = await export_file(store, "dpo", path, options=options, how=FileOptions(is_anew=True))
    assert not summary.is_resumed
    assert summary.prompts == PROMPTS


async def test_two_at_once_are_refused(store: Store, tmp_path: Path) -> None:
    """An export that another process is at is left alone."""
    path = tmp_path / "data.jsonl"
    journal = Journal.open(path, {})

    with pytest.raises(ExportError, match="another process is at work"):
        await export_file(store, "dpo", path)

    assert part_path(path).exists()
    journal.close()


def torn(path: Path) -> None:
    """A crash while a line was being written."""
    with part_path(path).open("ab") as file:
        file.write(b'{"prompt_hash": "0000')


def shortened(path: Path) -> None:
    """A disk that forgot what it had promised."""
    os.truncate(part_path(path), 10)


def scribbled(path: Path) -> None:
    """A state that cannot be read."""
    state_path(part_path(path)).write_text("{")


@pytest.mark.parametrize("damage", [torn, shortened, scribbled])
async def test_a_damaged_journal_does_no_harm(
    store: Store, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """What is not sure is read again."""
    await judged(store)
    whole = await uninterrupted(store, tmp_path, "dpo", "jsonl")
    path = tmp_path / "data.jsonl"
    with pytest.raises(Stopped):
        await export_file(store, "dpo", path, how=stopping("reading", 8))

    damage(path)
    await export_file(store, "dpo", path)

    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("there.jsonl", r"there.jsonl is there already: give another name, or --force"),
        ("carded.jsonl", r"carded.jsonl.card.md is there already"),
        ("folder.jsonl", "is a folder: give the name of a file in it"),
        ("missing/data.jsonl", "there is no folder"),
        ("there.jsonl/data.jsonl", "there is no folder"),
        ("x" * 300 + ".jsonl", "cannot write .*File name too long"),
    ],
)
async def test_a_path_that_cannot_be_is_refused(
    store: Store, tmp_path: Path, *, path: str, reason: str
) -> None:
    """The error says what is wrong, nothing that is there is touched, nothing is left."""
    folder = tmp_path / "out"
    (folder / "folder.jsonl").mkdir(parents=True)
    (folder / "there.jsonl").write_text("old\n")
    (folder / "carded.jsonl.card.md").write_text("old\n")
    before = names(folder)

    with pytest.raises(ExportError, match=reason):
        await export_file(store, "dpo", folder / path)

    assert names(folder) == before
    assert (folder / "there.jsonl").read_text() == "old\n"


async def test_force_replaces_a_file(store: Store, tmp_path: Path) -> None:
    """With `is_forced` the old file stays until the new one is whole."""
    await judged(store)
    path = tmp_path / "data.jsonl"
    path.write_text("old\n")

    stopped = replace(stopping("writing", 3), is_forced=True)
    with pytest.raises(Stopped):
        await export_file(store, "dpo", path, how=stopped)
    assert path.read_text() == "old\n"
    await export_file(store, "dpo", path, how=FileOptions(is_forced=True))

    assert len(path.read_bytes().splitlines()) == 2 * PROMPTS


_LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from storage.errors import ExportError
from storage.exports.card import FileOptions
from storage.exports.run import export_file
from storage.store import Store

async def main(url, path, limit):
    store = await Store.open(url)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        await export_file(store, "dpo", Path(path), how=FileOptions(prompts_per_save=3))
    except ExportError as error:
        sys.exit(str(error))
    finally:
        await store.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def in_a_process(url: str, path: Path, limit: int) -> str:
    """What an export says that may write no more than `limit` bytes into a file."""
    command = [sys.executable, "-c", textwrap.dedent(_LIMITED), url, str(path), str(limit)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


async def test_a_full_disk_is_told_and_costs_nothing(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    """What could be read is kept, nothing has the final name; with more room it goes on."""
    await judged(store, 50)
    whole = await uninterrupted(store, tmp_path, "dpo", "jsonl")
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / "data.jsonl"
    with pytest.raises(Stopped):
        await export_file(store, "dpo", path, how=stopping("reading", 5))
    sure = json.loads(state_path(part_path(path)).read_text())["bytes"]

    # SQLite's shared memory file is 32 KiB, which it has to be able to write.
    told = in_a_process(database_url, path, 33_000)

    assert re.search(r"cannot write .*(File too large|No space left)", told), told
    assert names(folder) == ["data.jsonl.part", "data.jsonl.part.state"]
    assert json.loads(state_path(part_path(path)).read_text())["bytes"] >= sure
    assert in_a_process(database_url, path, 0) == ""
    assert path.read_bytes() == whole


def killed_once_begun(command: list[str], path: Path) -> bool:
    """Kills an export as soon as some of it is sure; False where it was faster than that."""
    with subprocess.Popen(command) as process:
        while process.poll() is None and not state_path(part_path(path)).exists():
            time.sleep(0.005)
        process.kill()
    return process.returncode == -signal.SIGKILL


async def test_a_killed_export_goes_on(store: Store, database_url: str, tmp_path: Path) -> None:
    """SIGKILL while it reads: the next call makes the same file, whatever was lost."""
    await judged(store, 300)
    whole = await uninterrupted(store, tmp_path, "dpo", "jsonl")
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / "data.jsonl"
    command = [sys.executable, "-c", textwrap.dedent(_LIMITED), database_url, str(path), "0"]

    was_killed = await asyncio.to_thread(killed_once_begun, command, path)

    assert was_killed
    assert not path.exists()
    summary = await export_file(store, "dpo", path)

    assert summary.is_resumed
    assert path.read_bytes() == whole
    assert names(folder) == ["data.jsonl", "data.jsonl.card.md"]


async def test_progress_is_told(store: Store, tmp_path: Path) -> None:
    """Reading by its share, which only grows; writing by rows."""
    for at in range(8):
        record = exchange(prompt_hash=f"{at * 2**29:08x}")
        await fill(store, record, thumb(record, "up"))
    odd = exchange(prompt_hash="hash")
    await fill(store, odd, thumb(odd, "up"))
    told: list[tuple[Any, ...]] = []

    def progress(stage: Stage, done: int, *, share: float | None = None) -> None:
        told.append((stage, done, share))

    options, how = ExportOptions(near_duplicates=None), FileOptions(progress=progress)
    await export_file(store, "kto", tmp_path / "data.jsonl", options=options, how=how)

    reading = [event for event in told if event[0] == "reading"]
    assert [share for _, _, share in reading] == [at / 8 for at in range(8)] + [None]
    writing = [(done, share) for stage, done, share in told if stage == "writing"]
    assert writing == [(done, done / 9) for done in range(1, 10)]
