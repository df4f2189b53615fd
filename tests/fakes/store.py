"""Doubles of the record: a sink that fails on command, an observer that remembers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NoReturn

from storage.errors import StorageError, StoreUnavailable
from storage.rows import InteractionRows
from storage.sink import GroupSink


class ScriptedSink:
    """Hands groups to `inner` (or keeps their ids alone) unless told to fail or to wait."""

    def __init__(self, inner: GroupSink | None = None) -> None:
        self.inner = inner
        self.error: BaseException | None = None
        self.refuses: Callable[[InteractionRows], StorageError | None] = lambda _rows: None
        self.gate = asyncio.Event()
        self.gate.set()
        self.groups: list[list[str]] = []
        self.attempts = 0

    @property
    def stored(self) -> list[str]:
        """The ids of every exchange stored, in order."""
        return [ident for group in self.groups for ident in group]

    async def commit(self, group: Sequence[InteractionRows]) -> None:
        """Store the group as the script says."""
        self.attempts += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        for error in filter(None, map(self.refuses, group)):
            raise error
        if self.inner is not None:
            await self.inner.commit(group)
        self.groups.append([rows.interaction[0] for rows in group])

    async def close(self) -> None:
        """Close the inner sink."""
        if self.inner is not None:
            await self.inner.close()


class CountingObserver:
    """Adds up what the writer reports."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.group_sizes: list[int] = []

    def pending(self, records: int) -> None:
        """Remember the most that waited."""
        self.counts["most_pending"] = max(self.counts["most_pending"], records)

    def committed(self, records: int, seconds: float) -> None:
        """Count a group."""
        assert seconds >= 0
        self.counts["committed"] += records
        self.group_sizes.append(records)

    def spooled(self, records: int) -> None:
        """Count spooled records."""
        self.counts["spooled"] += records

    def replayed(self, records: int) -> None:
        """Count replayed records."""
        self.counts["replayed"] += records

    def spool_holds(self, waiting_bytes: int) -> None:
        """Remember the most that waited in the spool, and what waits now."""
        self.counts["most_spool_bytes"] = max(self.counts["most_spool_bytes"], waiting_bytes)
        self.counts["spool_bytes"] = waiting_bytes

    def failed(self, records: int, error: str) -> None:
        """Count failures by label."""
        self.counts["failed"] += records
        self.errors[error] += records


class AwayStore:
    """A store that does not answer."""

    def reading(self) -> NoReturn:
        """Fails."""
        raise StoreUnavailable("away")

    def writing(self) -> NoReturn:
        """Fails."""
        raise StoreUnavailable("away")
