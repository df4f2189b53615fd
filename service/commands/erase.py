"""`fairlead erase`: one person's data removed from everywhere that can be reached."""

from __future__ import annotations

import argparse
import asyncio
import sys

from service.auditing import command_actor
from service.commands.failures import UsageError
from service.commands.keys import tenant_of
from service.commands.terminal import say, settings_of, show
from service.erasing import Eraser, Erasure
from service.parts import spool_dir, text_keeper
from storage import migrate
from storage.erasing import Person
from storage.store import Store

OUT_OF_REACH = (
    "Out of reach: files that were exported (see `fairlead audit list --action export`), parts of "
    "interrupted exports on other machines, backups."
)
_ON_SQLITE = "SQLite's file was overwritten where rows were; `VACUUM` it to be rid of older copies."
_ON_POSTGRESQL = "PostgreSQL drops the rows' old versions at its next vacuum."


def run(args: argparse.Namespace) -> int:
    """Erases, or counts; exit code 1 where counting again finds something."""
    if not args.user:
        raise UsageError("--user: name the person by the id that exchanges have as `user`")
    return asyncio.run(_run(args))


async def _run(args: argparse.Namespace) -> int:
    settings = settings_of(args)
    keeper = text_keeper(settings)
    await migrate.check(settings.database_url)
    store = await Store.open(settings.database_url)
    try:
        person = Person(args.user, await _tenant(store, args.key))
        eraser = Eraser(store, spool_dir(settings), actor=command_actor())
        if args.dry_run:
            _tell(await eraser.count(person))
            return 0
        if not args.yes:
            _ask(await eraser.count(person), args.user)
        erased = await eraser.erase(person, subject=keeper.subject(args.user))
    finally:
        await store.close()
    _tell(erased)
    say(f"run {erased.id} in the audit log")
    say(OUT_OF_REACH)
    say(_ON_SQLITE if store.engines.is_single_writer else _ON_POSTGRESQL)
    if erased.is_complete:
        say("counted again: nothing is left")
        return 0
    say("counted again: some is left, which came in meanwhile or was held; erase again")
    return 1


async def _tenant(store: Store, key: str | None) -> str | None:
    if key is None:
        return None
    async with store.reading() as unit:
        return tenant_of(key, await unit.keys.all())


def _ask(found: Erasure, user: str) -> None:
    """Goes on only if a person says so; without a terminal nobody can."""
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to be asked; say `--yes` to erase, `--dry-run` to count")
    _tell(found)
    sys.stdout.write(f"erase all of this of {user!r}? [y/N] ")
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was erased")


def _tell(found: Erasure) -> None:
    columns = ("table", "rows", "left") if found.left else ("table", "rows")
    rows = [
        (name, str(count), *([str(found.left.get(name, 0))] if found.left else []))
        for name, count in sorted(found.removed.items())
    ]
    show(columns, rows)
