"""`scorer.unhealthy`: a worker's model does not run as it should, or scores do not come."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from scorers.engine import Health
from service.settings import ScorerHealth
from service.watch.alerts import Alert, Alerts
from service.watch.message import stamp
from service.watch.rates import binomial_tail, interval
from storage.ids import now_us
from storage.store import Store

STALE_S = 24 * 3600.0
TWICE = 2


class Healthy(Protocol):
    """Whoever can be asked how it is; the engine is one."""

    def health(self) -> Health:
        """Its state now."""
        ...


def trouble(health: Health, *, provider: str) -> str:
    """What is wrong with an engine that should run on a provider; empty where nothing is."""
    if health.reason or provider in ("auto", health.provider):
        return health.reason
    return f"runs on {health.provider}, asked for {provider}"


@dataclass
class EngineWatcher:
    """Looks at this process's own engine. Its alert ends with the process."""

    engine: Healthy
    alerts: Alerts
    provider: str = "auto"
    worker: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")
    name: str = "engine"
    every_s: float = 15.0
    is_everywhere: bool = True
    _bad_looks: int = 0
    _is_raised: bool = False

    async def look(self) -> None:
        """Raises what is found twice in a row: a worker that is started again is no trouble."""
        health = self.engine.health()
        reason = trouble(health, provider=self.provider)
        self._bad_looks = self._bad_looks + 1 if reason else 0
        labels = {"worker": self.worker}
        if self._bad_looks >= TWICE:
            self._is_raised = True
            await self.alerts.raise_alert(
                Alert(
                    type="scorer.unhealthy",
                    summary=f"the scoring model does not run as it should: {reason}",
                    labels=labels,
                    details={"provider": health.provider, "deaths": health.deaths},
                    stale_after_s=8 * self.every_s,
                )
            )
        elif self._is_raised and not reason:
            self._is_raised = await self.alerts.resolve("scorer.unhealthy", labels)


@dataclass
class FailureWatcher:
    """Looks at the share of exchanges whose scores did not come, over all processes."""

    store: Store
    alerts: Alerts
    wanted: ScorerHealth
    clock_us: Callable[[], int] = now_us
    name: str = "scorer_failures"
    every_s: float = 60.0
    is_everywhere: bool = False

    async def look(self) -> None:
        """Looks once."""
        since = self.clock_us() - round(self.wanted.window_minutes * 60e6)
        async with self.store.reading() as unit:
            total, failed = await unit.tallies.failures(since_us=since)
        is_open = any(
            record.labels == _FAILURES for record in await self.alerts.open("scorer.unhealthy")
        )
        bar = self.wanted.max_failures
        if is_open and total and failed <= bar * total:
            await self.alerts.resolve("scorer.unhealthy", _FAILURES)
        elif failed and (is_open or binomial_tail(failed, total, bar) < self.wanted.alpha):
            await self._raise(since, failed=failed, total=total)

    async def _raise(self, since_us: int, *, failed: int, total: int) -> None:
        async with self.store.reading() as unit:
            examples = await unit.tallies.failed_ids(since_us=since_us)
        low, high = interval(failed, total)
        await self.alerts.raise_alert(
            Alert(
                type="scorer.unhealthy",
                summary=f"{failed} of the last {total} exchanges lack a score "
                f"(95% {low:.1%} to {high:.1%}, {self.wanted.max_failures:.1%} may)",
                labels=_FAILURES,
                details={
                    "failed": failed,
                    "total": total,
                    "share_low": round(low, 6),
                    "share_high": round(high, 6),
                    "since": stamp(since_us),
                    "examples": examples,
                },
                stale_after_s=STALE_S,
            )
        )


_FAILURES = {"kind": "failures"}
