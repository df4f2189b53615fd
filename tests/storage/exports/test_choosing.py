from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from storage.exports import choosing

KEYS = np.array([50, 40, 30, 20, 10])


def test_a_prompt_keeps_its_clearest() -> None:
    """Of each prompt the largest margins stay, of equal ones the smaller key."""
    prompt = np.array([7, 7, 7, 3, 3])
    margin = np.array([0.2, 0.9, 0.9, 0.1, 0.1])

    assert choosing.capped(prompt, margin, KEYS, most=1).tolist() == [2, 4]
    assert choosing.capped(prompt, margin, KEYS, most=2).tolist() == [1, 2, 3, 4]


def test_balancing_takes_the_longest_first() -> None:
    """Of the side in the majority those go that differ most in length, then the unclear."""
    difference = np.array([300.0, 20.0, 20.0, -5.0, 0.0])
    margin = np.array([1.0, 0.2, 0.9, 1.0, 1.0])

    assert choosing.balanced(difference, margin, KEYS).tolist() == [2, 3, 4]
    assert choosing.balanced(-difference, margin, KEYS).tolist() == [2, 3, 4]


@given(st.lists(st.integers(-9, 9), max_size=30))
def test_balanced_is_even(differences: list[int]) -> None:
    """What stays has as many longer as shorter ones; the smaller side stays whole."""
    difference = np.array(differences, dtype=np.float64)
    size = len(difference)

    kept = difference[choosing.balanced(difference, np.ones(size), np.arange(size))]

    few = min((difference > 0).sum(), (difference < 0).sum())
    assert few == (kept > 0).sum() == (kept < 0).sum()
    assert (difference == 0).sum() == (kept == 0).sum()


def test_largest_margins_are_taken() -> None:
    """Equal ones by their key."""
    margin = np.array([0.5, 0.9, 0.5, 0.1, 0.5])

    assert choosing.largest_margins(margin, KEYS, count=2).tolist() == [1, 4]


def test_a_draw_depends_on_its_seed_alone() -> None:
    """The same seed draws the same, another seed something else."""
    keys = np.arange(1000)
    one = choosing.drawn(keys, count=100, seed=1)

    assert one.tolist() == choosing.drawn(keys, count=100, seed=1).tolist()
    assert 0 < len(set(one.tolist()) & set(choosing.drawn(keys, count=100, seed=2).tolist())) < 40


def test_farthest_points_spread() -> None:
    """One of each crowd is taken before a second of any."""
    at = np.array([0.0, 0.1, 5.0, 5.1, 9.0])
    chosen = choosing.farthest(
        lambda one: np.abs(at - at[one]), np.array([0, 0, 0, 0, 1.0]), KEYS, count=3
    )

    assert len(chosen) == 3
    assert {4} < set(chosen.tolist())
    assert {(0 in chosen) + (1 in chosen), (2 in chosen) + (3 in chosen)} == {1}


def test_farthest_takes_no_more_than_there_are() -> None:
    """Nor anything from nothing."""
    nothing = np.zeros(0)

    assert (
        choosing.farthest(lambda _: nothing, nothing, np.zeros(0, dtype=np.int64), count=3).tolist()
        == []
    )
    assert choosing.farthest(lambda _: np.zeros(5), np.ones(5), KEYS, count=9).tolist() == [
        0,
        1,
        2,
        3,
        4,
    ]


def test_a_curriculum_goes_from_easy_to_hard() -> None:
    """By difficulty, then by margin, then by key."""
    difficulty = np.array([0.5, 0.1, 0.5, 0.9, 0.5])
    margin = np.array([0.5, 0.2, 0.9, 0.2, 0.5])

    assert choosing.easy_to_hard(difficulty, margin, KEYS).tolist() == [1, 2, 4, 0, 3]
