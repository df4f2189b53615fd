"""Group commit: many records, one transaction; a group forms while the one before commits.

There is no timer. One task takes whatever waits, commits it and answers those who wait for it. When
the store is away the task writes to the spool instead, and from there to the store once it is back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from storage.errors import (
    RecordRejected,
    StorageError,
    StoreUnavailable,
    WriterClosed,
    WriterOverflow,
)
from storage.records import InteractionRecord, Json
from storage.rows import InteractionRows, encode
from storage.sink import GroupSink, open_sink
from storage.spool import Spool, from_line
from storage.store import Store

_log = logging.getLogger(__name__)


class WriterObserver(Protocol):
    """What the writer tells whoever counts. Called on the event loop; must not block or raise."""

    def pending(self, records: int) -> None:
        """So many records wait now."""

    def committed(self, records: int, seconds: float) -> None:
        """A group of so many records was committed in so many seconds."""

    def spooled(self, records: int) -> None:
        """So many records went to the spool because the store was away."""

    def replayed(self, records: int) -> None:
        """So many spooled records are now in the store."""

    def spool_holds(self, waiting_bytes: int) -> None:
        """So much waits in the spool now."""

    def failed(self, records: int, error: str) -> None:
        """So many records were refused or lost; `error` is a StorageError's label."""


