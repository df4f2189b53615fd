"""What is kept, and for how long: partitions are made ahead, and what is too old goes."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from service.settings import Retention
from storage import partitions, retention
from storage.errors import StoreUnavailable
from storage.store import Store

logger = logging.getLogger("fairlead.keeping")

LIMIT_S = 30.0


@dataclass
class Keeping:
    """Makes partitions ahead and removes old exchanges, on one process, a bit at a time."""

    store: Store
    settings: Retention
    name: str = "keeping"
    every_s: float = 300.0
    is_everywhere: bool = False

    async def look(self) -> None:
        """Makes and removes; where a long reader is in the way, the next look tries again."""
        try:
            await self._look()
        except StoreUnavailable as error:
            logger.warning("not pruned now", extra={"reason": str(error)})

    async def _look(self) -> None:
        made = await partitions.make_ahead(self.store, span_days=self.settings.partition_days)
        if made:
            logger.info("partitions made", extra={"partitions": list(made)})
        if self.settings.days is None:
            return
        pruned = await retention.prune(self.store, days=self.settings.days, limit_s=LIMIT_S)
        if pruned.rows or pruned.partitions:
            removed = {"rows": pruned.rows, "partitions": list(pruned.partitions)}
            logger.info("old exchanges removed", extra=removed)
