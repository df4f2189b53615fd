"""`fairlead feedback import`: a file of judgements, checked whole before any is stored."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from service.commands.failures import UsageError
from service.commands.feedback_files import (
    RejectedFile,
    chunks,
    misshapen,
    place_name,
    rejected_file,
)
from service.commands.keys import tenant_of
from service.commands.terminal import say, settings_of
from service.feedback_rows import Fault, Given, RowReader, Sorted
from service.parts import text_keeper
from service.privacy.keeper import TextKeeper
from storage import migrate
from storage.store import Store, UnitOfWork

_SHOWN = 20


@dataclass(slots=True)
class _Tally:
    rows: int = 0
    added: int = 0
    known: int = 0
    refused: int = 0
    shown: list[Fault] = field(default_factory=list)


async def run(args: argparse.Namespace) -> int:
    """Checks every row, then stores them in chunks; exit code 2 where rows are wrong."""
    async with opened(args) as store:
        tenant = await tenant_named(store, args.key)
        work = _Import(store, args.file, tenant, text_keeper(settings_of(args)))
        with _progress() as progress:
            checked = await work.check(progress)
        if checked.refused and not args.skip_bad:
            raise UsageError(_complaint(args.file, checked))
        if args.dry_run:
            say(_summary(checked, "would be added"))
            return 0
        rejected = args.file.with_name(f"{args.file.name}.rejected.jsonl")
        with _progress() as progress, ExitStack() as stack:
            left = stack.enter_context(rejected_file(rejected)) if checked.refused else None
            done = await work.store_rows(progress, total=checked.rows, left=left)
        say(_summary(done, "added"))
        if left is not None:
            say(f"refused rows: {rejected}")
    return 0


@asynccontextmanager
async def opened(args: argparse.Namespace) -> AsyncIterator[Store]:
    """The store of the settings, which has to be at the newest revision."""
    url = settings_of(args).database_url
    await migrate.check(url)
    store = await Store.open(url)
    try:
        yield store
    finally:
        await store.close()


async def tenant_named(store: Store, key: str | None) -> str | None:
    """The tenant of the key with this id or name; None is whoever runs the command."""
    if key is None:
        return None
    async with store.reading() as unit:
        return tenant_of(key, await unit.keys.all())


@dataclass(frozen=True, slots=True)
class _Import:
    store: Store
    path: Path
    tenant: str | None
    keeper: TextKeeper

    async def check(self, progress: Progress) -> _Tally:
        """Reads every row and stores none; what would be added is counted."""
        tally, reader = _Tally(), RowReader(self.keeper, tenant=self.tenant, key_id=self.tenant)
        task = progress.add_task("checking", total=None)
        seen: set[str] = set()
        for chunk in chunks(self.path):
            async with self.store.reading() as unit:
                found = await _sorted(unit, reader, chunk)
                idents = {record.id for record in found.records} - seen
                fresh = idents - await unit.feedback.known(idents)
            seen |= fresh
            tally.added += len(fresh)
            _count(tally, chunk, found, progress, task)
        return tally

    async def store_rows(
        self, progress: Progress, *, total: int, left: RejectedFile | None
    ) -> _Tally:
        """Stores what can be, a chunk in a transaction; an import that ends early goes on anew."""
        tally, reader = _Tally(), RowReader(self.keeper, tenant=self.tenant, key_id=self.tenant)
        task = progress.add_task("importing", total=total)
        for chunk in chunks(self.path):
            async with self.store.writing() as unit:
                found = await _sorted(unit, reader, chunk)
                tally.added += len(await unit.feedback.add_new(found.records))
            if left is not None:
                rows = {row.place: row for row in chunk}
                for fault in found.faults:
                    left.write(rows[fault.place], fault, place=place_name(self.path))
            _count(tally, chunk, found, progress, task)
        return tally


async def _sorted(unit: UnitOfWork, reader: RowReader, chunk: Sequence[Given]) -> Sorted:
    broken = [fault for row in chunk if (fault := misshapen(row))]
    places = {fault.place for fault in broken}
    found = await reader.read(unit, [row for row in chunk if row.place not in places])
    found.faults = sorted([*broken, *found.faults], key=lambda fault: fault.place)
    return found


def _count(
    tally: _Tally, chunk: Sequence[Given], found: Sorted, progress: Progress, task: TaskID
) -> None:
    tally.rows += len(chunk)
    tally.refused += len(found.faults)
    tally.known = tally.rows - tally.refused - tally.added
    tally.shown += found.faults[: _SHOWN - len(tally.shown)]
    progress.update(task, completed=tally.rows)


def _complaint(path: Path, tally: _Tally) -> str:
    lines = [f"{path}: {tally.refused} of {tally.rows} rows are wrong, and nothing was imported"]
    for fault in tally.shown:
        param = f"{fault.param}: " if fault.param else ""
        lines.append(f"  {place_name(path)} {fault.place}: {param}{fault.message}")
    if tally.refused > len(tally.shown):
        lines.append(f"  and {tally.refused - len(tally.shown)} more")
    return "\n".join([*lines, "mend them, or give --skip-bad to import the others"])


def _summary(tally: _Tally, added: str) -> str:
    return (
        f"{tally.rows} rows: {tally.added} {added}, {tally.known} known already, "
        f"{tally.refused} refused"
    )


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield progress
