"""The comparison of a reply with its twin."""

from __future__ import annotations

import itertools

import pytest

from scorers.builtin.twin import Gaps, comparison, opening_end

LONG = "Canberra has been the capital of the country since 1913."


def test_the_opening_is_held_against_the_twin_and_views_against_both() -> None:
    """Three sentences of the reply and four views at most; a short sentence joins its neighbour."""
    reply = f"Yes. {LONG} {LONG} {LONG} Sydney is larger than that."
    views = [f"View {at}." for at in range(5)]

    held = comparison(reply, "It is Canberra.", views=views, question="Which?")

    assert [s.text for s in held.openings] == [f"Yes. {LONG}", LONG, LONG]
    assert {(s.prompt, s.context) for s in held.openings} == {("Which?", ("It is Canberra.",))}
    assert [(s.text, s.context) for s in held.in_reply] == [(v, (reply,)) for v in views[:4]]
    assert [(s.text, s.context) for s in held.in_twin] == [
        (v, ("It is Canberra.",)) for v in views[:4]
    ]
    assert len(held.subjects) == 11


def test_gaps_are_the_least_departure_and_the_largest_gain() -> None:
    """One sentence that the twin has is enough; what both answers support is no gain."""
    held = comparison(f"{LONG} {LONG}", "Twin.", views=["A.", "B."], question="")

    gaps = held.gaps([0.9, 0.2, 0.1, 0.5, 0.3, 0.95])

    assert gaps.departs == 0.2
    assert gaps.gained == pytest.approx(0.45)


@pytest.mark.parametrize(
    ("unsupported", "expected"),
    [
        ([None, None, None], Gaps(1.0, 0.0)),
        ([0.8, 0.9, 0.1], Gaps(0.8, 0.0)),
        ([0.8, 0.0, 1.0], Gaps(0.8, 1.0)),
    ],
)
def test_a_gain_is_never_negative(unsupported: list[float | None], expected: Gaps) -> None:
    """A reply that supports the view less than its twin does has gained nothing."""
    held = comparison("It is so.", "Twin.", views=["A."], question="")

    assert held.gaps(unsupported) == expected


def test_an_empty_reply_departs_from_nothing() -> None:
    """There is nothing to hold against the twin."""
    held = comparison("  ", "Twin.", views=(), question="")

    assert held.gaps([]) == Gaps(0.0, 0.0)


def test_flip_is_monotone_and_bounded() -> None:
    """More departure, more gain or a surer classifier never lower it; the twin can clear all."""
    steps = [at / 4 for at in range(5)]
    for departs, gained, classifier in itertools.product(steps, repeat=3):
        flip = Gaps(departs, gained).flip(classifier)
        assert 0.0 <= flip <= 1.0
        assert Gaps(min(1.0, departs + 0.25), gained).flip(classifier) >= flip
        assert Gaps(departs, min(1.0, gained + 0.25)).flip(classifier) >= flip
        assert Gaps(departs, gained).flip(min(1.0, classifier + 0.25)) >= flip
    assert Gaps(0.0, 1.0).flip(1.0) == 0.0
    assert Gaps(1.0, 0.0).flip(0.0) == 0.5
    assert Gaps(1.0, 0.0).flip(1.0) == Gaps(1.0, 1.0).flip(0.0) == 1.0


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("", None),
        (f"{LONG} {LONG} {LONG}", None),
        (f"{LONG} {LONG} {LONG} And then", None),
        (f"{LONG} {LONG} {LONG} And then there is one more.", 3 * len(LONG) + 2),
        ("many words " * 54, None),
        ("many words " * 55, 600),
    ],
)
def test_an_opening_ends_after_three_sentences(text: str, end: int | None) -> None:
    """It is known once a fourth has begun that stands by itself, or after 600 characters."""
    assert opening_end(text) == end