class SilentObserver:
    """Counts nothing."""

    def pending(self, records: int) -> None:
        """Ignore."""

    def committed(self, records: int, seconds: float) -> None:
        """Ignore."""

    def spooled(self, records: int) -> None:
        """Ignore."""

    def replayed(self, records: int) -> None:
        """Ignore."""

    def spool_holds(self, waiting_bytes: int) -> None:
        """Ignore."""

    def failed(self, records: int, error: str) -> None:
        """Ignore."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterOptions:
    """Limits of the writer; past them a clear error, never a hang.

    `pending_records` and `pending_bytes` (of JSON text) bound what waits; a put that finds no room
    waits for it up to `overflow_wait_s`. A commit that takes longer than `commit_limit_s` counts as
    a store that is away; it is tried again every `retry_s`. Without a `spool_dir` there is no
    spool, and while the store is away the waiters get the error.
    """

    group_records: int = 512
    group_bytes: int = 32 << 20
    pending_records: int = 10_000
    pending_bytes: int = 256 << 20
    overflow_wait_s: float = 5.0
    commit_limit_s: float = 15.0
    retry_s: float = 1.0
    spool_dir: Path | None = None
    spool_bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class _Waiting:
    record: InteractionRecord
    rows: InteractionRows
    done: asyncio.Future[None] | None

    def answer(self, error: StorageError | None = None) -> None:
        # The caller may have gone; its record is written all the same.
        if self.done is None or self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class Writer:
    """Takes exchanges; one task commits them in groups.

    `start()` once on the event loop, `put()` from any task, `close()` once. `sink` is where groups
    go; the store's own unless told.
    """

    def __init__(
        self,
        store: Store,
        options: WriterOptions | None = None,
        *,
        observer: WriterObserver | None = None,
        sink: GroupSink | None = None,
    ) -> None:
        self._store = store
        self._options = options or WriterOptions()
        self._observer = observer or SilentObserver()
        self._sink = sink or open_sink(store.engines)
        self._spool = _spool(self._options)
        self._queue: deque[_Waiting] = deque()
        self._queued_bytes = 0
        self._in_flight = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_up = True
        self._retry_at_s = 0.0
        self._is_closing = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take over what an earlier process left in the spool, then take records."""
        if self._spool:
            await asyncio.to_thread(self._spool.open)
            self._observer.spool_holds(self.spooled_bytes)
        self._task = asyncio.create_task(self._run(), name="storage-writer")
        self._task.add_done_callback(self._on_end)

    async def put(self, record: InteractionRecord, *, is_durable: bool) -> None:
        """Store a record: durable before this returns, or (not `is_durable`) soon after.

        Durable is: committed, or synced to the spool while the store is away. Raises
        RecordRejected, WriterOverflow or WriterClosed; when durable also StoreUnavailable.
        """
        rows = encode(record)
        if self._is_full():
            await self._wait_for_room()
        if self._is_closing or self._task is None or self._task.done():
            raise WriterClosed("the writer takes no records now")
        done = asyncio.get_running_loop().create_future() if is_durable else None
        self._queue.append(_Waiting(record, rows, done))
        self._queued_bytes += rows.size_bytes
        self._wake.set()
        if done is not None:
            await done

    async def add_twin(self, ident: str, twin: Json) -> bool:
        """Put a twin beside an exchange that is committed; False where the store lacks it so far.

        Raises StorageError. A twin waits in no spool.
        """
        async with self._store.writing() as unit:
            return await unit.interactions.add_twin(ident, twin)

    async def add_stance_probe(self, ident: str, probe: Json) -> bool:
        """The same with what a stance probe found."""
        async with self._store.writing() as unit:
            return await unit.interactions.add_stance_probe(ident, probe)

    async def flush(self) -> None:
        """Return when everything put so far is in the store or the spool, or was refused."""
        while self.pending_records and self._task and not self._task.done():
            self._idle.clear()
            await self._idle.wait()

    async def close(self, drain_s: float = 10.0) -> None:
        """Take no more, write what waits, stop; after `drain_s` the waiters get WriterClosed."""
        self._is_closing = True
        self._room.set()
        try:
            await asyncio.wait_for(self.flush(), drain_s)
        except TimeoutError:
            _log.warning("writer stopped with records waiting")
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        while self._queue:
            await self._keep_or_refuse(self._take(len(self._queue)))
        await self._sink.close()
        if self._spool:
            await asyncio.to_thread(self._spool.close)

    @property
    def is_healthy(self) -> bool:
        """Whether the task is alive and the last group reached the store."""
        return self._is_up and self._task is not None and not self._task.done()

    @property
    def pending_records(self) -> int:
        """How many records wait or are being committed; spooled ones do not count."""
        return len(self._queue) + self._in_flight

    @property
    def spool_limit_bytes(self) -> int:
        """How much the spool may hold; 0 where there is none."""
        return self._options.spool_bytes if self._spool else 0

    @property
    def spooled_bytes(self) -> int:
        """How much waits in the spool to be replayed."""
        return self._spool.waiting_bytes if self._spool else 0

    async def _run(self) -> None:
        while True:
            await self._wait_for_work()
            group = self._take(self._options.group_records)
            try:
                await self._write(group)
                if self.spooled_bytes and self._is_store_worth_trying():
                    await self._replay()
            except Exception as error:  # noqa: BLE001 the loop must outlive any surprise
                _log.exception("writer failed")
                self._mark_down()
                self._refuse(group, StorageError(f"the writer failed: {type(error).__name__}"))
            except asyncio.CancelledError:
                self._refuse(group, WriterClosed("the writer was stopped"))
                raise
            finally:
                self._end_group()

    async def _wait_for_work(self) -> None:
        while not self._queue:
            wait_s = self._next_replay_s()
            if wait_s == 0:
                return
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), wait_s)
            except TimeoutError:
                return

    def _next_replay_s(self) -> float | None:
        if not self.spooled_bytes:
            return None
        return 0 if self._is_up else max(0.0, self._retry_at_s - time.monotonic())

    def _take(self, limit: int) -> list[_Waiting]:
        group: list[_Waiting] = []
        size_bytes = 0
        while self._queue and len(group) < limit and size_bytes < self._options.group_bytes:
            waiting = self._queue.popleft()
            size_bytes += waiting.rows.size_bytes
            group.append(waiting)
        self._queued_bytes -= size_bytes
        self._in_flight = len(group)
        self._room.set()
        self._observer.pending(self.pending_records)
        return group

    def _end_group(self) -> None:
        self._in_flight = 0
        self._observer.pending(self.pending_records)
        if not self._queue:
            self._idle.set()

    async def _write(self, group: Sequence[_Waiting]) -> None:
        if not group:
            return
        if self._spool and not self._is_store_worth_trying():
            await self._keep_or_refuse(group)
            return
        try:
            await self._commit([waiting.rows for waiting in group])
        except StoreUnavailable as error:
            self._mark_down()
            await self._keep_or_refuse(group, error)
        except StorageError as error:
            await self._write_halves(group, error)
        else:
            for waiting in group:
                waiting.answer()

    async def _write_halves(self, group: Sequence[_Waiting], error: StorageError) -> None:
        # One bad record fails its whole group: find it, so that only its own caller hears of it.
        if len(group) == 1:
            self._refuse(group, RecordRejected(str(error)))
            return
        middle = len(group) // 2
        await self._write(group[:middle])
        await self._write(group[middle:])

    async def _commit(self, rows: Sequence[InteractionRows]) -> None:
        started_s = time.perf_counter()
        try:
            async with asyncio.timeout(self._options.commit_limit_s), self._store.write_turn():
                await self._sink.commit(rows)
        except TimeoutError:
            raise StoreUnavailable("the store did not commit in time") from None
        self._is_up = True
        self._observer.committed(len(rows), time.perf_counter() - started_s)

    async def _keep_or_refuse(
        self, group: Sequence[_Waiting], error: StorageError | None = None
    ) -> None:
        if not group:
            return
        if self._spool is None:
            self._refuse(group, error or WriterClosed("the writer was stopped"))
            return
        is_durable = any(waiting.done is not None for waiting in group)
        records = [waiting.record for waiting in group]
        try:
            await asyncio.to_thread(self._spool.append, records, is_durable=is_durable)
        except StorageError as full:
            self._refuse(group, full)
            return
        self._observer.spooled(len(group))
        self._observer.spool_holds(self.spooled_bytes)
        for waiting in group:
            waiting.answer()

    def _refuse(self, group: Sequence[_Waiting], error: StorageError) -> None:
        waiting = [each for each in group if each.done is None or not each.done.done()]
        if not waiting:
            return
        self._observer.failed(len(waiting), error.label)
        _log.error("records not stored", extra={"records": len(waiting), "error": error.label})
        for each in waiting:
            each.answer(error)

    async def _replay(self) -> None:
        assert self._spool is not None
        lines = await asyncio.to_thread(self._spool.peek, self._options.group_records)
        try:
            await self._replay_lines(lines)
        except StoreUnavailable:
            self._mark_down()
            return
        await asyncio.to_thread(self._spool.consume, lines)
        self._observer.spool_holds(self.spooled_bytes)

    async def _replay_lines(self, lines: Sequence[bytes]) -> None:
        if not lines:
            return
        try:
            await self._commit([encode(from_line(line)) for line in lines])
            self._observer.replayed(len(lines))
        except StoreUnavailable:
            raise
        except StorageError as error:
            await self._replay_halves(lines, error)

    async def _replay_halves(self, lines: Sequence[bytes], error: StorageError) -> None:
        assert self._spool is not None
        if len(lines) == 1:
            await asyncio.to_thread(self._spool.reject, lines[0])
            self._observer.failed(1, error.label)
            _log.error("spooled record put aside", extra={"error": error.label})
            return
        middle = len(lines) // 2
        await self._replay_lines(lines[:middle])
        await self._replay_lines(lines[middle:])

    def _mark_down(self) -> None:
        self._is_up = False
        self._retry_at_s = time.monotonic() + self._options.retry_s

    def _is_store_worth_trying(self) -> bool:
        return self._is_up or time.monotonic() >= self._retry_at_s

    def _is_full(self) -> bool:
        options = self._options
        return (
            len(self._queue) >= options.pending_records
            or self._queued_bytes >= options.pending_bytes
        )

    async def _wait_for_room(self) -> None:
        try:
            async with asyncio.timeout(self._options.overflow_wait_s):
                while self._is_full() and not self._is_closing:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            self._observer.failed(1, WriterOverflow.label)
            raise WriterOverflow("too many records wait to be stored") from None

    def _on_end(self, _task: asyncio.Task[None]) -> None:
        # Also after a crash nobody waits for ever: everyone is answered.
        while self._queue and not self._is_closing:
            self._refuse(self._take(len(self._queue)), WriterClosed("the writer ended"))
        self._idle.set()


def _spool(options: WriterOptions) -> Spool | None:
    if options.spool_dir is None:
        return None
    return Spool(options.spool_dir, limit_bytes=options.spool_bytes)
