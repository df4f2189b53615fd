"""`fairlead replay`: recorded prompts sent to a candidate, its answers scored and recorded."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service.app import create_app
from service.commands.failures import UsageError
from service.commands.terminal import say, settings_of
from service.replay import Replayer, ReplayLimits, Tally, replaying, request_of
from service.settings import Settings
from service.watch.selector import SelectorError, selection
from storage import migrate
from storage.repositories.watched import Selection, WatchedExchange
from storage.store import Store

_ANSWERED = ("completed", "vetoed")
_AT_A_TIME = 200
_PATIENCE_S = 3600.0
"""The upstream's own time limits end a request before this does."""


def run(args: argparse.Namespace) -> int:
    """Sends what has no answer yet and says what came of it; 1 where requests failed."""
    for flag, value in (("--rate", args.rate), ("--concurrency", args.concurrency)):
        if value <= 0:
            raise UsageError(f"{flag}: {value} is not above 0")
    if not args.upstream.startswith(("http://", "https://")):
        raise UsageError("--upstream: give the base URL with the version, as http://host/v1")
    try:
        where = selection(args.source)
    except SelectorError as error:
        raise UsageError(str(error)) from error
    settings = replaying(settings_of(args), args.upstream, args.api_key_env)
    return asyncio.run(_replayed(args, settings, where))


async def _replayed(args: argparse.Namespace, settings: Settings, where: Selection) -> int:
    bodies, skipped = await _asked(args, settings.database_url, where)
    limits = ReplayLimits(args.rate, args.concurrency, args.limit, args.budget_tokens)
    tally = Tally()
    if bodies:
        async with _client(settings) as client:
            replayer = Replayer(client, limits)
            with _progress() as progress:
                task = progress.add_task("replaying", total=len(bodies))
                tally = await replayer.run(bodies, lambda: progress.advance(task))
    say(f"{tally.sent - tally.failed} answers recorded with the tag {args.tag}")
    if not bodies and not skipped:
        say(f"  no recorded reply fits --from {args.source}")
    for reason, count in sorted(skipped.items()):
        say(f"  not sent, {reason}: {count}")
    if tally.failed:
        say(f"  failed: {tally.failed}; run the same command again to send them again")
        say(f"  the last failure: {tally.failure}")
    if tally.stopped:
        say(f"  stopped: {tally.stopped}; {len(bodies) - tally.sent} are left")
    return 1 if tally.failed else 0


async def _asked(
    args: argparse.Namespace, url: str, where: Selection
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The requests to send, oldest first, one for each prompt; what is left out, by why."""
    await migrate.check(url)
    store = await Store.open(url)
    bodies: list[dict[str, Any]] = []
    skipped: dict[str, int] = {}
    try:
        async with store.reading() as unit:
            chosen = _once(await unit.watched.exchanges(where))
            tagged = await unit.watched.exchanges(Selection(tag=args.tag))
            answered = {one.prompt_hash for one in tagged if one.status in _ANSWERED}
            idents = [one.id for one in chosen if one.prompt_hash not in answered]
            if len(idents) < len(chosen):
                skipped["answered already"] = len(chosen) - len(idents)
            for at in range(0, len(idents), _AT_A_TIME):
                part = idents[at : at + _AT_A_TIME]
                records = await unit.interactions.many(part)
                for ident in part:
                    body = request_of(records[ident], tag=args.tag, model=args.model)
                    if isinstance(body, str):
                        skipped[body] = skipped.get(body, 0) + 1
                    else:
                        bodies.append(body)
    finally:
        await store.close()
    return bodies, skipped


def _once(exchanges: Iterable[WatchedExchange]) -> list[WatchedExchange]:
    found: dict[str, WatchedExchange] = {}
    for one in exchanges:
        if one.status in _ANSWERED:
            found.setdefault(one.prompt_hash, one)
    return list(found.values())


@asynccontextmanager
async def _client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole service, which runs in this process without a port."""
    app = create_app(settings)
    async with app.router.lifespan_context(app) as given:
        state = dict(given or {})

        async def stated(scope: Any, receive: Any, send: Any) -> None:
            scope["state"] = dict(state)
            await app(scope, receive, send)

        transport = httpx.ASGITransport(app=stated, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://replay", timeout=_PATIENCE_S
        ) as client:
            yield client


def _progress() -> Progress:
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
