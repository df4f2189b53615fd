"""The store, for a command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from storage import migrate
from storage.store import Store


@asynccontextmanager
async def opened_store(url: str) -> AsyncIterator[Store]:
    """The store at its newest schema: a SQLite file is migrated, a server only looked at."""
    await (migrate.upgrade(url) if url.startswith("sqlite") else migrate.check(url))
    store = await Store.open(url)
    try:
        yield store
    finally:
        await store.close()
