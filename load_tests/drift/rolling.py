"""`python -m load_tests.drift.rolling [--runs 100]`: false alarms of a reference that moves on.

As the service looks where no reference is pinned: each day the week before the last is the
reference, the last week and the day so far are watched, each hour once. An alarm that is over, or
that a new day's reference no longer bears out, and comes again is another one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from load_tests.drift.__main__ import ALLOWED, HERE, WEEK
from load_tests.drift.pool import Pool
from load_tests.drift.traffic import PER_HOUR, City, Style, Traffic, signals
from service.watch.drift import Options, spells
from service.watch.series import HOUR_US, Series
from service.watch.topics import Topics

DAY_US = 24 * HOUR_US
WEEK_US = WEEK * HOUR_US
WEEKS = 2


def alarms(pool: Pool, seed: int, style: Style) -> Counter[str]:
    """The alarms of each signal in steady weeks, after the two that the first look needs."""
    city = City(pool, np.random.default_rng([seed, 0]), style)
    traffic = city.traffic(WEEK * (2 + WEEKS), first_hour=0, change="none", from_hour=0)
    counted: Counter[str] = Counter()
    open_now: set[str] = set()
    for day in range(14, 14 + 7 * WEEKS):
        today_us = day * DAY_US
        found = signals(pool, traffic, _topics(pool, traffic, today_us - 2 * WEEK_US))
        for name, series in found.items():
            states = _states(series, today_us, Options(signals=len(found)))
            counted[name] += _raised(states, was_open=name in open_now)
            (open_now.add if states[-1] else open_now.discard)(name)
    return counted


def _topics(pool: Pool, traffic: Traffic, since_us: int) -> Topics:
    """The topics of a reference, found on about as many prompts as the service embeds."""
    is_reference = (traffic.at_us >= since_us) & (traffic.at_us < since_us + WEEK_US)
    return Topics.fit(pool.embeddings[traffic.rows[is_reference][::6]])


def _states(series: Series, today_us: int, options: Options) -> list[bool]:
    """Whether the signal is said to have drifted, at the end of each hour of a day."""
    reference = series.between(today_us - 2 * WEEK_US, today_us - WEEK_US)
    watched = series.between(today_us - WEEK_US, today_us + DAY_US)
    found = spells(reference, watched, options)
    ends = range(today_us + HOUR_US, today_us + DAY_US + 1, HOUR_US)
    return [
        any(raised <= at and (over is None or at < over) for raised, over in found) for at in ends
    ]


def _raised(states: Sequence[bool], *, was_open: bool) -> int:
    before = [was_open, *states[:-1]]
    return sum(now and not then for then, now in zip(before, states, strict=True))


def main(arguments: Sequence[str]) -> int:
    """Runs it; exit code 1 where there are more false alarms than one in four weeks."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.drift.rolling")
    parser.add_argument("--runs", type=int, default=100, help=f"of {WEEKS} weeks each")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--per-hour", type=float, default=PER_HOUR, help="exchanges")
    parser.add_argument("--pool", type=Path, default=HERE / "pool.npz")
    options = parser.parse_args(arguments)
    if not options.pool.exists():
        parser.error(f"{options.pool} is not there; `python -m load_tests.drift` makes it")
    pool, style = Pool.load(options.pool), Style(options.per_hour)
    counted: Counter[str] = Counter()
    began = time.monotonic()
    for run in range(options.runs):
        counted += alarms(pool, options.first_seed + run, style)
        weeks, total = WEEKS * (run + 1), counted.total()
        if (run + 1) % 10 == 0 or run + 1 == options.runs:
            told = {"weeks": weeks, "alarms": total, "a_week": total / weeks, **counted}
            print(json.dumps(told), f"{time.monotonic() - began:.0f} s", flush=True)
    return 0 if total / weeks <= ALLOWED else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
