"""Watches whether the served models' certainty still tells how often they are right."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Protocol

from service.settings import CalibrationSettings
from service.watch.alerts import Alert, Alerts
from service.watch.calibration import READINGS, Degradation, by_model, compared, readings_of
from storage.ids import now_us
from storage.repositories.outcomes import CheckedReply, OutcomeFilter, checked_replies
from storage.store import Store

KIND: Final = "calibration.degraded"
MOST_MODELS = 50
MOST_REPLIES = 20_000
"""What one look reads of each time; enough for an interval of a hundredth."""

DAY_US = 86_400_000_000
EXAMPLES = 3
_STALE_DAYS = 3.0
_ByModel = Mapping[str, Sequence[CheckedReply]]


class CalibrationMeter(Protocol):
    """Whoever shows the calibration errors."""

    def calibration(self, model: str, error: float) -> None:
        """The expected calibration error of a model, in [0, 1]."""
        ...


@dataclass
class Calibrating:
    """Compares newly checked replies with those of the days before, and tells of what got worse."""

    store: Store
    alerts: Alerts
    settings: CalibrationSettings
    meter: CalibrationMeter
    clock_us: Callable[[], int] = now_us
    name: str = "calibrating"
    is_everywhere: bool = False
    every_s: float = field(init=False)

    def __post_init__(self) -> None:
        """The time between looks comes from the settings."""
        self.every_s = 3600.0 * self.settings.every_hours

    async def look(self) -> None:
        """Looks once: figures of the recent days, alerts for what is worse than before."""
        now = self.clock_us()
        turn = now - self.settings.days * DAY_US
        begin = turn - self.settings.reference_days * DAY_US
        recent, reference = await self._replies(turn, now), await self._replies(begin, turn)
        # Resampling takes seconds: not on the loop that serves.
        errors, changes = await asyncio.to_thread(self._figures, reference, recent)
        for model, error in errors.items():
            self.meter.calibration(model, error)
        for found in changes:
            await self._tell(found, recent[found.model])

    def _figures(
        self, reference: _ByModel, recent: _ByModel
    ) -> tuple[dict[str, float], list[Degradation]]:
        errors = {
            model: reading.ece.value
            for model, own in recent.items()
            for reading in readings_of(own)
            if reading.name == best_reading(own)
        }
        margin, alpha = self.settings.margin, self.settings.alpha
        return errors, list(compared(reference, recent, margin=margin, alpha=alpha))

    async def _replies(self, since_us: int, until_us: int) -> _ByModel:
        where, found = OutcomeFilter(since_us=since_us, until_us=until_us), list[CheckedReply]()
        async with self.store.reading() as unit:
            async for each in checked_replies(unit.connection, where):
                found.append(each)
                if len(found) == MOST_REPLIES:
                    break
        return dict(islice(by_model(found).items(), MOST_MODELS))

    async def _tell(self, found: Degradation, replies: Sequence[CheckedReply]) -> None:
        labels = {"model": found.model, "reading": found.reading}
        if not found.is_degraded:
            await self.alerts.resolve(KIND, labels)
            return
        summary = (
            f"{found.model}: the calibration error of `{found.reading}` rose from "
            f"{found.before:.2f} to {found.after:.2f} over {found.replies} checked replies"
        )
        details = {
            "before": round(found.before, 4),
            "after": round(found.after, 4),
            "change_of_squares": [round(found.change.low, 5), round(found.change.high, 5)],
            "replies": found.replies,
            "examples": [reply.interaction_id for reply in worst(replies, found.reading)],
        }
        stale_s = _STALE_DAYS * 86_400 + self.every_s
        await self.alerts.raise_alert(
            Alert(type=KIND, summary=summary, labels=labels, details=details, stale_after_s=stale_s)
        )


def best_reading(replies: Sequence[CheckedReply]) -> str:
    """The reading that says most of these replies: recalibrated, else tokens, else the wording."""
    half = len(replies) / 2
    known = [
        name
        for name in reversed(READINGS)
        if sum(getattr(reply, name) is not None for reply in replies) >= half
    ]
    return known[0]


def worst(replies: Sequence[CheckedReply], reading: str) -> list[CheckedReply]:
    """The replies whose stated chance is furthest from what came."""
    known = [reply for reply in replies if getattr(reply, reading) is not None]
    known.sort(key=lambda r: (-abs(getattr(r, reading) - r.is_right), r.interaction_id))
    return known[:EXAMPLES]
