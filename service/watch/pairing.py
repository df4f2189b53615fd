"""The watcher of preference pairs: how many could be exported now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from storage.exports.base import ExportOptions
from storage.exports.run import count_pairs
from storage.store import Store


class PairMeter(Protocol):
    """Whoever shows the count; `watch_metrics.WatchMetrics` is one."""

    def pairs(self, count: int) -> None:
        """So many pairs could be exported now."""
        ...


@dataclass
class Pairing:
    """Counts as an export that keeps near-duplicates would, which reads every judged reply.

    To find near-duplicates costs several times the reading: too much for a look.
    """

    store: Store
    meter: PairMeter
    every_s: float = 900.0
    name: str = "pairing"
    is_everywhere: bool = False

    async def look(self) -> None:
        """Counts once."""
        tally = await count_pairs(self.store, options=ExportOptions(near_duplicates=None))
        self.meter.pairs(tally.written)
