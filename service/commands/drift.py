"""`fairlead drift`: how every signal stands against its reference, now."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import AsyncExitStack

import orjson

from service.commands.export import moment_us
from service.commands.score import scoring
from service.commands.terminal import say, settings_of, show
from service.settings import Settings
from service.watch.drifting import describe, evidence, facts, moment
from service.watch.survey import Drift, Survey, Windows
from storage import migrate
from storage.ids import now_us
from storage.store import Store


def run(args: argparse.Namespace) -> int:
    """Prints what has drifted and what has not; exit code 0 either way."""
    since_us = moment_us("--since", args.since)
    windows, found = asyncio.run(_looked(settings_of(args), since_us))
    if args.json:
        say(orjson.dumps(_told(windows, found), option=orjson.OPT_INDENT_2).decode())
        return 0
    say(f"reference {_span(windows.reference)}, watched {_span(windows.watched)}")
    columns = ("signal", "model", "route", "state", "evidence", "effect", "since", "examples")
    show(columns, [_row(one) for one in found])
    if not found:
        say("nothing was recorded in the watched time")
    return 0


async def _looked(settings: Settings, since_us: int | None) -> tuple[Windows, list[Drift]]:
    url, wanted = settings.database_url, settings.watch.drift
    await migrate.check(url)
    async with AsyncExitStack() as stack:
        store = await Store.open(url)
        stack.push_async_callback(store.close)
        survey = Survey(store, wanted)
        at_us = now_us()
        windows = await survey.windows(at_us, since_us)
        async with store.reading() as unit:
            has_traffic = await unit.watched.first_us() is not None
        if has_traffic and wanted.has_topics:
            engine, _ = await stack.enter_async_context(scoring(settings, ()))
            survey = Survey(store, wanted, engine.embed)
        return windows, await survey.look(at_us, since_us)


def _told(windows: Windows, found: list[Drift]) -> dict[str, object]:
    spans = {"reference": windows.reference, "watched": windows.watched}
    return {
        **{name: [moment(at) for at in span] for name, span in spans.items()},
        "signals": [
            {**facts(one.finding), "model": one.model, "route": one.route} for one in found
        ],
    }


def _span(span: tuple[int, int]) -> str:
    return f"{moment(span[0])} to {moment(span[1])}"


def _row(one: Drift) -> tuple[str, ...]:
    finding = one.finding
    return (
        finding.signal,
        one.model,
        one.route,
        finding.state,
        f"{evidence(finding):.2f}",
        describe(finding) if finding.effect else "",
        moment(finding.since_us),
        " ".join(finding.examples),
    )
