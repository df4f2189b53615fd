"""Finding the exchange that made a reply which the upstream stored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Protocol

from service.access import Caller
from service.errors import NotFound, StoreUnavailable
from storage.errors import StorageError
from storage.records import InteractionRecord

_FLUSH_S = 5.0


class ReplyShelf(Protocol):
    """Where exchanges lie; `storage.repositories.interactions.Interactions` is one."""

    async def by_response(self, response_id: str) -> Sequence[InteractionRecord]:
        """The exchanges whose reply carried this id, newest first."""
        ...


class ReplyUnit(Protocol):
    """A unit of work that holds exchanges."""

    @property
    def interactions(self) -> ReplyShelf:
        """The exchanges."""
        ...


class ReplyStore(Protocol):
    """Whoever opens units of work; `storage.store.Store` is one."""

    def reading(self) -> AbstractAsyncContextManager[ReplyUnit]:
        """A unit of work to read in."""
        ...


class Pending(Protocol):
    """Whoever writes exchanges; `storage.writer.Writer` is one."""

    @property
    def pending_records(self) -> int:
        """How many wait to be written."""
        ...

    async def flush(self) -> None:
        """Waits until they are."""
        ...


class Recall:
    """Looks replies up by their own ids; what waits to be written is waited for."""

    def __init__(self, store: ReplyStore, writer: Pending) -> None:
        self._store = store
        self._writer = writer

    async def __call__(self, reply_id: str, caller: Caller) -> InteractionRecord | None:
        """The newest exchange that made this reply, None where it was not made here.

        Raises `NotFound` where it is another caller's, and `StoreUnavailable` where it cannot
        be known.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_S):
                if self._writer.pending_records:
                    await self._writer.flush()
        try:
            async with self._store.reading() as unit:
                found = await unit.interactions.by_response(reply_id)
        except StorageError as error:
            raise StoreUnavailable(
                "what is known of this reply cannot be looked up now; try again later"
            ) from error
        own = [record for record in found if caller.owns(record.key_id)]
        if found and not own:
            raise NotFound(f"no reply is known by the id {reply_id[:80]!r}", param="id")
        return own[0] if own else None
