"""Group commit: many records, one transaction; a group forms while the one before commits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from storage.records import InteractionRecord
from storage.store import Store


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

    def failed(self, records: int, error: str) -> None:
        """So many records were refused or lost; `error` is a StorageError's label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterOptions:
    """Limits of the writer; past them a clear error, never a hang."""

    group_records: int = 512
    pending_records: int = 10_000
    overflow_wait_s: float = 5.0
    retry_s: float = 1.0
    spool_dir: Path | None = None
    spool_bytes: int = 1 << 30


class Writer:
    """Takes interaction records; one task commits them in groups."""

    def __init__(
        self,
        store: Store,
        options: WriterOptions | None = None,
        *,
        observer: WriterObserver | None = None,
    ) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        """Replay what an earlier process left in the spool, then take records."""

    async def put(self, record: InteractionRecord, *, is_durable: bool) -> None:
        """Store a record: durable before this returns, or (not `is_durable`) soon after.

        Raises RecordRejected, WriterOverflow, WriterClosed, StoreUnavailable or SpoolFull.
        """

    async def flush(self) -> None:
        """Return when everything put so far is in the store or the spool."""

    async def close(self, drain_s: float = 10.0) -> None:
        """Take no more, write what waits, stop; after `drain_s` the waiters get WriterClosed."""

    @property
    def is_healthy(self) -> bool:
        """Whether the last group reached the store and the task is alive."""
        return False

    @property
    def pending_records(self) -> int:
        """How many records wait or are being committed."""
        return 0
