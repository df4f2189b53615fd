"""Drift: whether a signal is still what it was, how far it has moved, and since when. Pure.

An alarm needs evidence, and the change has to be larger than what does not matter: the hypothesis
that is bet against is not "nothing changed" but "the mean moved by no more than `min_effect`, or
than the reference itself is sure of". More data alone therefore never raises one. The evidence is
an e-detector (`bets.py`): looked at each hour, over all signals together, it raises a false alarm
once in `false_alarm_hours` on average, or less often.

Traffic hangs together: one user asks many times, and hours differ. A user's exchanges of an hour
are one observation (`series.py`); and where the reference's hours differ more than independent
observations would, by a factor, each observation counts as that much less.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.watch.bets import Array, averaged, detected_each, gains, stakes, started
from service.watch.series import HOUR_US, Grouping, Observed, Series, View, views

State = Literal["steady", "drifted", "no_reference", "no_traffic"]
_BATCH_HOURS = (1, 8)
_FEWEST_BATCHES = 8
_SURE = 1.0
"""How many standard errors of the reference's mean a change has to exceed."""
_RETURN = 1000.0
"""The evidence for being back halfway at which an alarm is over."""
_Z95 = 1.96


@dataclass(frozen=True)
class Options:
    """How sure to be. `signals` is how many are watched at a time.

    `min_effect` is in standard deviations of the reference, `min_reference` in observations.
    """

    min_effect: float = 0.01
    false_alarm_hours: float = 4 * 168.0
    signals: int = 1
    min_reference: int = 200

    @property
    def log_threshold(self) -> float:
        """The evidence, as a logarithm, at which one of the signals raises an alarm."""
        return float(np.log(self.false_alarm_hours * self.signals))


@dataclass(frozen=True)
class Baseline:
    """A view in the reference: mean, standard deviation and the mean's standard error.

    `inflation` says how much more the hours differ than independent observations would, in
    variances.
    """

    mean: float
    sd: float
    error: float
    inflation: float


@dataclass(frozen=True)
class Effect:
    """From what to what a view went: two means, and the 95% interval of their difference."""

    view: str
    before: float
    now: float
    low: float
    high: float
    sds: float

    @property
    def change(self) -> float:
        """The difference of the means."""
        return self.now - self.before


@dataclass(frozen=True)
class Finding:
    """What is known of a signal now; `since_us` and `examples` (ids) only where it has drifted.

    `log_evidence` and `log_threshold` are natural logarithms.
    """

    signal: str
    state: State
    reference_count: int
    count: int
    log_evidence: float = -np.inf
    log_threshold: float = np.inf
    effect: Effect | None = None
    since_us: int | None = None
    alarmed_us: int | None = None
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Test:
    """One view tested in one direction: what each stake gains, of shape (hours, stakes)."""

    view: View
    baseline: Baseline
    observed: Observed
    is_upward: bool
    increments: Array


@dataclass(frozen=True)
class _Alarm:
    """An alarm: its steps in the watched hours (`end` is None while it lasts), and its test."""

    start: int
    raised: int
    end: int | None
    test: _Test


def examine(reference: Series, watched: Series, options: Options) -> Finding:
    """Holds what is watched against the reference, hour by hour, and says how it stands now."""
    counts = len(reference.values), len(watched.values)
    bench = _Bench.of(reference, watched, options)
    if isinstance(bench, str):
        return Finding(watched.name, bench, *counts)
    *_, (alarm, log_evidence) = bench.alarms(options.log_threshold)
    found = Finding(watched.name, "steady", *counts, log_evidence, options.log_threshold)
    if alarm is None or alarm.end is not None:
        return replace(found, effect=_effect(bench.tests[0], 0))
    since_us = bench.at_us(alarm.start)
    return replace(
        found,
        state="drifted",
        effect=_effect(alarm.test, int(bench.starts[alarm.start])),
        since_us=since_us,
        alarmed_us=bench.known_us(alarm.raised),
        examples=_examples(alarm.test, watched, since_us),
    )


def alarmed(reference: Series, watched: Series, options: Options) -> list[int]:
    """When alarms were raised, those that are over too, in unix microseconds."""
    return [raised_us for raised_us, _ in spells(reference, watched, options)]


def spells(reference: Series, watched: Series, options: Options) -> list[tuple[int, int | None]]:
    """When alarms were raised and when they were over, in unix microseconds.

    Each as it was known at the time; the end of one that lasts is None.
    """
    bench = _Bench.of(reference, watched, options)
    if isinstance(bench, str):
        return []
    found = [alarm for alarm, _ in bench.alarms(options.log_threshold) if alarm is not None]
    return [(bench.known_us(one.raised), one.end and bench.known_us(one.end)) for one in found]


def baseline(observed: Observed) -> Baseline:
    """What the reference says of a view.

    A mean of which little was seen is less sure than its own spread says: after no case in n the
    rate may well be 3/n, so the variance is taken as 2.25/n at least.
    """
    count = len(observed.values)
    mean = float(observed.values.mean())
    sd = float(np.sqrt(max(observed.values.var(), 2.25 / count)))
    inflation = max(1.0, *(_batch_ratio(observed, mean, sd, width) for width in _BATCH_HOURS))
    return Baseline(mean, sd, sd * float(np.sqrt(inflation / count)), inflation)


