"""`fairlead abuse`: whose prompts were vetoed again and again, and forgetting that."""

from __future__ import annotations

import argparse
import asyncio
from datetime import UTC, datetime

import orjson
from prometheus_client import CollectorRegistry

from service.abuse import Guard
from service.auditing import command_actor
from service.commands.failures import UsageError
from service.commands.keys import tenant_of
from service.commands.stored import opened_store
from service.commands.terminal import day, say, settings_of, show
from service.errors import BadRequest, NotFound
from service.pardon import Whose, pardon
from service.parts import text_keeper
from service.watch_metrics import WatchMetrics
from storage.ids import now_us

DAY_US = 24 * 3600 * 1_000_000


def run(args: argparse.Namespace) -> int:
    """Lists or pardons."""
    return asyncio.run({"list": _list, "pardon": _pardon}[args.action](args))


async def _pardon(args: argparse.Namespace) -> int:
    settings = settings_of(args)
    subject = text_keeper(settings).subject(args.user) if args.user else None
    async with opened_store(settings.database_url) as store:
        async with store.reading() as unit:
            keys = await unit.keys.all()
        key = tenant_of(args.key, keys) if args.key else None
        whose = Whose(args.user or None, key, subject)
        try:
            done = await pardon(store, settings.abuse, whose, actor=command_actor())
        except BadRequest as error:
            raise UsageError(f"{error.message} (--user, --key)") from None
        except NotFound:
            raise UsageError(
                "no vetoed prompts of this name count; see `fairlead abuse list`"
            ) from None
    say(
        f"{sum(done.prompts.values())} vetoed prompts count no more; run {done.id} in the audit log"
    )
    return 0


async def _list(args: argparse.Namespace) -> int:
    if args.limit < 1:
        raise UsageError("--limit is a number of rows, at least 1")
    settings, since = settings_of(args), _since(args.since)
    async with opened_store(settings.database_url) as store:
        guard = Guard(store, settings.abuse, meter=WatchMetrics(CollectorRegistry()))
        await guard.read()
        async with store.reading() as unit:
            by_key = settings.abuse.by == "key"
            page = await unit.abuse.users(since_us=since, is_by_key=by_key, limit=args.limit)
            names = {key.id: key.name for key in await unit.keys.all()}
    rows = []
    for one in page.items:
        standing = guard.standing(one.key_id, one.user)
        rows.append(
            {
                "user": one.user or "",
                "key": names.get(one.key_id or "", one.key_id or ""),
                "prompt_vetoes": str(one.prompts),
                "first": day(one.first_us),
                "last": day(one.last_us),
                "last_interaction": one.last_id,
                "action": standing.action if standing else "",
                "until": day(standing.until_us) if standing else "",
            }
        )
    if args.json:
        say(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return 0
    columns = "user", "key", "prompt vetoes", "first", "last", "last interaction", "action", "until"
    show(columns, (row.values() for row in rows))
    return 0


def _since(text: str | None) -> int:
    if text is None:
        return now_us() - DAY_US
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--since takes a time such as 2026-11-20T08:00Z, not {text!r}") from None
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1e6)
