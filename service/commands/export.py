"""`fairlead export`: training data from what was recorded."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from service.commands.failures import UsageError
from service.commands.score import scoring
from service.commands.terminal import say, settings_of
from service.settings import Settings
from storage import migrate
from storage.exports.base import ExportOptions
from storage.exports.card import ExportSummary
from storage.exports.curation import Embed
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
        seed=args.seed,
        near_duplicates=args.near_duplicates,
        max_per_prompt=args.max_per_prompt,
        select=args.select,
        by=args.by,
        balance_length=args.balance_length,
        order=args.order,
    )
    summary = asyncio.run(_export(args, options))
    say(f"{summary.written} rows from {summary.prompts} prompts in {summary.path}")
    for title, counts in (("source", summary.by_source), ("dropped", summary.dropped)):
        for name, count in counts.items():
            say(f"  {title} {name}: {count}")
    say(f"data card: {summary.card_path}")
    return 0


async def _export(args: argparse.Namespace, options: ExportOptions) -> ExportSummary:
    settings = settings_of(args)
    url = settings.database_url
    await migrate.check(url)
    store = await Store.open(url)
    try:
        async with _encoder(settings, options) as embed:
            return await export_file(
                store,
                args.format,
                args.output,
                options=options,
                command="fairlead " + shlex.join(sys.argv[1:]),
                embed=embed,
            )
    finally:
        await store.close()


@asynccontextmanager
async def _encoder(settings: Settings, options: ExportOptions) -> AsyncIterator[Embed | None]:
    """The scoring model's encoder, where a selection by diversity needs it."""
    if options.select is None or options.by != "diversity":
        yield None
        return
    async with scoring(settings, ()) as (engine, _):
        yield engine.embed


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
