"""`veto_rate.high`: more is vetoed now than in the days before.

The newest hour is held against the whole hours before it, each counted once and remembered, so
that a look costs what one hour does. A conversation counts once in an hour, however often it was
vetoed in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from service.settings import VetoRate
from service.watch.alerts import Alert, Alerts
from service.watch.message import stamp
from service.watch.rates import interval, rise
from storage.ids import now_us
from storage.records import AlertRecord
from storage.repositories.tallies import VetoTally
from storage.store import Store

HOUR_US = 3600 * 1_000_000
HOURS_AT_A_LOOK = 8
STALE_S = 24 * 3600.0

Group = tuple[str, str]
"""A policy and a model."""


@dataclass
class VetoRates:
    """Looks at veto rates by policy and model, on one process."""

    store: Store
    alerts: Alerts
    wanted: VetoRate
    clock_us: Callable[[], int] = now_us
    name: str = "veto_rate"
    every_s: float = 60.0
    is_everywhere: bool = False
    _hours: dict[int, list[VetoTally]] = field(default_factory=dict)

    async def look(self) -> None:
        """Looks once. While hours are missing it reads a few: half a reference would mislead."""
        now = self.clock_us()
        since = now - round(self.wanted.window_minutes * 60e6)
        if not await self._read_hours(until_us=since):
            return
        async with self.store.reading() as unit:
            tallies = await unit.tallies.vetoes(since_us=since, until_us=now)
        opened = {_group(record): record for record in await self.alerts.open("veto_rate.high")}
        for tally in tallies:
            await self._judge(tally, opened.get((tally.policy, tally.model)), (since, now))

    async def _judge(
        self, tally: VetoTally, record: AlertRecord | None, window: tuple[int, int]
    ) -> None:
        # While it is open it is held against the time before it: trouble must not become normal.
        until = window[0] if record is None else record.created_us - (window[1] - window[0])
        total, vetoed = self._before((tally.policy, tally.model), until_us=until)
        bar = self.wanted.min_ratio * vetoed / total if total else 0.0
        if record is not None:
            is_over = not total or tally.vetoed <= bar * tally.total
            if is_over:
                await self.alerts.resolve("veto_rate.high", _labels(tally))
                return
        elif not self._is_high(tally, total, vetoed):
            return
        await self._raise(tally, window, total=total, vetoed=vetoed)

    def _is_high(self, tally: VetoTally, total: int, vetoed: int) -> bool:
        if tally.vetoed < self.wanted.min_vetoes:
            return False
        ratio = self.wanted.min_ratio
        found = rise(tally.vetoed, tally.total, before_hits=vetoed, before_total=total, ratio=ratio)
        return found < self.wanted.alpha

    async def _raise(
        self, tally: VetoTally, window: tuple[int, int], *, total: int, vetoed: int
    ) -> None:
        async with self.store.reading() as unit:
            examples = await unit.tallies.vetoed_ids(
                policy=tally.policy, model=tally.model, since_us=window[0], until_us=window[1]
            )
        low, high = interval(tally.vetoed, tally.total)
        share, before = tally.vetoed / tally.total, vetoed / total if total else 0.0
        await self.alerts.raise_alert(
            Alert(
                type="veto_rate.high",
                summary=f"{share:.1%} vetoed in the last {self.wanted.window_minutes:g} minutes "
                f"({tally.vetoed} of {tally.total}; 95% {low:.1%} to {high:.1%}), "
                f"{before:.2%} before",
                labels=_labels(tally),
                details={
                    "vetoed": tally.vetoed,
                    "vetoed_prompts": tally.prompts,
                    "total": tally.total,
                    "share": round(share, 6),
                    "share_low": round(low, 6),
                    "share_high": round(high, 6),
                    "since": stamp(window[0]),
                    "share_before": round(before, 6),
                    "total_before": total,
                    "examples": examples,
                },
                stale_after_s=STALE_S,
            )
        )

    def _before(self, group: Group, *, until_us: int) -> tuple[int, int]:
        """How many there were in the reference of a group, and how many vetoed."""
        found = [
            tally
            for hour, tallies in self._hours.items()
            if hour + HOUR_US <= until_us
            for tally in tallies
            if (tally.policy, tally.model) == group
        ]
        return sum(tally.total for tally in found), sum(tally.vetoed for tally in found)

    async def _read_hours(self, *, until_us: int) -> bool:
        """Reads hours that are over, the newest first, and forgets the oldest; True where all are.

        Some hours at a look, so that a start costs the store little at a time.
        """
        last = until_us // HOUR_US * HOUR_US
        first = last - self.wanted.reference_days * 24 * HOUR_US
        for hour in [hour for hour in self._hours if hour < first]:
            del self._hours[hour]
        missing = [hour for hour in range(first, last, HOUR_US) if hour not in self._hours]
        for hour in missing[: -HOURS_AT_A_LOOK - 1 : -1]:
            async with self.store.reading() as unit:
                found = await unit.tallies.vetoes(since_us=hour, until_us=hour + HOUR_US)
            self._hours[hour] = found
        return len(missing) <= HOURS_AT_A_LOOK


def _labels(tally: VetoTally) -> Mapping[str, str]:
    return {"policy": tally.policy, "model": tally.model}


def _group(record: AlertRecord) -> Group:
    labels = record.labels or {}
    return labels.get("policy", ""), labels.get("model", "")


def watched(wanted: VetoRate, store: Store, alerts: Alerts) -> Iterable[VetoRates]:
    """The watcher, unless it is off."""
    if wanted.mode == "on":
        yield VetoRates(store, alerts, wanted)
