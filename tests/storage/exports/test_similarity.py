from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.exports.similarity import (
    Union,
    fine_print,
    jaccard,
    near,
    shingles,
    signatures,
    similarity,
)

WORDS = [f"word{at}" for at in range(400)]


def text(start: int, stop: int) -> str:
    """A stretch of words."""
    return " ".join(WORDS[start:stop])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The tide turns at ten.", "the TIDE turns, at ten"),
        ("It’s “late”", "It’s late"),
        ("潮は十時に変わる。", "潮は十時に変わる"),
    ],
)
def test_signs_and_capitals_do_not_count(one: str, other: str) -> None:
    """Two texts with the same words are the same."""
    assert shingles(one)
    assert shingles(one) == shingles(other)


def test_the_order_of_words_counts() -> None:
    """Neighbours are part of what is compared."""
    assert 0 < jaccard(shingles("dog bites man"), shingles("man bites dog")) < 1


def test_the_estimate_is_near_the_truth() -> None:
    """MinHash gives the Jaccard index, here within four standard errors."""
    for stop in (100, 110, 130, 200):
        sets = shingles(text(0, 100)), shingles(text(0, stop))
        one, other = signatures([text(0, 100), text(0, stop)])

        assert abs(similarity(one, other) - jaccard(*sets)) < 4 * 0.5 / np.sqrt(128)


def test_near_finds_the_near_ones_only() -> None:
    """Each two rows above the threshold come once, the smaller first."""
    rows = signatures([text(0, 100), text(200, 300), text(0, 102), text(201, 300)])

    assert near(rows, threshold=0.8).tolist() == [[0, 2], [1, 3]]


def test_many_alike_are_all_joined() -> None:
    """In a crowd each is near to one of the first, though not all twos are looked at."""
    found = near(signatures([text(0, 60)] * 500), threshold=0.8)

    sets = Union(500)
    for one, other in found.tolist():
        sets.join(one, other)
    assert set(sets.roots().tolist()) == {0}
    assert len(found) < 500 * 10


def test_no_rows_are_no_trouble() -> None:
    """Nothing is near nothing."""
    assert signatures([]).shape == (0, 128)
    assert near(signatures([]), threshold=0.8).shape == (0, 2)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It opens at 10.", "It opens at 11."),
        ("It is 1,000 m.", "It is 1.000 m."),
        ("You may enter.", "You may not enter."),
        ("You can enter.", "You can’t enter."),
    ],
)
def test_numbers_and_negations_are_told_apart(one: str, other: str) -> None:
    """Small differences that turn the meaning."""
    assert fine_print(one) != fine_print(other)


def test_other_words_leave_the_fine_print_alone() -> None:
    """What is not a number or a negation is left to the likeness."""
    assert fine_print("It opens at 10.") == fine_print("It opens at 10, roughly")


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_sets_are_named_by_their_smallest(joins: list[tuple[int, int]]) -> None:
    """Two numbers have one root if and only if a chain of joins leads from one to the other."""
    sets, groups = Union(10), [{at} for at in range(10)]
    for one, other in joins:
        sets.join(one, other)
        joined = groups[one] | groups[other]
        for member in joined:
            groups[member] = joined

    assert [min(groups[at]) for at in range(10)] == sets.roots().tolist()


@given(st.text(max_size=60))
def test_any_text_can_be_signed(odd: str) -> None:
    """Lone surrogates, controls and all."""
    assert signatures([odd, odd + "\ud800"]).shape == (2, 128)
    assert isinstance(fine_print(odd + "\ud800"), int)
