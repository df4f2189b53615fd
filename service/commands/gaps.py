"""`fairlead gaps`: what the model answers badly, and what it is about."""

from __future__ import annotations

import argparse
import asyncio

import orjson

from service.commands.failures import UsageError
from service.commands.stored import opened_store
from service.commands.terminal import day, say, settings_of, show
from service.routes.gaps import gap_view
from service.watch.gap_hunting import in_words
from service.watch.gap_names import Named, named


def run(args: argparse.Namespace) -> int:
    """Lists."""
    return asyncio.run(_run(args))


async def _run(args: argparse.Namespace) -> int:
    if args.limit < 1:
        raise UsageError("--limit is a number of rows, at least 1")
    settings = settings_of(args)
    async with opened_store(settings.database_url) as store, store.reading() as unit:
        records = await unit.gaps.newest(limit=args.limit, is_open=not args.all)
        found = await named(unit, records)
    if args.json:
        views = [gap_view(one) for one in found]
        say(orjson.dumps(views, option=orjson.OPT_INDENT_2).decode())
        return 0
    columns = (
        "gap",
        "about",
        "prompts",
        "of all, before",
        "now",
        "worst",
        "since",
        "examples",
        "end",
    )
    show(columns, map(_row, found))
    if not found:
        say("no knowledge gaps")
        if not settings.watch.knowledge_gaps.prompts_per_hour:
            say("none are looked for: set a budget with `watch.knowledge_gaps.prompts_per_hour`")
    return 0


def _row(gap: Named) -> tuple[str, ...]:
    told = gap.record.figures
    return (
        gap.record.id,
        ", ".join(gap.terms),
        str(told["prompts"]),
        f"{told['share_before']:.2%}",
        f"{told['share']:.2%}",
        in_words(told),
        told["since"],
        " ".join(told["examples"]),
        day(gap.record.closed_us),
    )
