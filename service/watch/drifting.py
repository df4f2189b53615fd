"""The watcher of drift: looks each hour, shows figures, raises alerts and ends them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np

from service.watch.alerts import Alert, Alerts
from service.watch.drift import Finding
from service.watch.survey import Drift, Survey
from storage.ids import now_us

_PATIENCE_S = 20.0
_STALE_S = 3 * 24 * 3600.0
"""How long an alert of a signal outlives its traffic."""


class DriftMeter(Protocol):
    """Whoever shows the figures; `watch_metrics.WatchMetrics` is one."""

    def drift(self, signal: str, test: str, statistic: float) -> None:
        """A signal was held against its reference."""
        ...

    def drift_alarm(self, signal: str, *, is_on: bool) -> None:
        """Whether a signal has drifted."""
        ...


@dataclass
class DriftWatcher:
    """Looks often and cheaply: at nothing until an hour has ended, and at old hours bit by bit."""

    survey: Survey
    alerts: Alerts
    meter: DriftMeter
    clock_us: Callable[[], int] = now_us
    name: str = "drift"
    every_s: float = 60.0
    is_everywhere: bool = False
    _shown: set[str] = field(default_factory=set)

    async def look(self) -> None:
        """Looks once."""
        found = await self.survey.look_in_time(self.clock_us(), _PATIENCE_S)
        if found is None:
            return
        self._show(found)
        for drift in found:
            if drift.finding.state == "drifted":
                await self.alerts.raise_alert(alert(drift))
            elif drift.finding.state == "steady":
                await self.alerts.resolve("drift.detected", drift.labels)

    def _show(self, found: Iterable[Drift]) -> None:
        """Each signal as its model and route with the most evidence has it."""
        worst: dict[str, Finding] = {}
        for drift in found:
            known = worst.setdefault(drift.finding.signal, drift.finding)
            worst[known.signal] = max(known, drift.finding, key=_rank)
        for name in self._shown - worst.keys():
            self.meter.drift_alarm(name, is_on=False)
        for name, finding in worst.items():
            self._shown.add(name)
            self.meter.drift_alarm(name, is_on=finding.state == "drifted")
            self.meter.drift(name, "evidence", evidence(finding))
            if finding.effect is not None:
                self.meter.drift(name, "effect", finding.effect.sds)


def _rank(finding: Finding) -> tuple[bool, float]:
    return finding.state == "drifted", evidence(finding)


def evidence(finding: Finding) -> float:
    """The evidence as a share of what an alarm needs, both as logarithms, from 0 on."""
    if not np.isfinite(finding.log_evidence) or not np.isfinite(finding.log_threshold):
        return 0.0
    return max(0.0, finding.log_evidence / finding.log_threshold)


def alert(drift: Drift) -> Alert:
    """What is told: the signal, from what to what, since when, and three examples by id."""
    finding = drift.finding
    since = moment(finding.since_us)
    return Alert(
        type="drift.detected",
        summary=f"{finding.signal} of {drift.model or 'any model'} has drifted: "
        f"{describe(finding)}, since {since}",
        labels=drift.labels,
        details=facts(finding),
        stale_after_s=_STALE_S,
    )


def describe(finding: Finding) -> str:
    """From what to what, in words."""
    effect = finding.effect
    if effect is None:
        return finding.state.replace("_", " ")
    change = f"{effect.change:+.4f}, 95% {effect.low:+.4f} to {effect.high:+.4f}"
    return f"{effect.view} from {effect.before:.4f} to {effect.now:.4f} ({change})"


def facts(finding: Finding) -> dict[str, Any]:
    """The finding as plain JSON values."""
    told: dict[str, Any] = {
        "signal": finding.signal,
        "state": finding.state,
        "reference_values": finding.reference_count,
        "watched_values": finding.count,
        "evidence": round(evidence(finding), 4),
    }
    effect = finding.effect
    if effect is not None:
        told["effect"] = {
            "view": effect.view,
            "before": round(effect.before, 6),
            "now": round(effect.now, 6),
            "change": round(effect.change, 6),
            "low": round(effect.low, 6),
            "high": round(effect.high, 6),
            "standard_deviations": round(effect.sds, 4),
        }
    if finding.state == "drifted":
        told["since"] = moment(finding.since_us)
        told["alarmed"] = moment(finding.alarmed_us)
        told["examples"] = list(finding.examples)
    return told


def moment(at_us: int | None) -> str:
    """A time in ISO 8601, in UTC; hours are whole."""
    return "" if at_us is None else f"{datetime.fromtimestamp(at_us / 1e6, UTC):%Y-%m-%dT%H:%MZ}"
