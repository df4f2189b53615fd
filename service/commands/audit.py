"""`fairlead audit list`: who exported, erased and pardoned."""

from __future__ import annotations

import argparse
import asyncio

import orjson

from service.commands.export import moment_us
from service.commands.terminal import say, settings_of
from service.routes.views import iso
from storage import migrate
from storage.records import AuditRecord
from storage.repositories.audit import AuditFilter
from storage.store import Store


def run(args: argparse.Namespace) -> int:
    """Prints the newest lines, one each: when, which run, what, how it ended, who, of whom."""
    records = asyncio.run(_read(args))
    for record in records:
        whose = "" if record.subject is None else f"person:{record.subject}"
        parts = (
            f"{iso(record.created_us)[:19]}Z",
            record.run_id,
            record.action,
            record.outcome,
            record.actor,
            whose,
            _json(record.filters),
            _json(record.counts),
        )
        say("  ".join(part for part in parts if part))
    if len(records) == args.limit:
        say(f"the newest {args.limit}; more with --limit, or before a time with --until")
    return 0


async def _read(args: argparse.Namespace) -> tuple[AuditRecord, ...]:
    where = AuditFilter(
        action=args.wanted,
        since_us=moment_us("--since", args.since),
        until_us=moment_us("--until", args.until),
    )
    url = settings_of(args).database_url
    await migrate.check(url)
    store = await Store.open(url)
    try:
        async with store.reading() as unit:
            return (await unit.audit.page(where, limit=args.limit)).items
    finally:
        await store.close()


def _json(value: object) -> str:
    return "" if value is None else orjson.dumps(value).decode()
