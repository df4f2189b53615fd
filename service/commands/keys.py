"""`fairlead keys`: the proxy's own API keys."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence

from service.commands.failures import UsageError
from service.commands.terminal import day, say, settings_of, show
from storage import migrate
from storage.ids import now_us
from storage.keys import SCOPES, new_key
from storage.records import KeyRecord
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
    async with store.writing() as unit:
        known_keys = await unit.keys.all()
        if any(k.name == args.name and k.revoked_us is None for k in known_keys):
            raise UsageError(
                f"there is a key named {args.name!r}; revoke it or choose another name"
            )
        tenant = None if args.tenant is None else tenant_of(args.tenant, known_keys)
        key, record = new_key(args.name, scopes=args.scopes, policies=args.policies, tenant=tenant)
        await unit.keys.add(record)
    say(f"{key}\n\n{record.id} ({', '.join(record.scopes)}). The key is not kept: note it now.")


def tenant_of(wanted: str, keys: Sequence[KeyRecord]) -> str:
    """The tenant of the key with this id or name; a revoked key still has one.

    UsageError where there is none, or where several keys of different tenants had the name.
    """
    found = {key.tenant or key.id for key in keys if wanted in (key.id, key.name)}
    if len(found) == 1:
        return found.pop()
    if found:
        raise UsageError(
            f"several keys are or were named {wanted!r}; give an id of {sorted(found)}"
        )
    raise UsageError(f"no key has the id or name {wanted!r}; see `fairlead keys list`")


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
            key.tenant or "",
            day(key.created_us),
            day(key.revoked_us),
        )
        for key in keys
    ]
    show(("id", "name", "scopes", "policies", "tenant", "created", "revoked"), rows)
