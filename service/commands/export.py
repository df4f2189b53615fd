"""`fairlead export`: training data from what was recorded."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
from datetime import UTC, datetime

from service.commands.failures import UsageError
from service.commands.terminal import say, settings_of
from storage import migrate
from storage.exports.base import ExportOptions
from storage.exports.card import ExportSummary
from storage.exports.run import export_file
from storage.store import Store


def run(args: argparse.Namespace) -> int:
    """Writes the file and its card, and says what is in it."""
    options = ExportOptions(
        since_us=moment_us("--since", args.since),
        until_us=moment_us("--until", args.until),
        model=args.model,
        min_margin=args.min_margin,
        sources=tuple(args.source) if args.source else None,
        split=args.split,
    )
    summary = asyncio.run(_export(args, options))
    say(f"{summary.written} rows from {summary.prompts} prompts in {summary.path}")
    for title, counts in (("source", summary.by_source), ("dropped", summary.dropped)):
        for name, count in counts.items():
            say(f"  {title} {name}: {count}")
    say(f"data card: {summary.card_path}")
    return 0


async def _export(args: argparse.Namespace, options: ExportOptions) -> ExportSummary:
    url = settings_of(args).database_url
    await migrate.check(url)
    store = await Store.open(url)
    try:
        return await export_file(
            store,
            args.format,
            args.output,
            options=options,
            command="fairlead " + shlex.join(sys.argv[1:]),
        )
    finally:
        await store.close()


def moment_us(flag: str, text: str | None) -> int | None:
    """A time in ISO 8601 as unix microseconds; without a zone it is UTC."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{flag}: {text!r} is no time such as 2026-11-21T08:00:00Z") from None
    zoned = found if found.tzinfo else found.replace(tzinfo=UTC)
    return round(zoned.timestamp() * 1e6)
