from __future__ import annotations

import numpy as np
import pytest

from storage.exports.statistics import (
    Statistics,
    balance_of,
    largest_share,
    lengths_of,
    quartiles,
)


def test_lengths_tell_the_bias() -> None:
    """Shares, differences and what a rule of length alone would score."""
    chosen, rejected = np.array([30.0, 20, 10, 10]), np.array([10.0, 10, 10, 20])
    found = lengths_of(chosen, rejected, np.array([1.0, 0.5, 0.2, 0.0]))

    assert found is not None
    assert (found.chosen_longer, found.equal, found.longer_wins) == (0.5, 0.25, 0.625)
    assert (found.mean_chars, found.median_chars) == (5.0, 5.0)
    assert found.correlation == pytest.approx(0.9795, abs=0.0001)


def test_a_correlation_needs_differences() -> None:
    """Where all margins are equal there is none; without pairs there is nothing at all."""
    found = lengths_of(np.array([1.0, 2, 3]), np.zeros(3), np.ones(3))

    assert found is not None
    assert found.correlation is None
    assert lengths_of(np.zeros(0), np.zeros(0), np.zeros(0)) is None


def test_weights_even_the_classes() -> None:
    """The weighted counts are equal, the larger class has weight one."""
    found = balance_of(300, 100)

    assert (found.desirable_weight, found.undesirable_weight) == (1.0, 3.0)
    assert balance_of(3, 0).undesirable_weight is None


def test_small_figures() -> None:
    """Quartiles and the largest share, of nothing too."""
    assert quartiles(np.array([0.0, 1, 2, 3, 4])) == (1.0, 2.0, 3.0)
    assert quartiles(np.zeros(0)) is None
    assert largest_share([4, 4, 7, 4]) == 0.75
    assert largest_share([]) == 0.0


def test_figures_are_printed_by_name() -> None:
    """Every figure that is there, none that is not."""
    found = Statistics(
        rows=2,
        prompts=2,
        groups=1,
        largest_group=1.0,
        margin_quartiles=None,
        difficulty_quartiles=(0.1, 0.2, 0.3),
        lengths=lengths_of(np.array([5.0, 1]), np.array([3.0, 3]), np.ones(2)),
        balance=balance_of(1, 1),
    ).figures()

    assert found["rows in the largest group"] == "100.0%"
    assert found["margin, quartiles"] == "-"
    assert found["difficulty, quartiles"] == "0.10 / 0.20 / 0.30"
    assert found["what the rule “take the longer” gets right"] == "50.0%"
    assert found["correlation of margin with that"] == "-"
    assert found["`desirable_weight` that evens them"] == "1"
