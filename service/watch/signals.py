"""From recorded exchanges to the signals that are watched, for each model and route. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.watch.refusal import is_refusal
from service.watch.series import Kind, Series
from storage.repositories.watched import WatchedExchange, WatchedThumb

Group = tuple[str, str]
"""A model, as it was asked for, and a route."""

_ANSWERED = ("completed", "vetoed", "upstream_cut")


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a signal, and the exchange that it is about."""

    at_us: int
    who: str
    value: float
    ident: str


Reading = Callable[[WatchedExchange], float | None]
"""What a signal is for an exchange; None where it has none there."""


def _share(is_so: Callable[[WatchedExchange], bool]) -> Reading:
    return lambda exchange: float(is_so(exchange))


def _timing(name: str) -> Reading:
    def read(exchange: WatchedExchange) -> float | None:
        value = exchange.timings.get(name) if exchange.status in _ANSWERED else None
        return None if value is None else float(value)

    return read


def _on_reply(read: Callable[[str], float]) -> Reading:
    return lambda exchange: None if exchange.reply is None else read(exchange.reply)


def _reply_model(exchange: WatchedExchange) -> float | None:
    name = exchange.reply_model
    return None if name is None else float(zlib.crc32(name.encode(errors="replace")))


READINGS: Mapping[str, tuple[Kind, Reading]] = {
    "verdict.veto": ("share", _share(lambda exchange: exchange.verdict == "veto")),
    "verdict.flag": ("share", _share(lambda exchange: exchange.verdict in ("flag", "veto"))),
    "upstream.error": ("share", _share(lambda exchange: exchange.status.startswith("upstream"))),
    "upstream.ms": ("amount", _timing("upstream_ms")),
    "first_token.ms": ("amount", _timing("first_token_ms")),
    "reply.refusal": ("share", _on_reply(is_refusal)),
    "reply.chars": ("amount", _on_reply(len)),
    "reply.model": ("label", _reply_model),
}
"""The signals that every exchange has; beside them each scorer's risk, and thumbs."""

THUMBS = "thumbs.down"


def who(exchange: WatchedExchange | WatchedThumb, ident: str) -> str:
    """Those whose exchanges hang together."""
    if exchange.user is not None:
        return f"user {exchange.user}"
    return ident if exchange.conversation is None else f"conversation {exchange.conversation}"


def grouped(exchanges: Iterable[WatchedExchange]) -> dict[Group, list[WatchedExchange]]:
    """The exchanges of each model and route, those with most first."""
    found: dict[Group, list[WatchedExchange]] = {}
    for exchange in exchanges:
        found.setdefault((exchange.model, exchange.route), []).append(exchange)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def signals(exchanges: Sequence[WatchedExchange]) -> dict[str, Series]:
    """Every signal of some exchanges, by name, where it has any value."""
    points: dict[tuple[str, Kind], list[Point]] = {}
    for exchange in exchanges:
        for name, kind, value in _values(exchange):
            point = Point(exchange.created_us, who(exchange, exchange.id), value, exchange.id)
            points.setdefault((name, kind), []).append(point)
    return {name: series(name, kind, found) for (name, kind), found in points.items()}


def _values(exchange: WatchedExchange) -> Iterable[tuple[str, Kind, float]]:
    for name, (kind, read) in READINGS.items():
        value = read(exchange)
        if value is not None:
            yield name, kind, value
    for name, risk in exchange.risks.items():
        yield f"risk.{name}", "risk", risk


def thumbs(ratings: Iterable[WatchedThumb]) -> dict[Group, Series]:
    """The share of thumbs down, by the time at which they were given."""
    points: dict[Group, list[Point]] = {}
    for one in ratings:
        point = Point(
            one.created_us, who(one, one.interaction_id), float(one.is_down), one.interaction_id
        )
        points.setdefault((one.model, one.route), []).append(point)
    return {group: series(THUMBS, "share", found) for group, found in points.items()}


def placed(name: str, exchanges: Sequence[WatchedExchange]) -> Series:
    """A series of these exchanges whose values are to be filled in."""
    points = [Point(one.created_us, who(one, one.id), 0.0, one.id) for one in exchanges]
    return series(name, "amount", points)


def series(name: str, kind: Kind, points: Sequence[Point]) -> Series:
    """The points as arrays."""
    return Series(
        name,
        kind,
        np.array([point.at_us for point in points], np.int64),
        np.array([point.who for point in points], np.str_),
        np.array([point.value for point in points], np.float64),
        np.array([point.ident for point in points], np.str_),
    )
