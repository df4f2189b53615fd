"""Signals over time: what is watched, and what a test may look at in it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from service.watch.bets import Array

HOUR_US = 3_600_000_000
Kind = Literal["share", "risk", "amount", "label"]
_TAILS = {"share": (), "risk": (0.5, 0.9, 0.99), "amount": (0.1, 0.5, 0.9, 0.99)}
_MOST_LABELS = 32
_COLUMNS = ("at_us", "who", "values", "ids")


@dataclass(frozen=True)
class Series:
    """One signal of one model and route, a value for each exchange, in any order.

    A `share` is 0 or 1, a `risk` lies in [0, 1], an `amount` is any number, a `label` the number
    of one of some kinds. `who` tells apart those whose exchanges hang together: the user, else the
    conversation, else the exchange.
    """

    name: str
    kind: Kind
    at_us: NDArray[np.int64]
    who: NDArray[np.str_] | NDArray[np.int64]
    values: Array
    ids: NDArray[np.str_]

    def between(self, since_us: int, until_us: int) -> Series:
        """The part from a time on (inclusive) until another (exclusive)."""
        kept = (self.at_us >= since_us) & (self.at_us < until_us)
        return self.where(kept)

    def where(self, kept: NDArray[np.bool_]) -> Series:
        """The exchanges for which `kept` is true."""
        columns: dict[str, Any] = {name: getattr(self, name)[kept] for name in _COLUMNS}
        return replace(self, **columns)


def joined(parts: Sequence[Series], like: Series | None = None) -> Series:
    """The parts one after the other; of none, an empty series `like` another."""
    first = parts[0] if parts else like
    if first is None:
        raise ValueError("of no parts nothing can be joined that is like nothing")
    if not parts:
        return first.where(np.zeros(len(first.values), np.bool_))
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS
    }
    return replace(first, **columns)


@dataclass(frozen=True)
class View:
    """What one test looks at: the value itself, or whether it is in a certain part.

    The part is what is `above` a limit, the label `is_label`, or every label but those of `but`.
    """

    above: float | None = None
    is_label: int | None = None
    but: tuple[int, ...] = ()

    def of(self, values: Array) -> Array:
        """The values as this view has them, in [0, 1]."""
        if self.is_label is not None:
            return np.equal(values, self.is_label).astype(np.float64)
        if self.but:
            return np.isin(values, self.but, invert=True).astype(np.float64)
        return values if self.above is None else np.greater(values, self.above).astype(np.float64)

    def __str__(self) -> str:
        if self.is_label is not None:
            return f"share of kind {self.is_label}"
        if self.but:
            return "share of other kinds"
        return "mean" if self.above is None else f"share above {self.above:.4g}"


def views(reference: Series) -> list[View]:
    """The views of a signal: its mean where it has one in [0, 1], and tails of its distribution.

    The limits of the tails are quantiles of the reference; each of the most frequent labels has a
    view, and all others together.
    """
    if reference.kind == "label":
        labels, counts = np.unique(reference.values, return_counts=True)
        most = labels[np.argsort(-counts, kind="stable")][:_MOST_LABELS]
        known = tuple(int(label) for label in most)
        return [*(View(is_label=label) for label in known), View(but=known)]
    means = [] if reference.kind == "amount" else [View()]
    if not _TAILS[reference.kind]:
        return means
    tails = np.unique(np.quantile(reference.values, _TAILS[reference.kind]))
    return means + [View(above=float(tail)) for tail in tails]


@dataclass(frozen=True)
class Observed:
    """A view's observations, one for each hour and each of `who`: the mean of their exchanges.

    So nobody counts twice in an hour, however much they ask. Ordered by `hours` (since 1970).
    """

    hours: NDArray[np.int64]
    values: Array


@dataclass(frozen=True)
class Grouping:
    """Which exchanges of a series make one observation; found once for all of its views."""

    hours: NDArray[np.int64]
    group: NDArray[np.intp]
    sizes: Array

    @classmethod
    def of(cls, series: Series) -> Grouping:
        """The groups of a series, ordered by hour."""
        hours = series.at_us // HOUR_US
        _, who = np.unique(series.who, return_inverse=True)
        keys = hours * (who.max(initial=0) + 1) + who
        _, first, group = np.unique(keys, return_index=True, return_inverse=True)
        return cls(hours[first], group, np.bincount(group).astype(np.float64))

    def observed(self, values: Array) -> Observed:
        """The mean of each group."""
        sums = np.bincount(self.group, weights=values, minlength=len(self.sizes))
        return Observed(self.hours, sums / self.sizes)
