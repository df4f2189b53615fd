"""A theme is a gap when it has grown and is answered worse than the rest, and only then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.watch.gap_names import typical_terms
from service.watch.gaps import Gap, Limits, Prompts, hunt, same
from service.watch.series import HOUR_US
from service.watch.themes import FEWEST, Themes

HIDDEN = 64
DAYS = 7
START_US = 480_000 * HOUR_US
BAD = "unsupported"


def texts(count: int, about: int, seed: int, spread: float = 0.5) -> np.ndarray:
    """Embeddings around the direction of a theme; theme 0 is all sorts of things."""
    rng = np.random.default_rng([seed, about])
    noise = rng.normal(size=(count, HIDDEN))
    if about == 0:
        return noise.astype(np.float32)
    direction = np.random.default_rng(about).normal(size=HIDDEN)
    return (direction + spread * noise).astype(np.float32)


def prompts(
    counts: dict[int, int],
    *,
    start_day: int,
    bad: dict[int, float] | None = None,
    seed: int = 0,
    people: int = 500,
) -> Prompts:
    """A week of prompts about some themes, with the share of bad replies of each."""
    rng = np.random.default_rng([seed, start_day])
    about = np.concatenate([np.full(count, theme) for theme, count in counts.items()])
    vectors = np.concatenate([texts(count, theme, seed) for theme, count in counts.items()])
    shares = np.array([(bad or {}).get(int(theme), 0.1) for theme in about])
    at = START_US + start_day * 24 * HOUR_US + rng.integers(0, DAYS * 24 * HOUR_US, len(about))
    order = np.argsort(at)
    ids = np.array([f"{theme}_{start_day}_{place}" for place, theme in enumerate(about)])
    return Prompts(
        at_us=at[order],
        who=rng.integers(0, people, len(about))[order],
        ids=ids[order],
        vectors=vectors[order],
        signs={BAD: (rng.random(len(about)) < shares).astype(np.float64)[order]},
    )


ORDINARY = {0: 1500, 1: 100, 2: 100}


def found(before: Prompts, now: Prompts, **limits: float) -> list[Gap]:
    """The gaps."""
    return [gap for gap in hunt(before, now, replace(Limits(), **limits)) if gap.is_found]


def test_a_new_theme_with_bad_replies_is_a_gap() -> None:
    """With its size, its growth, what is bad against the rest, since when, and three examples."""
    before = prompts(ORDINARY, start_day=0)
    now = prompts(ORDINARY | {3: 120}, start_day=DAYS, bad={3: 0.6})

    (gap,) = found(before, now)

    own = [ident for ident in gap.members if ident.startswith("3_")]
    assert len(own) >= 0.9 * len(gap.members)
    assert 100 <= gap.prompts <= 130
    assert gap.share_before < 0.01 < gap.share
    assert gap.worst is not None
    assert gap.worst.name == BAD
    assert gap.worst.rest < gap.worst.rest + gap.worst.low < gap.worst.share
    assert START_US + DAYS * 24 * HOUR_US <= gap.since_us < START_US + 2 * DAYS * 24 * HOUR_US
    bad = dict(zip(now.ids, now.signs[BAD], strict=True))
    assert [bad[ident] for ident in gap.examples] == [1.0, 1.0, 1.0]


def test_a_known_theme_that_grows_and_is_answered_badly_is_a_gap() -> None:
    """It need not be new."""
    before = prompts(ORDINARY, start_day=0)
    now = prompts(ORDINARY | {2: 350}, start_day=DAYS, bad={2: 0.6})

    (gap,) = found(before, now)

    assert gap.share > 2 * gap.share_before > 0


@pytest.mark.parametrize(
    ("counts", "bad"),
    [
        (ORDINARY, {}),
        (ORDINARY | {3: 120}, {}),
        (ORDINARY, {2: 0.6}),
        (ORDINARY | {3: 120}, {0: 0.6, 1: 0.6, 2: 0.6, 3: 0.6}),
        (ORDINARY | {3: 15}, {3: 1.0}),
        (ORDINARY | {3: 120}, {3: 0.0}),
    ],
    ids=["as before", "new and good", "bad as ever", "all is bad", "few", "better"],
)
def test_what_is_not_both_is_none(counts: dict[int, int], bad: dict[int, float]) -> None:
    """A new theme alone is none, nor are bad replies alone, nor a few of both."""
    steady = prompts(ORDINARY, start_day=0, bad={} if counts != ORDINARY else bad)

    assert found(steady, prompts(counts, start_day=DAYS, bad=bad)) == []


def test_one_person_makes_no_gap() -> None:
    """However much they ask."""
    before = prompts(ORDINARY, start_day=0)
    now = prompts(ORDINARY | {3: 120}, start_day=DAYS, bad={3: 0.9})
    is_theirs = np.char.startswith(now.ids, "3_")

    assert found(before, replace(now, who=np.where(is_theirs, 7777, now.who))) == []


def test_of_much_steady_traffic_none_is_found() -> None:
    """Ten times the prompts are no more of a reason."""
    many = {theme: 10 * count for theme, count in ORDINARY.items()}

    assert found(prompts(many, start_day=0), prompts(many, start_day=DAYS, seed=1)) == []


def test_a_gap_lasts_while_its_replies_are_bad() -> None:
    """Whether or not it grows still, and not when they are as good as others."""
    both = ORDINARY | {3: 120}
    before = prompts(both, start_day=0, bad={3: 0.6})

    still, over = (
        max(hunt(before, now, Limits()), key=lambda gap: "3_" in "".join(gap.members[:1]))
        for now in (
            prompts(both, start_day=DAYS, bad={3: 0.6}),
            prompts(both, start_day=DAYS, bad={3: 0.1}, seed=2),
        )
    )

    assert (still.is_found, still.is_lasting) == (False, True)
    assert not over.is_lasting


def test_signs_that_nobody_knows_are_left_out() -> None:
    """No rating says nothing."""
    before = prompts(ORDINARY, start_day=0)
    now = prompts(ORDINARY | {3: 120}, start_day=DAYS, bad={3: 0.6})
    unknown = {BAD: np.full(len(now), np.nan)}

    assert found(before, replace(now, signs=unknown)) == []


def test_nothing_before_or_now_is_no_gap() -> None:
    """An empty record has none."""
    week = prompts(ORDINARY, start_day=0)
    nothing = prompts({0: 0}, start_day=0)

    assert hunt(nothing, week, Limits()) == hunt(week, nothing, Limits()) == []


def test_a_gap_is_known_again_by_its_prompts() -> None:
    """By a third of them; two parts of one are both it, the larger first."""
    one, two, other = (
        Gap(
            prompts=0, people=0, share=0, share_before=0, is_found=True, since_us=0, signs=(),
            members=tuple(members), examples=(),
        )
        for members in ("abcdef", "ghi", "xyz")
    )  # fmt: skip

    assert same([two, one, other], {"gap_1": "abcdghi"}) == {1: "gap_1", 0: "gap_1"}
    assert list(same([two, one], {"gap_1": "abcdghi"})) == [1, 0]
    assert same([one], {"gap_1": "axyzuvw"}) == {}
    assert same([one], {"gap_1": ""}) == {}


def test_themes_are_the_same_for_the_same_texts() -> None:
    """And each text of a tight group is in it."""
    vectors = prompts(ORDINARY, start_day=0).vectors

    first, again = Themes.fit(vectors), Themes.fit(vectors)

    assert np.array_equal(first.centres, again.centres)
    labels = first.labels(texts(50, 1, seed=9))
    assert (labels == labels[0]).mean() > 0.9
    assert labels[0] >= 0


@given(
    count=st.integers(0, FEWEST + 200),
    hidden=st.integers(1, 24),
    kind=st.sampled_from(["noise", "one", "zero"]),
)
def test_any_vectors_have_labels(count: int, hidden: int, kind: str) -> None:
    """Few, equal and empty ones too; of fewer than enough there are no groups."""
    rng = np.random.default_rng(count)
    vectors = rng.normal(size=(count, hidden)).astype(np.float32)
    if kind != "noise":
        vectors[:] = 1.0 if kind == "one" else 0.0

    themes = Themes.fit(vectors)
    labels = themes.labels(vectors)

    assert labels.shape == (count,)
    assert np.isfinite(themes.centres).all()
    assert (labels < len(themes.centres)).all()
    if count < FEWEST:
        assert (labels == -1).all()


def test_terms_are_what_the_others_lack() -> None:
    """Not what everybody says, and not what a single text says."""
    own = ["How do I reset my insulin pump?", "My insulin pump beeps", "the insulin of Mrs Miller"]
    rest = ["How do I reset my password?", "the weather, my friend", "My cat"] * 10

    assert typical_terms(own, rest) == ("insulin", "pump")
    assert typical_terms([], rest) == ()
