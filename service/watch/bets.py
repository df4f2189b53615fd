"""Tests by betting: evidence that may be looked at as often as one likes.

A bet wins what the values say against a hypothesis. Under it no strategy is expected to gain
(Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS-B 86,
2024), so wealth is evidence: by Ville's inequality it passes 1/alpha with a probability of at most
alpha, however often it is looked at. Several strategies are played at once and averaged, which is
a bet too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EFFECTS: Array = np.array([0.015, 0.03, 0.06, 0.12, 0.25, 0.5])
"""The shifts of a mean, in standard deviations, for which the stakes are the best ones."""

_MOST = 0.9
"""The share of the wealth that a single value may cost at most."""


def stakes(limit: float, sd: float, *, is_upward: bool) -> Array:
    """How much to bet against "the mean of values in [0, 1] is at most `limit`".

    "At least", if not `is_upward`. There is a stake for each of `EFFECTS`: a shift of `d` standard
    deviations is found soonest with about `d / sd`.
    """
    room = limit if is_upward else 1.0 - limit
    if not 0.0 < room < 1.0:
        raise ValueError(f"no mean in [0, 1] can be past {limit}")
    return np.minimum(EFFECTS / max(sd, 1e-9), _MOST / room)


def gains(values: Array, limit: float, staked: Array, *, is_upward: bool) -> Array:
    """Logarithm of what each value multiplies each stake's wealth by; shape (values, stakes)."""
    sign = 1.0 if is_upward else -1.0
    return np.log1p(np.multiply.outer(sign * (values - limit), staked))


def detected_each(increments: Array) -> Array:
    """Evidence of a change at an unknown time, by each bet after each step, as a logarithm.

    `increments` are the logarithms of the wealth gained in a step, of shape (steps, bets), and so
    is the result. With each step another bettor starts with one unit, and their wealth is added up
    (Shiryaev-Roberts; Shin, Ramdas and Rinaldo, "E-detectors", 2023). Without a change the sum
    takes at least B steps on average to reach B, and so does an average of such sums.
    """
    out = np.empty_like(increments)
    level = np.full(increments.shape[1:], -np.inf)
    for step, increment in enumerate(increments):
        level = np.logaddexp(level, 0.0) + increment
        out[step] = level
    return out


def averaged(log_wealth: Array) -> Array:
    """The logarithm of the average over the last axis of wealths that are given as logarithms."""
    found: Array = np.logaddexp.reduce(log_wealth, axis=-1) - np.log(log_wealth.shape[-1])
    return found


def started(increments: Array) -> int:
    """The step from which on the bets have gained most: when a change most likely happened.

    `increments` are those of one bet, of shape (steps,).
    """
    before = np.concatenate([[0.0], np.cumsum(increments)[:-1]])
    return int(np.argmin(before))
