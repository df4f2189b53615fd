"""The watcher of knowledge gaps: reads prompts within a budget, and looks each hour.

A prompt is embedded once: its vector is kept in the store beside its exchange and goes with it.
Nothing here holds a text for longer than it takes to embed it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

import numpy as np

from scorers.errors import EngineStopped, Overloaded, ScorerError
from service.settings import KnowledgeGaps
from service.watch.alerts import Alert, Alerts
from service.watch.drifting import moment
from service.watch.gaps import SIGNS, Gap, Limits, Prompts, hunt, same
from service.watch.series import HOUR_US
from service.watch.topics import Embeddings
from storage.ids import new_id, now_us
from storage.repositories.gaps import Asked, GapRecord, Placed
from storage.store import Store

logger = logging.getLogger("fairlead.gaps")

KIND: Final = "knowledge_gap.found"
DAY_US = 24 * HOUR_US
MOST_PROMPTS = 30_000
"""What a look reads: more are drawn at random."""

AT_A_TIME = 8
"""Prompts in one call of the encoder: short work, so that scoring never waits long for it."""

_CHARS = 1000
_SETTLED_US = 60_000_000
"""How long after its end an hour may still get records that lay in the writer."""

_BEHIND_US = DAY_US
"""What was missed for longer is not read any more: the newest traffic comes first."""

_GONE_US = DAY_US
"""A gap is closed when it has not been there for so long."""

_KEPT_US = 365 * DAY_US
_STALE_S = 3 * 24 * 3600.0
_MOST_MEMBERS = 1000
_MOST_OPEN = 50
_STORED = np.dtype("<f2")

Embed = Callable[[Sequence[str]], Awaitable[Embeddings]]
"""Gives the embeddings of texts; the engine does."""


class GapMeter(Protocol):
    """Whoever shows the figures; `watch_metrics.WatchMetrics` is one."""

    def gaps(self, count: int) -> None:
        """So many knowledge gaps are open."""
        ...

    def gap_prompts_read(self, count: int) -> None:
        """So many more prompts were embedded to look for gaps."""
        ...


@dataclass
class GapWatcher:
    """Reads a little each minute, and looks when an hour of prompts is read; on one process.

    `encoder` names the model that embeds: vectors of another one are worth nothing and go.
    """

    store: Store
    alerts: Alerts
    settings: KnowledgeGaps
    meter: GapMeter
    embed: Embed
    encoder: str
    clock_us: Callable[[], int] = now_us
    name: str = "knowledge_gaps"
    every_s: float = 60.0
    is_everywhere: bool = False
    patience_s: float = 20.0
    _has_news: bool = False
    _hour_us: int | None = None
    _queue: list[str] | None = None
    _allowance: float = 0.0
    _asked_us: int | None = field(default=None, repr=False)

    async def look(self) -> None:
        """Reads what the budget allows; where hours are read whole, looks for gaps."""
        now = self.clock_us()
        self._earn(now)
        until_s = time.monotonic() + self.patience_s
        while await self._next_hour(now) and await self._read(until_s):
            self._has_news = True
        if self._has_news:
            await self._hunt(now)
            self._has_news = False
        async with self.store.reading() as unit:
            self.meter.gaps(len(await unit.gaps.open()))

    def _earn(self, now: int) -> None:
        """The budget flows in with time; what is not used in an hour is lost."""
        past_us = 0 if self._asked_us is None else now - self._asked_us
        per_hour = self.settings.prompts_per_hour
        self._allowance = min(per_hour, self._allowance + per_hour * past_us / HOUR_US)
        self._asked_us = now

    async def _next_hour(self, now: int) -> bool:
        """Sets out to read the next hour that is over; False where there is none."""
        last = (now - _SETTLED_US) // HOUR_US * HOUR_US
        if self._queue is not None and (self._hour_us or 0) >= last - _BEHIND_US:
            return True
        async with self.store.reading() as unit:
            if self._hour_us is None:
                span = await unit.gaps.span_us(self.encoder)
                self._hour_us = last - HOUR_US if span is None else span[1] // HOUR_US * HOUR_US
            self._hour_us = max(self._hour_us, last - _BEHIND_US)
            if self._hour_us >= last:
                return False
            self._queue = await unit.gaps.unread(
                since_us=self._hour_us,
                until_us=self._hour_us + HOUR_US,
                most=self.settings.prompts_per_hour,
            )
        return True

    async def _read(self, until_s: float) -> bool:
        """Embeds prompts of the hour; whether all of them are, so that the next may come."""
        while self._queue:
            if time.monotonic() > until_s:
                return False
            some = self._queue[: min(AT_A_TIME, int(self._allowance))]
            if not some:
                return False
            async with self.store.reading() as unit:
                found = await unit.gaps.prompts(some)
            asked = [one for one in found if one.prompt]
            if asked and not await self._place(asked):
                return False
            self._queue = self._queue[len(some) :]
        self._queue = None
        assert self._hour_us is not None
        self._hour_us += HOUR_US
        return True

    async def _place(self, asked: Sequence[Asked]) -> bool:
        """Embeds and keeps; False where the engine has no room now: it is tried again later."""
        self._allowance -= len(asked)
        try:
            vectors = await self.embed([(one.prompt or "")[:_CHARS] for one in asked])
        except (Overloaded, EngineStopped) as error:
            logger.info("prompts not embedded now", extra={"error": error.kind})
            return False
        except ScorerError as error:
            logger.warning("prompts left out", extra={"error": error.kind, "count": len(asked)})
            return True
        kept = [stored(vector) for vector in vectors]
        async with self.store.writing() as unit:
            await unit.gaps.place(list(zip(asked, kept, strict=True)), self.encoder)
        self.meter.gap_prompts_read(len(asked))
        return True

    async def _hunt(self, now: int) -> None:
        windows = await self._windows(now)
        if windows is not None:
            start, turn, end = windows
            before, current = await self._placed(start, turn), await self._placed(turn, end)
            gaps = await asyncio.to_thread(
                _hunted, before, current, self.settings.hedged_below, limits_of(self.settings)
            )
            await self._note(gaps, now)
        kept_us = (self.settings.reference_days + self.settings.watched_days + 1) * DAY_US
        async with self.store.writing() as unit:
            await unit.gaps.forget(encoder=self.encoder, before_us=now - kept_us)
            await unit.gaps.forget_closed(before_us=now - _KEPT_US)

    async def _windows(self, now: int) -> tuple[int, int, int] | None:
        """Start of the reference, its end, which is the start of what is watched, and its end.

        While there is less than both, what is watched begins where the reference is full.
        """
        async with self.store.reading() as unit:
            span = await unit.gaps.span_us(self.encoder)
        if span is None:
            return None
        length = self.settings.reference_days * DAY_US
        turn = now // DAY_US * DAY_US - self.settings.watched_days * DAY_US
        turn = max(turn, span[0] // HOUR_US * HOUR_US + length)
        return None if turn >= now else (turn - length, turn, now)

    async def _placed(self, since_us: int, until_us: int) -> list[Placed]:
        async with self.store.reading() as unit:
            return await unit.gaps.placed(
                encoder=self.encoder, since_us=since_us, until_us=until_us, most=MOST_PROMPTS // 2
            )

    async def _note(self, gaps: Sequence[Gap], now: int) -> None:
        """Opens what is found, keeps up what lasts, closes what is gone, and tells."""
        async with self.store.reading() as unit:
            opened = await unit.gaps.open()
        known = {record.id: record for record in opened}
        # The part with most of a known gap's prompts comes first; it speaks for the gap.
        parts = same(gaps, {record.id: record.members for record in opened})
        for place, ident in parts.items():
            if gaps[place].is_lasting and known[ident].seen_us < now:
                known[ident] = await self._keep_up(known[ident], gaps[place], now)
        fresh = [gap for at, gap in enumerate(gaps) if gap.is_found and at not in parts]
        for gap in fresh[: max(0, _MOST_OPEN - len(known))]:
            await self._open(gap, now)
        for record in known.values():
            if now - record.seen_us > _GONE_US:
                await self._close(record, now)

    async def _open(self, gap: Gap, now: int) -> None:
        record = GapRecord(
            id=new_id("gap", now),
            created_us=now,
            seen_us=now,
            figures=figures(gap),
            members=gap.members[:_MOST_MEMBERS],
        )
        async with self.store.writing() as unit:
            await unit.gaps.add(record)
        await self.alerts.raise_alert(alert(record))

    async def _keep_up(self, record: GapRecord, gap: Gap, now: int) -> GapRecord:
        told = figures(gap) | {"since": record.figures["since"]}
        current = replace(record, seen_us=now, figures=told, members=gap.members[:_MOST_MEMBERS])
        async with self.store.writing() as unit:
            await unit.gaps.change(current)
        await self.alerts.raise_alert(alert(current))
        return current

    async def _close(self, record: GapRecord, now: int) -> None:
        async with self.store.writing() as unit:
            await unit.gaps.change(replace(record, closed_us=now))
        await self.alerts.resolve(KIND, {"gap": record.id})


def limits_of(settings: KnowledgeGaps) -> Limits:
    """What the settings count as a gap."""
    return Limits(
        min_prompts=settings.min_prompts,
        min_people=settings.min_people,
        min_growth=settings.min_growth,
        min_worse=settings.min_worse,
        false_alarm_hours=settings.false_alarm_weeks * 168.0,
    )


def stored(vector: Embeddings) -> bytes:
    """A vector as it is kept: half floats of its direction."""
    length = max(float(np.linalg.norm(vector)), 1e-12)
    return (vector / length).astype(_STORED).tobytes()


def _hunted(
    before: Sequence[Placed], now: Sequence[Placed], hedged_below: float, limits: Limits
) -> list[Gap]:
    people: dict[str, int] = {}
    parts = [_prompts(part, people, hedged_below) for part in (before, now)]
    return hunt(parts[0], parts[1], limits)


def _prompts(placed: Sequence[Placed], people: dict[str, int], hedged_below: float) -> Prompts:
    signs = np.array([_signs(one, hedged_below) for one in placed], np.float64)
    vectors = [np.frombuffer(one.vector, _STORED) for one in placed]
    return Prompts(
        at_us=np.array([one.created_us for one in placed], np.int64),
        who=np.array([people.setdefault(_who(one), len(people)) for one in placed], np.int64),
        ids=np.array([one.id for one in placed], np.str_),
        vectors=np.array(vectors, np.float32) if vectors else np.zeros((0, 1), np.float32),
        signs=dict(zip(SIGNS, signs.reshape(-1, len(SIGNS)).T, strict=True)),
    )


def _signs(one: Placed, hedged_below: float) -> tuple[float, ...]:
    """The values of `SIGNS`, NaN where nobody can say."""
    is_hedged = None if one.expressed is None else one.expressed < hedged_below
    known = (one.is_unsupported, is_hedged, one.is_down, one.is_corrected)
    return tuple(np.nan if value is None else float(value) for value in known)


def _who(one: Placed) -> str:
    if one.user is not None:
        return f"user {one.user}"
    return one.id if one.conversation is None else f"conversation {one.conversation}"


def figures(gap: Gap) -> dict[str, Any]:
    """The gap as plain JSON values, without a word of text."""
    return {
        "prompts": gap.prompts,
        "people": gap.people,
        "share": round(gap.share, 6),
        "share_before": round(gap.share_before, 6),
        "since": moment(gap.since_us),
        "signs": [
            {
                "sign": sign.name,
                "known": sign.known,
                "share": round(sign.share, 4),
                "rest": round(sign.rest, 4),
                "low": round(sign.low, 4),
                "high": round(sign.high, 4),
                "is_found": sign.is_found,
            }
            for sign in gap.signs
        ],
        "worst": gap.worst.name if gap.worst else None,
        "examples": list(gap.examples),
    }


def alert(record: GapRecord) -> Alert:
    """What is told: how many, how much more than before, what is bad, and three examples by id."""
    told = record.figures
    return Alert(
        type=KIND,
        summary=f"{told['prompts']} prompts about one thing ({told['share_before']:.2%} of all "
        f"before, {told['share']:.2%} now) get worse replies: {in_words(told)}",
        labels={"gap": record.id},
        details=told,
        stale_after_s=_STALE_S,
    )


def in_words(told: dict[str, Any]) -> str:
    """The worst sign of a gap's figures, in words."""
    for sign in told["signs"]:
        if sign["sign"] == told["worst"]:
            name = sign["sign"].replace("_", " ")
            return f"{sign['share']:.0%} {name}, {sign['rest']:.0%} of the rest"
    return "nothing known of the replies"
