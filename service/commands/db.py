"""`fairlead db`: migrations, and removing what is older than it may be."""

from __future__ import annotations

import argparse
import asyncio

from service.commands.failures import UsageError
from service.commands.terminal import say, settings_of
from service.settings import Settings
from storage import migrate, partitions, retention
from storage.store import Store


def run(args: argparse.Namespace) -> int:
    """Applies the migrations, says whether some are missing, or prunes."""
    settings = settings_of(args)
    if args.action == "prune":
        days = settings.retention.days if args.days is None else args.days
        if days is None or days < 1:
            raise UsageError("say how many days are kept: `--days N`, or `retention: {days: N}`")
        asyncio.run(_prune(settings, days=days, is_dry_run=args.dry_run))
        return 0
    asyncio.run(_upgrade(settings) if args.action == "upgrade" else _check(settings))
    say("the database is at the newest revision")
    return 0


async def _check(settings: Settings) -> None:
    await migrate.check(settings.database_url)


async def _upgrade(settings: Settings) -> None:
    await migrate.upgrade(settings.database_url)
    store = await Store.open(settings.database_url)
    try:
        await partitions.make_ahead(store, span_days=settings.retention.partition_days)
    finally:
        await store.close()


async def _prune(settings: Settings, *, days: int, is_dry_run: bool) -> None:
    await migrate.check(settings.database_url)
    store = await Store.open(settings.database_url)
    try:
        pruned = await retention.prune(store, days=days, is_dry_run=is_dry_run)
    finally:
        await store.close()
    verb = "would remove" if is_dry_run else "removed"
    for name in pruned.partitions:
        say(f"{verb} partition {name}")
    for table, count in pruned.rows.items():
        say(f"{verb} from {table}: {count}")
    if not pruned.rows and not pruned.partitions:
        say(f"nothing is older than {days} days")
