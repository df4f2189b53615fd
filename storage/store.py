"""The record's front door: open once, hand out units of work, close once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from storage.repositories.comparisons import Comparisons
from storage.repositories.feedback import Feedback
from storage.repositories.idempotency import Idempotency
from storage.repositories.interactions import Interactions
from storage.repositories.keys import Keys


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """The repositories over one transaction."""

    interactions: Interactions
    feedback: Feedback
    comparisons: Comparisons
    keys: Keys
    idempotency: Idempotency


class Store:
    """One database. `await Store.open(url)`, then `reading()` / `writing()`, then `close()`."""

    @classmethod
    async def open(cls, url: str, *, is_durable: bool = False) -> Store:
        """Connect; StorageError says why not. The schema must be current (`migrate.upgrade`)."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close every connection."""
        raise NotImplementedError

    async def ping(self) -> None:
        """Return when the store answers, else raise StoreUnavailable."""
        raise NotImplementedError

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[UnitOfWork]:
        """A snapshot to read from; writing in it fails."""
        raise NotImplementedError
        yield

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[UnitOfWork]:
        """A transaction: committed at the end of the block, rolled back when it raises."""
        raise NotImplementedError
        yield
