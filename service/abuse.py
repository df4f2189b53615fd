"""Users whose prompts are vetoed again and again: slowed or stopped for a while, by policy.

The counts are those of the store, which every worker reads every few seconds: they survive a
restart and are the same for all replicas but for that delay. Nothing is asked of the store while
a request waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol

from service.errors import Overloaded, UserStopped
from service.settings import AbuseSettings
from storage.errors import StorageError
from storage.ids import now_us
from storage.jsontext import short
from storage.store import Store

logger = logging.getLogger("fairlead.abuse")

MAX_WAITING = 100
STOP_LIMIT_S = 5.0

Name = tuple[str | None, str | None]
"""An API key (its tenant) and a user under it."""


class AbuseMeter(Protocol):
    """Whoever counts what is done about abuse."""

    def abuse(self, action: str) -> None:
        """A request was `slowed`, `stopped` or, where too many waited, `crowded` out."""
        ...

    def watch_failed(self, watcher: str) -> None:
        """The store could not be read."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for a user: `slow` or `stop`, until a time in unix microseconds."""

    action: Literal["slow", "stop"]
    until_us: int


class Guard:
    """Knows who is slowed or stopped. Off, it knows nobody and never reads."""

    def __init__(
        self,
        store: Store,
        wanted: AbuseSettings,
        *,
        meter: AbuseMeter,
        clock_us: Callable[[], int] = now_us,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._wanted = wanted
        self._meter = meter
        self._clock_us = clock_us
        self._sleep = sleep
        self._until: Mapping[Name, int] = {}
        self._waiting = 0
        self._is_over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Reads who is known already, then again and again; not where it is off."""
        if self._wanted.after is not None:
            await self._read_quietly()
            self._task = asyncio.create_task(self._run(), name="fairlead-abuse")

    async def stop(self) -> None:
        """Ends after the reading that is under way."""
        self._is_over.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=STOP_LIMIT_S)
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def standing(self, key_id: str | None, user: str | None) -> Standing | None:
        """What holds for a user now; None where nothing does."""
        if not self._until:
            return None
        name = key_id, None if self._wanted.by == "key" or user is None else short(user)
        until = self._until.get(name)
        if until is None or until <= self._clock_us():
            return None
        return Standing(self._wanted.action, until)

    def expect_welcome(self, key_id: str | None, user: str | None) -> None:
        """Raises `UserStopped` for a user who is stopped."""
        found = self.standing(key_id, user)
        if found is not None and found.action == "stop":
            self._meter.abuse("stopped")
            left_s = max(1, -(-(found.until_us - self._clock_us()) // 1_000_000))
            raise UserStopped(
                "too many of this user's prompts were vetoed; try again later",
                retry_after_s=left_s,
            )

    async def delay(self, key_id: str | None, user: str | None) -> float:
        """Waits for a user who is slowed; how long, in seconds.

        It holds no place at an upstream. Raises `Overloaded` where a hundred wait already.
        """
        found = self.standing(key_id, user)
        if found is None or found.action != "slow":
            return 0.0
        if self._waiting >= MAX_WAITING:
            self._meter.abuse("crowded")
            raise Overloaded("too many slowed requests wait; try again later")
        self._meter.abuse("slowed")
        self._waiting += 1
        try:
            await self._sleep(self._wanted.delay_ms / 1000)
        finally:
            self._waiting -= 1
        return self._wanted.delay_ms / 1000

    async def read(self) -> None:
        """Reads from the store who is slowed or stopped. Raises StorageError."""
        if self._wanted.after is None:
            return
        within = round(self._wanted.within_minutes * 60e6)
        lasts = round(self._wanted.for_minutes * 60e6)
        async with self._store.reading() as unit:
            found = await unit.abuse.offenders(
                after=self._wanted.after,
                within_us=within,
                since_us=self._clock_us() - within - lasts,
                is_by_key=self._wanted.by == "key",
            )
        self._until = {name: last + lasts for name, last in found.items()}

    async def _run(self) -> None:
        while not self._is_over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_over.wait(), self._wanted.refresh_s)
                return
            await self._read_quietly()

    async def _read_quietly(self) -> None:
        """Reads; where the store is away, what was known holds until its time is over."""
        try:
            await self.read()
        except StorageError as error:
            self._meter.watch_failed("abuse")
            logger.warning("abuse not read", extra={"error": error.label})
