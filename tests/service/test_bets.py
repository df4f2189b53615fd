"""Bets never gain on average where their hypothesis holds, whatever the values look like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.watch.bets import averaged, detected_each, gains, stakes, started

_SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=6)


@given(
    values=_SHARES,
    weights=st.lists(st.floats(0.01, 1), min_size=6, max_size=6),
    slack=st.floats(0, 0.5),
    sd=st.floats(0.001, 0.5),
    is_upward=st.booleans(),
)
def test_no_stake_gains_under_its_hypothesis(
    values: list[float], weights: list[float], slack: float, sd: float, is_upward: bool
) -> None:
    """The expected factor is at most 1 for any distribution whose mean is within the limit."""
    points = np.array(values)
    chances = np.array(weights[: len(points)]) / sum(weights[: len(points)])
    mean = float(points @ chances)
    limit = mean + slack if is_upward else mean - slack
    if not 1e-6 < limit < 1 - 1e-6:
        return

    staked = stakes(limit, sd, is_upward=is_upward)
    factors = np.exp(gains(points, limit, staked, is_upward=is_upward))

    assert (factors > 0).all()
    assert (chances @ factors <= 1 + 1e-9).all()


@pytest.mark.parametrize("limit", [0.0, 1.0, -0.1, 1.1])
def test_a_limit_that_nothing_can_pass_is_refused(limit: float) -> None:
    """There is no bet against what is certain."""
    with pytest.raises(ValueError, match="can be past"):
        stakes(limit, 0.1, is_upward=limit > 0.5)


def test_a_detector_runs_as_long_as_it_promises() -> None:
    """Without a change the average time to reach B is at least B steps, on the limit itself."""
    bound, rng = 40.0, np.random.default_rng(1)
    times = []
    for _ in range(300):
        values = (rng.random(1500) < 0.1).astype(np.float64)
        won = gains(values, 0.1, stakes(0.1, 0.3, is_upward=True), is_upward=True)
        crossed = np.flatnonzero(averaged(detected_each(won)) >= np.log(bound))
        times.append(int(crossed[0]) + 1 if len(crossed) else 1500)

    assert np.mean(times) >= bound


def test_a_detector_finds_a_change_soon_after_it() -> None:
    """Evidence grows by about the information in each value, whenever the change came."""
    rng = np.random.default_rng(2)
    values = (rng.random(3000) < np.where(np.arange(3000) < 2000, 0.1, 0.3)).astype(np.float64)
    won = gains(values, 0.1, stakes(0.1, 0.3, is_upward=True), is_upward=True)

    crossed = np.flatnonzero(averaged(detected_each(won)) >= np.log(10_000))

    assert 2000 < crossed[0] < 2300


def test_the_start_of_a_change_is_where_the_bet_began_to_gain() -> None:
    """The step after the lowest wealth."""
    assert started(np.array([-1.0, -1.0, 2.0, -0.5, 3.0])) == 2
    assert started(np.array([1.0, 2.0])) == 0
