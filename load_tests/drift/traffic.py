"""Simulated weeks of traffic, drawn from the pool of real exchanges.

Hours differ (nights are quiet), users differ (a few ask most, each prefers some kinds of
exchanges), and exchanges come in conversations of one user and one kind; only toxic replies come at
random, whatever the conversation, unless `has_bursts`. Times and thumbs are made up: the pool has
none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from load_tests.drift.pool import RISKS, Pool
from service.watch.series import HOUR_US, Kind, Series
from service.watch.topics import Topics

PER_HOUR = 200.0
EXCHANGES_OF_A_CONVERSATION = 3.0
USERS = 2000
MIX = {"grounded": 0.45, "chat": 0.25, "chat.model": 0.24, "smalltalk": 0.06}
TOXIC_SHARE = 0.01
TOPIC_SHARE = 0.03
FAITHFULNESS = 2
"""Its column in the pool's risks."""

CHANGES = ("none", "toxic", "faithfulness", "topic", "model")


@dataclass(frozen=True)
class Traffic:
    """Exchanges in order of time: hours since the start, users, places in the pool."""

    at_us: NDArray[np.int64]
    user: NDArray[np.int64]
    rows: NDArray[np.intp]
    has_changed: NDArray[np.bool_]
    is_down: NDArray[np.float64]
    upstream_ms: NDArray[np.float64]


@dataclass(frozen=True)
class Style:
    """How much traffic there is, and whether toxic replies come in whole conversations."""

    per_hour: float = PER_HOUR
    has_bursts: bool = False


class City:
    """The users of one run, and what each of them prefers."""

    def __init__(self, pool: Pool, rng: np.random.Generator, style: Style | None = None) -> None:
        self._pool, self._rng, self._style = pool, rng, style or Style()
        weights = 1.0 / np.arange(1, USERS + 1)
        self._active = weights / weights.sum()
        liked = rng.dirichlet(np.array(list(MIX.values())) * 5, USERS)
        self._likes = np.cumsum(liked, axis=1)
        self._tilted = tilted(pool)

    def traffic(self, hours: int, *, first_hour: int, change: str, from_hour: int) -> Traffic:
        """So many hours; from an hour on with the change."""
        rng, start = self._rng, np.arange(first_hour, first_hour + hours)
        daily = 1 + 0.7 * np.sin(2 * np.pi * start / 24)
        count = rng.poisson(self._style.per_hour / EXCHANGES_OF_A_CONVERSATION * daily)
        hour = np.repeat(start, count)
        user = rng.choice(USERS, len(hour), p=self._active)
        kind = (rng.random(len(hour))[:, None] > self._likes[user]).sum(axis=1).clip(0, 3)
        length = rng.geometric(1 / EXCHANGES_OF_A_CONVERSATION, len(hour))
        has_changed = hour >= from_hour if change != "none" else np.zeros(len(hour), np.bool_)
        is_topic = has_changed & (change == "topic") & (rng.random(len(hour)) < TOPIC_SHARE)
        kind = np.where(is_topic, 5, kind)
        spread = np.repeat(np.arange(len(hour)), length)
        at_us = hour[spread] * HOUR_US + rng.integers(0, HOUR_US, len(spread))
        order = np.argsort(at_us, kind="stable")
        spread, at_us = spread[order], at_us[order]
        share = TOXIC_SHARE * np.where(has_changed[spread] & (change == "toxic"), 2, 1)
        chance = (
            rng.random(len(hour))[spread] if self._style.has_bursts else rng.random(len(spread))
        )
        of_each = np.where(chance < share, 4, kind[spread])
        rows = self._rows(of_each, has_changed[spread], change)
        bad = self._pool.outcomes[rows] == 2
        rated = rng.random(len(rows)) < 0.04
        down = rng.random(len(rows)) < np.where(bad, 0.5, 0.12)
        noise = rng.normal(0, 0.05, first_hour + hours)[at_us // HOUR_US]
        return Traffic(
            at_us,
            user[spread].astype(np.int64),
            rows,
            has_changed[spread],
            np.where(rated, down, np.nan),
            np.exp(
                rng.normal(6.8, 0.5, len(rows)) + noise + 0.1 * daily[hour[spread] - first_hour]
            ),
        )

    def _rows(
        self, kind: NDArray[np.intp], has_changed: NDArray[np.bool_], change: str
    ) -> NDArray[np.intp]:
        """A place in the pool for each exchange."""
        pool, rng = self._pool, self._rng
        is_other = has_changed & (change == "model")
        is_tilted = has_changed & (change == "faithfulness")
        rows = np.zeros(len(kind), np.intp)
        parts = [
            (kind == 0) & ~is_other & ~is_tilted, (kind == 0) & is_other, kind == 1,
            (kind == 2) & ~is_other, (kind == 2) & is_other, kind == 3, kind == 4, kind == 5,
        ]  # fmt: skip
        names = (
            "grounded.large", "grounded.small", "chat",
            "chat.large", "chat.small", "smalltalk", "toxic", "topic",
        )  # fmt: skip
        for name, which in zip(names, parts, strict=True):
            rows[which] = rng.choice(pool.rows(name), int(which.sum()))
        which = (kind == 0) & is_tilted
        rows[which] = rng.choice(pool.rows("grounded.large"), int(which.sum()), p=self._tilted)
        return rows


def tilted(pool: Pool, shift: float = 0.05) -> NDArray[np.float64]:
    """Weights of the grounded rows under which their mean faithfulness risk is so much higher."""
    risks = pool.risks[pool.rows("grounded.large"), FAITHFULNESS].astype(np.float64)
    low, high = 0.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        weights = np.exp(middle * risks)
        weights /= weights.sum()
        low, high = (middle, high) if weights @ risks < risks.mean() + shift else (low, middle)
    return weights


def signals(pool: Pool, traffic: Traffic, topics: Topics) -> dict[str, Series]:
    """The signals of the service, as the pool has them."""
    rows = traffic.rows
    columns: dict[str, tuple[Kind, NDArray[np.float64]]] = {
        f"risk.{name}": ("risk", pool.risks[rows, at].astype(np.float64))
        for at, name in enumerate(RISKS)
        if np.isfinite(pool.risks[:, at]).any()
    }
    columns |= {
        "verdict.veto": ("share", (pool.outcomes[rows] == 2).astype(np.float64)),
        "verdict.flag": ("share", (pool.outcomes[rows] >= 1).astype(np.float64)),
        "reply.refusal": ("share", pool.is_refusal[rows].astype(np.float64)),
        "reply.chars": ("amount", pool.chars[rows].astype(np.float64)),
        "upstream.ms": ("amount", traffic.upstream_ms),
        "thumbs.down": ("share", traffic.is_down),
        "prompt.topic": ("label", topics.groups(pool.embeddings)[rows]),
        "prompt.novelty": ("amount", topics.distances(pool.embeddings)[rows]),
    }
    ids = np.zeros(len(rows), np.str_)  # nobody asks for examples here
    found = {}
    for name, (kind, values) in columns.items():
        whole = Series(name, kind, traffic.at_us, traffic.user, values, ids)
        found[name] = whole.where(np.isfinite(values))
    return found
