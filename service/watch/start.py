"""What watches, started with the service and stopped before its store."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Protocol

from service.settings import Retention
from service.watch.alerts import Alerts, count_by_type
from service.watch.drifting import DriftMeter, DriftWatcher
from service.watch.keeping import Keeping
from service.watch.loop import Loop, Watcher, WatchMeter
from service.watch.survey import Survey
from storage.store import Store


class Meter(WatchMeter, DriftMeter, Protocol):
    """Whoever counts what the watching parts do; `watch_metrics.WatchMetrics` is one."""

    def alerts_open(self, kind: str, count: int) -> None:
        """So many alerts of this type are open."""
        ...


@dataclass
class Settling:
    """Ends the alerts that are over, on one process."""

    alerts: Alerts
    name: str = "settling"
    every_s: float = 15.0
    is_everywhere: bool = False

    async def look(self) -> None:
        """Ends what is over."""
        await self.alerts.settle()


@dataclass
class Counting:
    """Counts the open alerts, in every process: any of them may be asked for its figures."""

    alerts: Alerts
    meter: Meter
    name: str = "counting"
    every_s: float = 15.0
    is_everywhere: bool = True
    _shown: set[str] = field(default_factory=set)

    async def look(self) -> None:
        """Counts; a type that was shown once is shown as 0 from then on."""
        counts = count_by_type(await self.alerts.open())
        self._shown |= counts.keys()
        for kind in self._shown:
            self.meter.alerts_open(kind, counts.get(kind, 0))


async def open_watch(
    store: Store,
    stack: AsyncExitStack,
    *,
    meter: Meter,
    retention: Retention,
    survey: Survey | None = None,
) -> Alerts:
    """Starts the loop over all watchers; the stack stops it. Drift needs a `survey`."""
    alerts = Alerts(store)
    watchers: list[Watcher] = [
        Settling(alerts),
        Counting(alerts, meter),
        Keeping(store, retention),
    ]
    if survey is not None:
        watchers.append(DriftWatcher(survey, alerts, meter))
    loop = Loop(store, watchers, meter=meter)
    loop.start()
    stack.push_async_callback(loop.stop)
    return alerts
