"""`fairlead keys`: the proxy's own API keys."""

from __future__ import annotations

import argparse
import asyncio

from service.commands.failures import UsageError
from service.commands.terminal import day, say, settings_of, show
from storage import migrate
from storage.ids import now_us
from storage.keys import SCOPES, new_key
from storage.store import Store


def run(args: argparse.Namespace) -> int:
    """Creates, lists or revokes."""
    return asyncio.run(_run(args))


async def _run(args: argparse.Namespace) -> int:
    settings = settings_of(args)
    url = settings.database_url
    await (migrate.upgrade(url) if url.startswith("sqlite") else migrate.check(url))
    store = await Store.open(url)
    try:
        if args.action == "create":
            await _create(store, args, known=tuple(settings.policies))
        elif args.action == "revoke":
            await _revoke(store, args.key)
        else:
            await _list(store)
    finally:
        await store.close()
    return 0


async def _create(store: Store, args: argparse.Namespace, *, known: tuple[str, ...]) -> None:
    _expect("policy", args.policies or (), known=(*known, "*"))
    _expect("scope", args.scopes, known=SCOPES)
    key, record = new_key(args.name, scopes=args.scopes, policies=args.policies)
    async with store.writing() as unit:
        if any(k.name == args.name and k.revoked_us is None for k in await unit.keys.all()):
            raise UsageError(
                f"there is a key named {args.name!r}; revoke it or choose another name"
            )
        await unit.keys.add(record)
    say(f"{key}\n\n{record.id} ({', '.join(record.scopes)}). The key is not kept: note it now.")


def _expect(what: str, names: tuple[str, ...], *, known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise UsageError(f"no {what} {name!r}; known: {', '.join(known)}")


async def _revoke(store: Store, key: str) -> None:
    async with store.writing() as unit:
        count = await unit.keys.revoke(key, at_us=now_us())
    if not count:
        raise UsageError(f"no key in force has the id or name {key!r}; see `fairlead keys list`")
    say(f"revoked {key}")


async def _list(store: Store) -> None:
    async with store.reading() as unit:
        keys = await unit.keys.all()
    rows = [
        (
            key.id,
            key.name,
            ", ".join(key.scopes),
            ", ".join(key.policies or ()),
            day(key.created_us),
            day(key.revoked_us),
        )
        for key in keys
    ]
    show(("id", "name", "scopes", "policies", "created", "revoked"), rows)