def _batch_ratio(observed: Observed, mean: float, sd: float, width_hours: int) -> float:
    """The variance of the means of batches over what it would be, were observations independent."""
    _, batch = np.unique(observed.hours // width_hours, return_inverse=True)
    sizes = np.bincount(batch)
    if len(sizes) < _FEWEST_BATCHES:
        return 1.0
    means = np.bincount(batch, weights=observed.values) / sizes
    return float((sizes * (means - mean) ** 2).sum() / (len(sizes) - 1) / sd**2)


def borders(base: Baseline, min_effect: float) -> dict[bool, float]:
    """The largest mean that is no drift upwards (True), the smallest that is none downwards.

    A direction in which there is no room left has no limit.
    """
    slack = max(min_effect * base.sd, _SURE * base.error)
    found = {True: base.mean + slack, False: base.mean - slack}
    return {is_upward: limit for is_upward, limit in found.items() if 0.0 < limit < 1.0}


def _tests(
    view: View,
    base: Baseline,
    observed: Observed,
    starts: NDArray[np.intp],
    limits: dict[bool, float],
) -> Iterator[_Test]:
    for is_upward, limit in limits.items():
        increments = _increments(observed, limit, base, starts, is_upward=is_upward)
        yield _Test(view, base, observed, is_upward, increments)


def _increments(
    observed: Observed,
    limit: float,
    base: Baseline,
    starts: NDArray[np.intp],
    *,
    is_upward: bool,
) -> Array:
    staked = stakes(limit, base.sd, is_upward=is_upward)
    won = gains(observed.values, limit, staked, is_upward=is_upward)
    return np.add.reduceat(won, starts, axis=0) / base.inflation


@dataclass(frozen=True)
class _Bench:
    """All tests of a signal, over the hours that have observations (`hours`, since 1970).

    `starts` are the places at which each hour's observations begin.
    """

    tests: list[_Test]
    hours: NDArray[np.int64]
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, reference: Series, watched: Series, options: Options) -> _Bench | State:
        """The tests; where there can be none, how the signal stands."""
        before, grouping = Grouping.of(reference), Grouping.of(watched)
        if len(before.sizes) < options.min_reference:
            return "no_reference"
        if not len(grouping.sizes):
            return "no_traffic"
        hours, starts = np.unique(grouping.hours, return_index=True)
        tests: list[_Test] = []
        for view in views(reference):
            base = baseline(before.observed(view.of(reference.values)))
            observed = grouping.observed(view.of(watched.values))
            tests += _tests(view, base, observed, starts, borders(base, options.min_effect))
        return cls(tests, hours, starts) if tests else "steady"

    def at_us(self, step: int) -> int:
        """When a step's hour began."""
        return int(self.hours[step]) * HOUR_US

    def known_us(self, step: int) -> int:
        """When a step's hour was over."""
        return self.at_us(step) + HOUR_US

    def alarms(self, log_threshold: float) -> Iterator[tuple[_Alarm | None, float]]:
        """Each alarm with its evidence, then, where none lasts, none with the evidence now."""
        together = np.concatenate([test.increments for test in self.tests], axis=1)
        stakes_of_one = together.shape[1] // len(self.tests)
        at = 0
        while at < len(together):
            levels = detected_each(together[at:])
            evidence = averaged(levels)
            crossed = np.flatnonzero(evidence >= log_threshold)
            if not len(crossed):
                yield None, float(evidence[-1])
                return
            raised = at + int(crossed[0])
            which, stake = divmod(int(np.argmax(levels[crossed[0]])), stakes_of_one)
            test = self.tests[which]
            start = at + started(test.increments[at : raised + 1, stake])
            end = _end(test, self.starts, start, raised)
            yield _Alarm(start, raised, end, test), float(evidence[crossed[0]])
            if end is None:
                return
            at = end + 1
        yield None, 0.0


def _end(test: _Test, starts: NDArray[np.intp], start: int, raised: int) -> int | None:
    """The hour at which the view had come back more than halfway; None while it has not."""
    if raised + 1 >= len(starts):
        return None
    values, later = test.observed.values, int(starts[raised + 1])
    shifted = float(values[starts[start] : later].mean())
    halfway = (shifted + test.baseline.mean) / 2
    back = Observed(test.observed.hours[later:], values[later:])
    increments = _increments(
        back,
        min(max(halfway, 1e-9), 1 - 1e-9),
        test.baseline,
        starts[raised + 1 :] - later,
        is_upward=not test.is_upward,
    )
    crossed = np.flatnonzero(averaged(detected_each(increments)) >= np.log(_RETURN))
    return raised + 1 + int(crossed[0]) if len(crossed) else None


def _effect(test: _Test, first: int) -> Effect:
    """The change from an observation on.

    The interval is the normal one for means, widened by the reference's inflation. Where the
    first observation was chosen because the change shows there, it lies a little too far out.
    """
    values, base = test.observed.values[first:], test.baseline
    now = float(values.mean())
    variance = max(float(values.var()), 2.25 / len(values))
    half = _Z95 * float(np.sqrt(base.inflation * variance / len(values) + base.error**2))
    change = now - base.mean
    return Effect(str(test.view), base.mean, now, change - half, change + half, change / base.sd)


def _examples(test: _Test, watched: Series, since_us: int) -> tuple[str, ...]:
    """Three exchanges that show the change: the furthest of its direction, then the newest."""
    part = watched.between(since_us, np.iinfo(np.int64).max)
    seen = test.view.of(part.values)
    far, finer = (-seen, -part.values) if test.is_upward else (seen, part.values)
    chosen: dict[str, str] = {}
    for place in np.lexsort((-part.at_us, finer, far)):
        chosen.setdefault(str(part.who[place]), str(part.ids[place]))
        if len(chosen) == 3:
            break
    return tuple(chosen.values())
