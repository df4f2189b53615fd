"""`fairlead weak report`: how labelling functions vote on what was recorded."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict

import orjson

from service.commands.export import moment_us
from service.commands.terminal import say, settings_of, show
from service.labelling import load_functions
from service.settings import Settings
from storage import migrate
from storage.exports.base import ExportOptions
from storage.store import Store
from storage.weak.base import Named
from storage.weak.labelling import FunctionReport, WeakLabels, weak_labels

_COLUMNS = (
    "function",
    "up",
    "down",
    "coverage",
    "overlap",
    "conflict",
    "as people rated",
    "accuracy",
)


def run(args: argparse.Namespace) -> int:
    """Lets the functions vote and prints a table, or JSON."""
    settings = settings_of(args)
    functions = load_functions([*settings.labelling.functions, *args.functions])
    options = ExportOptions(
        since_us=moment_us("--since", args.since),
        until_us=moment_us("--until", args.until),
        model=args.model,
        weak=args.method,
    )
    found = asyncio.run(_label(settings, functions, options))
    if args.json:
        say(orjson.dumps(_told(found), option=orjson.OPT_INDENT_2).decode())
        return 0
    show(_COLUMNS, [_row(each) for each in found.functions])
    say(
        f"{found.replies} replies, {found.rated} rated by people, {found.labelled} with a vote, "
        f"{len(found.up)} of these rated by nobody; by {found.method}, "
        f"{found.share_up:.0%} taken for good beforehand"
    )
    say("accuracy in brackets: fitted, since there are too few ratings to measure it")
    return 0


async def _label(settings: Settings, functions: list[Named], options: ExportOptions) -> WeakLabels:
    assert options.weak is not None
    await migrate.check(settings.database_url)
    store = await Store.open(settings.database_url)
    try:
        async with store.reading() as unit:
            return await weak_labels(unit.connection, functions, options, method=options.weak)
    finally:
        await store.close()


def _told(found: WeakLabels) -> dict[str, object]:
    return {
        "method": found.method,
        "replies": found.replies,
        "rated": found.rated,
        "labelled": found.labelled,
        "unrated_labelled": len(found.up),
        "share_up": found.share_up,
        "functions": [asdict(each) for each in found.functions],
    }


def _row(each: FunctionReport) -> tuple[str, ...]:
    agreed = f"{each.agreed} of {each.rated_votes}" if each.rated_votes else ""
    accuracy = f"{each.accuracy:.2f}" if each.is_measured else f"({each.accuracy:.2f})"
    shares = (f"{share:.1%}" for share in (each.coverage, each.overlap, each.conflict))
    return (each.name, str(each.ups), str(each.downs), *shares, agreed, accuracy)
