"""The survey of drift: reads the record, hour by hour, and examines every signal.

Hours that are over are read once and remembered as figures, a bounded sample of each; so a look
costs what the last hour does, after the first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from service.settings import DriftSettings
from service.watch.drift import Finding, Options, examine
from service.watch.series import HOUR_US, Series, joined
from service.watch.signals import Group, grouped, placed, signals, thumbs
from service.watch.topics import Embeddings, Topics
from storage.repositories.watched import REPLAYED, Selection, WatchedExchange
from storage.store import Store

Side = Literal["prompt", "reply"]
SIDES: tuple[Side, ...] = ("prompt", "reply")

Embed = Callable[[Sequence[str]], Awaitable[Embeddings]]
"""Gives the embeddings of texts; the engine does."""

DAY_US = 24 * HOUR_US
WEEK_HOURS = 168.0
_SETTLED_US = 60_000_000
"""How long after its end an hour may still get records that lay in the writer."""

_EMBEDDED_AT_A_TIME = 32
_EMBEDDED_CHARS = 1000
_FEWEST_TEXTS = 200


@dataclass(frozen=True)
class Windows:
    """The reference and the watched time, in unix microseconds; each end is exclusive."""

    reference: tuple[int, int]
    watched: tuple[int, int]

    @property
    def hours(self) -> list[int]:
        """The starts of all their hours, oldest first."""
        return sorted({*range(*self.reference, HOUR_US), *range(*self.watched, HOUR_US)})

    def __contains__(self, at_us: int) -> bool:
        return any(begin <= at_us < end for begin, end in (self.reference, self.watched))


@dataclass(frozen=True)
class Drift:
    """A signal of a model and a route, and how it stands."""

    model: str
    route: str
    finding: Finding

    @property
    def labels(self) -> dict[str, str]:
        """What tells it apart from others."""
        return {"signal": self.finding.signal, "model": self.model, "route": self.route}


@dataclass(frozen=True)
class _Texts:
    """The embeddings of some texts; the values of `where` are nothing but places."""

    where: Series
    vectors: Embeddings


@dataclass
class _Hour:
    """What was read of an hour, by model and route: figures, no texts."""

    signals: dict[Group, dict[str, Series]] = field(default_factory=dict)
    texts: dict[tuple[Side, Group], _Texts] = field(default_factory=dict)


class Survey:
    """Examines the record. One that is kept remembers the hours it has read."""

    def __init__(self, store: Store, settings: DriftSettings, embed: Embed | None = None) -> None:
        self._store = store
        self._settings = settings
        self._embed = embed
        self._hours: dict[int, _Hour] = {}
        self._answered: Windows | None = None

    async def look(self, now_us: int, since_us: int | None = None) -> list[Drift]:
        """How every signal stands, those of the busiest models and routes first.

        `since_us` is the start of what is watched, in the place of the settings'. Raises
        StorageError where the store is away, and ScorerError where texts cannot be embedded.
        """
        windows = await self.windows(now_us, since_us)
        await self._read_on(windows, until_s=None)
        return await self._examined(windows)

    async def look_in_time(self, now_us: int, patience_s: float) -> list[Drift] | None:
        """The same, or None where reading took too long; the next call reads on from there.

        None also where no hour has ended since the last answer: nothing can have changed.
        """
        windows = await self.windows(now_us)
        if windows == self._answered:
            return None
        if not await self._read_on(windows, until_s=time.monotonic() + patience_s):
            return None
        found = await self._examined(windows)
        self._answered = windows
        return found

    async def windows(self, now_us: int, since_us: int | None = None) -> Windows:
        """What is compared with what, in whole hours. A rolling reference moves on once a day.

        While the record is younger than both, what is watched begins where the reference is full.
        """
        now = _floor(now_us - _SETTLED_US)
        wanted = self._settings
        since = None if since_us is None else _floor(since_us)
        if wanted.reference_since is not None and wanted.reference_until is not None:
            begin, end = (
                _floor(round(moment.timestamp() * 1e6))
                for moment in (wanted.reference_since, wanted.reference_until)
            )
            return Windows((begin, end), (max(end, since or end), now))
        start = since or now // DAY_US * DAY_US - wanted.watched_days * DAY_US
        length = wanted.reference_days * DAY_US
        first = await self._first_us()
        if since is None and first is not None:
            start = min(max(start, _floor(first) + length), now)
        return Windows((start - length, start), (start, now))

    async def _first_us(self) -> int | None:
        async with self._store.reading() as unit:
            return await unit.watched.first_us()

    async def _read_on(self, windows: Windows, *, until_s: float | None) -> bool:
        """Reads the hours that are not known; whether all of them are."""
        first_us = await self._first_us()
        for at_us in windows.hours:
            if until_s is not None and time.monotonic() > until_s:
                return False
            if at_us not in self._hours:
                has_any = first_us is not None and at_us + HOUR_US > first_us
                self._hours[at_us] = await self._fetched(at_us) if has_any else _Hour()
        return True

    async def _fetched(self, at_us: int) -> _Hour:
        until_us = at_us + HOUR_US
        async with self._store.reading() as unit:
            exchanges = await unit.watched.exchanges(
                Selection(without_tag=REPLAYED, since_us=at_us, until_us=until_us),
                most=self._settings.exchanges_per_hour,
                has_texts=True,
            )
            rated = await unit.watched.thumbs(
                Selection(without_tag=REPLAYED), given_since_us=at_us, given_until_us=until_us
            )
        hour = _Hour()
        chosen = {side: self._chosen(side, exchanges) for side in SIDES}
        for group, own in grouped(exchanges).items():
            hour.signals[group] = signals(own)
            for side in SIDES:
                some = [one for one in own if one.id in chosen[side]]
                texts = await self._embedded(side, some)
                if texts is not None:
                    hour.texts[side, group] = texts
        for group, ratings in thumbs(rated).items():
            hour.signals.setdefault(group, {})[ratings.name] = ratings
        return hour

    def _chosen(self, side: Side, exchanges: Sequence[WatchedExchange]) -> set[str]:
        """Whose texts of this side are embedded, by id."""
        wanted = self._settings
        most = wanted.prompts_per_hour if side == "prompt" else wanted.replies_per_hour
        there = sorted((one for one in exchanges if _text(side, one)), key=_by_chance)
        return {one.id for one in there[:most]}

    async def _embedded(self, side: Side, exchanges: Sequence[WatchedExchange]) -> _Texts | None:
        if self._embed is None or not exchanges:
            return None
        texts = [_text(side, one)[:_EMBEDDED_CHARS] for one in exchanges]
        parts = [
            await self._embed(texts[at : at + _EMBEDDED_AT_A_TIME])
            for at in range(0, len(texts), _EMBEDDED_AT_A_TIME)
        ]
        return _Texts(placed(side, exchanges), np.concatenate(parts))

    async def _examined(self, windows: Windows) -> list[Drift]:
        self._hours = {at: hour for at, hour in self._hours.items() if at in windows}
        before, after = (
            [self._hours[at] for at in range(*window, HOUR_US)]
            for window in (windows.reference, windows.watched)
        )
        return await asyncio.to_thread(_examine_all, before, after, self._settings)


def _examine_all(before: list[_Hour], after: list[_Hour], settings: DriftSettings) -> list[Drift]:
    sizes: dict[Group, int] = {}
    for hour in after:
        for group, found in hour.signals.items():
            sizes[group] = sizes.get(group, 0) + max(len(one.values) for one in found.values())
    busiest = sorted(sizes, key=lambda group: (-sizes[group], group))[: settings.groups]
    pairs = [
        (group, old, new)
        for group in busiest
        for old, new in (
            *_signals(before, after, group),
            *(pair for side in SIDES for pair in _topics(before, after, side, group)),
        )
    ]
    options = replace(options_of(settings), signals=max(1, len(pairs)))
    return [Drift(*group, examine(old, new, options)) for group, old, new in pairs]


def options_of(settings: DriftSettings) -> Options:
    """How sure the settings ask to be."""
    return Options(
        min_effect=settings.min_effect,
        false_alarm_hours=settings.false_alarm_weeks * WEEK_HOURS,
    )


def _text(side: Side, exchange: WatchedExchange) -> str:
    return (exchange.prompt if side == "prompt" else exchange.reply) or ""


def _by_chance(exchange: WatchedExchange) -> str:
    """The end of an id, which is random; ids begin with their time."""
    return exchange.id[::-1]


def _floor(at_us: int) -> int:
    return at_us // HOUR_US * HOUR_US


def _signals(
    before: list[_Hour], after: list[_Hour], group: Group
) -> Iterable[tuple[Series, Series]]:
    """Each signal's reference and what is watched of it."""
    old, new = (
        [hour.signals[group] for hour in hours if group in hour.signals]
        for hours in (before, after)
    )
    for name in sorted({name for hour in new for name in hour}):
        now = joined([hour[name] for hour in new if name in hour])
        yield joined([hour[name] for hour in old if name in hour], like=now), now


