from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.agreement import (
    RATINGS,
    AgreementTally,
    Rater,
    comparison_agreement,
    krippendorff_alpha,
    rating_agreement,
    share_interval,
)
from storage.records import ComparisonRecord, FeedbackRecord
from storage.repositories.feedback import FeedbackFilter
from storage.store import Store
from tests.storage.building import exchange, preference, thumb

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: four observers,
# twelve units, five values; alpha is 0.743.
PUBLISHED = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)


def test_alpha_of_published_data() -> None:
    """The worked example of the measure's author."""
    units = zip(*(line.split() for line in PUBLISHED), strict=True)
    shapes = Counter(tuple(unit.count(value) for value in "12345") for unit in units)

    found = krippendorff_alpha(shapes)

    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert round(found.value, 3) == 0.743
    assert found.low < found.value < found.high
    assert (found.units, found.judgements) == (11, 40)


@pytest.mark.parametrize(
    ("shapes", "value", "reason"),
    [
        ({}, None, "two raters"),
        ({(1, 0): 9, (0, 1): 9}, None, "two raters"),
        ({(2, 0): 50}, None, "the same"),
        ({(2, 0): 1, (0, 2): 1}, 1.0, "10 units"),
        ({(2, 0): 30, (1, 1): 1}, 0.0, "too few"),
    ],
)
def test_a_number_that_means_nothing_is_none(
    shapes: dict[tuple[int, ...], int], value: float | None, reason: str
) -> None:
    """And the reason is told."""
    found = krippendorff_alpha(shapes)

    assert (found.value, found.low, found.high) == (
        pytest.approx(value) if value is not None else None,
        None,
        None,
    )
    assert reason in (found.reason or "")


def test_full_agreement_and_full_disagreement() -> None:
    """One, and below zero: less than chance."""
    assert krippendorff_alpha({(2, 0): 20, (0, 2): 20}).value == 1.0
    against = krippendorff_alpha({(1, 1): 40}).value

    assert against is not None
    assert against < 0


SHAPES = st.dictionaries(st.tuples(*[st.integers(0, 4)] * 3), st.integers(1, 40), max_size=6)


@given(SHAPES)
def test_alpha_does_not_depend_on_the_names_of_values(shapes: dict[tuple[int, ...], int]) -> None:
    """Up and down turned round agree as much, and alpha is never above one."""
    turned = Counter[tuple[int, ...]]()
    for shape, count in shapes.items():
        turned[shape[::-1]] += count

    one, other = krippendorff_alpha(shapes), krippendorff_alpha(turned)

    assert (one.value is None) == (other.value is None)
    if one.value is not None and other.value is not None:
        assert one.value == pytest.approx(other.value)
        assert one.value <= 1


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 1000))
def test_an_interval_holds_its_share(hits: int, more: int, tests: int) -> None:
    """It lies in [0, 1], and is wider the more of them there are."""
    count = hits + more
    low, high = share_interval(hits, count, tests=tests)
    if not count:
        assert (low, high) == (None, None)
        return
    assert low is not None
    assert high is not None
    assert 0 <= low <= hits / count <= high <= 1
    widths = [share_interval(hits, count, tests=t) for t in (1, 10, 100)]
    assert all(a[0] >= b[0] and a[1] <= b[1] for a, b in pairwise(widths))  # type: ignore[operator]


def judged(units: int, raters: dict[str, float], seed: int = 1) -> AgreementTally:
    """Raters who say what is true with a probability of their own."""
    draw = random.Random(seed)
    tally = AgreementTally(RATINGS)
    for _ in range(units):
        truth = draw.random() < 0.7
        said: dict[Rater, str] = {
            (None, name): "up" if (draw.random() < right) == truth else "down"
            for name, right in raters.items()
        }
        tally.add(said)
    return tally


def test_a_rater_against_everybody_is_seen() -> None:
    """And stands first; the others, also one who throws a coin, are not accused."""
    raters = {"ann": 0.9, "bob": 0.9, "cid": 0.9, "coin": 0.5, "zoe": 0.05}

    found = judged(200, raters).result()

    assert [r.rater for r in found.raters if r.is_contrary] == ["zoe"]
    assert found.raters[0].rater == "zoe"
    assert found.raters[0].high is not None
    assert found.raters[0].high < 0.5


