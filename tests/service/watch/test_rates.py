"""Rates from counts."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest

from service.watch.rates import binomial_tail, interval, rise


@pytest.mark.parametrize(
    ("hits", "total", "share"), [(3, 10, 0.1), (7, 40, 0.125), (40, 40, 0.5), (30, 200, 0.05)]
)
def test_the_tail_is_exact(hits: int, total: int, share: float) -> None:
    """The sum of the masses, in whole numbers."""
    p = Fraction(share)
    exact = sum(math.comb(total, k) * p**k * (1 - p) ** (total - k) for k in range(hits, total + 1))

    assert binomial_tail(hits, total, share) == pytest.approx(float(exact), rel=1e-9)


def test_the_tail_holds_at_its_ends() -> None:
    """No hits, no share, all of them, and millions."""
    assert binomial_tail(0, 10, 0.5) == binomial_tail(5, 10, 0.5) == 1.0
    assert binomial_tail(1, 10, 0.0) == 0.0
    assert binomial_tail(10, 10, 1.0) == 1.0
    assert binomial_tail(50_500, 10_000_000, 0.005) == pytest.approx(0.0125, rel=0.05)
    assert 0 < binomial_tail(52_000, 10_000_000, 0.005) < 1e-15


def test_nothing_to_compare_is_no_rise() -> None:
    """Without a past, or without a present."""
    assert rise(10, 10, before_hits=0, before_total=0, ratio=1) == 1.0
    assert rise(0, 0, before_hits=3, before_total=100, ratio=1) == 1.0


def test_size_alone_is_no_rise() -> None:
    """A rate within the ratio is not told from counts, however many."""
    for size in (1, 100, 10_000):
        found = rise(
            19 * size, 1000 * size, before_hits=100 * size, before_total=10_000 * size, ratio=2
        )
        assert found > 0.3
    assert rise(30, 1000, before_hits=100, before_total=10_000, ratio=2) > 1e-3
    assert rise(3000, 100_000, before_hits=10_000, before_total=1_000_000, ratio=2) < 1e-50


@pytest.mark.parametrize("rate", [0.01, 0.2])
def test_false_alarms_are_as_rare_as_stated(rate: float) -> None:
    """At the edge, twice the rate, fewer than one in a hundred of 4,000 draws is below 0.01."""
    draws = random.Random(5)
    alarms = 0
    for _ in range(4000):
        hits = sum(draws.random() < 2 * rate for _ in range(300))
        before = sum(draws.random() < rate for _ in range(1000))
        found = rise(hits, 300, before_hits=before, before_total=1000, ratio=2)
        alarms += found < 0.01

    assert alarms <= 40


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (1, 10, 0.0179, 0.4042), (10, 10, 0.7225, 1.0), (0, 0, 0.0, 1.0)],
)
def test_a_share_has_an_interval(hits: int, total: int, low: float, high: float) -> None:
    """Wilson's, as tables have it, also where nobody or everybody was hit."""
    assert interval(hits, total) == pytest.approx((low, high), abs=5e-5)