def _topics(
    before: list[_Hour], after: list[_Hour], side: Side, group: Group
) -> Iterable[tuple[Series, Series]]:
    """What texts are about, and how unlike the reference's they are.

    The groups are found on one half of the reference and measured on the other: texts lie nearer
    to the groups that were made of them.
    """
    old, new = (
        [hour.texts[side, group] for hour in hours if (side, group) in hour.texts]
        for hours in (before, after)
    )
    if not new or sum(len(one.vectors) for one in old) < _FEWEST_TEXTS:
        return
    known, seen = _all(old), _all(new)
    is_fitted = np.arange(len(known.vectors)) % 2 == 0
    topics = Topics.fit(known.vectors[is_fitted])
    rest = _Texts(known.where.where(~is_fitted), known.vectors[~is_fitted])
    yield _grouped(rest, topics, side), _grouped(seen, topics, side)
    yield _distant(rest, topics, side), _distant(seen, topics, side)


def _all(parts: list[_Texts]) -> _Texts:
    where = joined([part.where for part in parts])
    return _Texts(where, np.concatenate([part.vectors for part in parts]))


def _grouped(texts: _Texts, topics: Topics, side: Side) -> Series:
    groups = topics.groups(texts.vectors)
    return replace(texts.where, name=f"{side}.topic", kind="label", values=groups)


def _distant(texts: _Texts, topics: Topics, side: Side) -> Series:
    distances = topics.distances(texts.vectors)
    return replace(texts.where, name=f"{side}.novelty", kind="amount", values=distances)