@given(
    st.lists(st.lists(st.sampled_from(["up", "down", None]), min_size=4, max_size=4), max_size=3)
)
def test_three_judgements_accuse_nobody(units: list[list[str | None]]) -> None:
    """Whatever they are."""
    tally = AgreementTally(RATINGS)
    for unit in units:
        tally.add({(None, str(at)): value for at, value in enumerate(unit) if value is not None})

    assert not any(rater.is_contrary for rater in tally.result().raters)


def test_raters_are_compared_with_the_others_only() -> None:
    """One's own word is no part of the majority that one is held against, and a tie is none."""
    tally = AgreementTally(RATINGS)
    tally.add({(None, "a"): "up", (None, "b"): "up", (None, "c"): "down"})
    tally.add({(None, "a"): "up"})

    found = {r.rater: (r.judgements, r.compared, r.agreed) for r in tally.result().raters}

    assert found == {"a": (2, 0, 0), "b": (1, 0, 0), "c": (1, 1, 0)}


async def _fill(store: Store, said: list[FeedbackRecord | ComparisonRecord]) -> None:
    async with store.writing() as unit:
        for each in said:
            if isinstance(each, FeedbackRecord):
                await unit.feedback.add(each)
            else:
                await unit.comparisons.add(each)


async def test_standing_ratings_are_read_from_the_store(store: Store) -> None:
    """Of each rater the last word on each choice; what was taken back is left out."""
    one, two = exchange("a", "b"), exchange()
    async with store.writing() as unit:
        await unit.interactions.add(one)
        await unit.interactions.add(two)
    await _fill(
        store,
        [
            thumb(one, "down", "ann", created_us=1),
            thumb(one, "up", "ann", created_us=5),
            thumb(one, "up", "bob", created_us=2),
            thumb(one, None, "bob", created_us=3, comment="hm"),
            thumb(one, "down", "bob", created_us=4, choice_index=1),
            thumb(two, "up", "ann", created_us=1, key_id="key_1"),
            thumb(two, "down", "bob", created_us=1),
            thumb(two, "down", "cid", created_us=1),
            thumb(two, "withdrawn", "cid", created_us=2),
        ],
    )
    async with store.reading() as unit:
        found = await rating_agreement(unit)
        of_key = await rating_agreement(unit, FeedbackFilter(key_id="key_1"))

    counts = {(r.key_id, r.rater): (r.judgements, r.compared, r.agreed) for r in found.raters}
    assert counts == {
        (None, "ann"): (1, 1, 1),
        (None, "bob"): (3, 2, 1),
        ("key_1", "ann"): (1, 1, 0),
    }
    assert (found.alpha.units, found.alpha.judgements) == (2, 4)
    assert [r.rater for r in of_key.raters] == ["ann"]


async def test_comparisons_are_read_from_the_store(store: Store) -> None:
    """Whichever way round they were written; a tie is a word of its own."""
    one, two, three = exchange(), exchange(), exchange()
    async with store.writing() as unit:
        for each in (one, two, three):
            await unit.interactions.add(each)
    await _fill(
        store,
        [
            preference(one, two, "ann", created_us=1),
            preference(two, one, "bob", created_us=1),
            preference(one, two, "bob", created_us=2),
            preference(two, one, "cid", created_us=1),
            preference(two, three, "ann", created_us=1),
            preference(three, two, "bob", created_us=1, is_tie=True),
            preference(three, three, "ann", created_us=1, chosen_choice=1),
        ],
    )
    async with store.reading() as unit:
        found = await comparison_agreement(unit)

    counts = {r.rater: (r.judgements, r.compared, r.agreed) for r in found.raters}
    assert counts == {"ann": (3, 1, 0), "bob": (2, 1, 0), "cid": (1, 1, 0)}
    assert (found.alpha.units, found.alpha.judgements) == (2, 5)
