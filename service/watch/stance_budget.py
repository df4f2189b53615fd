"""What stance probes may cost in any hour, counted from the store: it outlives processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from storage.ids import now_us
from storage.store import Store

HOUR_US = 3_600_000_000
_KEPT_US = 24 * HOUR_US


@dataclass(frozen=True, slots=True)
class StanceBudget:
    """Requests and tokens of one hour, for all who share the store."""

    store: Store
    requests: int
    tokens: int
    now: Callable[[], int] = now_us

    async def reserve(self, *, requests: int, tokens: int) -> str | None:
        """Takes so much out of the budget before it is spent; None where it does not fit.

        What was reserved and never settled, as by a process that died, stays spent for its hour.
        """
        at_us = self.now()
        async with self.store.writing() as unit:
            spent = await unit.spending.since(at_us - HOUR_US)
            is_over = spent.requests + requests > self.requests
            if is_over or spent.tokens + tokens > self.tokens:
                return None
            await unit.spending.forget(before_us=at_us - _KEPT_US)
            return await unit.spending.reserve(at_us=at_us, requests=requests, tokens=tokens)

    async def settle(self, ident: str, *, requests: int, tokens: int) -> None:
        """Puts what it has cost in the place of what was reserved."""
        async with self.store.writing() as unit:
            await unit.spending.settle(ident, requests=requests, tokens=tokens)
