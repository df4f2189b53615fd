"""The loop that watches: each watcher looks now and then, on one process of all.

Whoever holds the lease in the store is the one; when it stops or dies another takes over. What a
watcher fails with is logged and counted and stops nobody: this is one of the places that catch
`Exception`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from storage.errors import DuplicateRecord, StorageError
from storage.ids import now_us
from storage.store import Store

logger = logging.getLogger("fairlead.watch")

LEASE = "watch"
LEASE_S = 120.0
RENEW_S = 30.0
STOP_LIMIT_S = 5.0
LOOK_LIMIT_S = 60.0
"""A look ends before the lease does under which it began: RENEW_S + LOOK_LIMIT_S < LEASE_S."""


class Watcher(Protocol):
    """Looks at one thing, and raises or resolves its alerts.

    `name` is its metric label, `every_s` the time from one look to the next. `is_everywhere` says
    that each process looks for itself; else only the one that holds the lease does. A look is cut
    off after a minute, and costs the store little: it runs beside traffic.
    """

    @property
    def name(self) -> str:
        """Its name in logs and metrics."""
        ...

    @property
    def every_s(self) -> float:
        """Time between looks, in seconds."""
        ...

    @property
    def is_everywhere(self) -> bool:
        """Whether each process looks."""
        ...

    async def look(self) -> None:
        """Looks once."""
        ...


class WatchMeter(Protocol):
    """Whoever counts what the loop does."""

    def watch_failed(self, watcher: str) -> None:
        """A look failed, or took too long."""
        ...

    def is_watching(self, *, is_leader: bool) -> None:
        """Whether this process holds the lease."""
        ...


class Loop:
    """Runs watchers until it is stopped."""

    def __init__(
        self,
        store: Store,
        watchers: Sequence[Watcher],
        *,
        meter: WatchMeter,
        tick_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._watchers = list(watchers)
        self._meter = meter
        self._tick_s = tick_s
        self._clock = clock
        self._next = {watcher.name: 0.0 for watcher in watchers}
        self._ask_again = 0.0
        self._task: asyncio.Task[None] | None = None
        self._is_over = asyncio.Event()
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.is_leader = False

    def start(self) -> None:
        """Begins; the first looks come a tick later."""
        self._task = asyncio.create_task(self._run(), name="fairlead-watching")

    async def stop(self) -> None:
        """Ends after the look that is under way, soon anyhow, and leaves the lease to others."""
        self._is_over.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=STOP_LIMIT_S)
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self.is_leader:
            with suppress(StorageError):
                async with self._store.writing() as unit:
                    await unit.leases.give_back(LEASE, holder=self.holder)
            self._lead(is_leader=False)

    async def tick(self) -> None:
        """Has every watcher look that is due and may."""
        for watcher in self._watchers:
            if self._is_over.is_set():
                return
            if self._clock() < self._next[watcher.name]:
                continue
            if not watcher.is_everywhere and not await self._leads():
                continue
            self._next[watcher.name] = self._clock() + watcher.every_s
            await self._look(watcher)

    async def _run(self) -> None:
        while not self._is_over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_over.wait(), self._tick_s)
                return
            await self.tick()

    async def _look(self, watcher: Watcher) -> None:
        try:
            async with asyncio.timeout(LOOK_LIMIT_S):
                await watcher.look()
        except Exception:  # the loop must outlive any surprise of a watcher
            self._meter.watch_failed(watcher.name)
            logger.exception("watcher failed", extra={"watcher": watcher.name})

    async def _leads(self) -> bool:
        """Whether this process holds the lease, which is asked for or renewed now and then."""
        if self._clock() < self._ask_again:
            return self.is_leader
        self._ask_again = self._clock() + RENEW_S
        try:
            async with self._store.writing() as unit:
                is_leader = await unit.leases.take(
                    LEASE, holder=self.holder, now_us=now_us(), for_us=round(LEASE_S * 1e6)
                )
        except DuplicateRecord:
            is_leader = False
        except StorageError as error:
            logger.warning("lease not taken", extra={"error": error.label})
            self._meter.watch_failed("lease")
            is_leader = False
        self._lead(is_leader=is_leader)
        return is_leader

    def _lead(self, *, is_leader: bool) -> None:
        if is_leader is not self.is_leader:
            self._meter.is_watching(is_leader=is_leader)
        self.is_leader = is_leader
