from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from storage.exports.settling import Statement, settle


def said(
    *, forward: bool = True, rank: int = 0, margin: float = 1.0, key: str = "", about: str = "it"
) -> Statement:
    """A statement."""
    return Statement(about=about, is_forward=forward, rank=rank, margin=margin, key=key)


def fates(*statements: Statement) -> list[tuple[str, float]]:
    """The fate of each and its margin."""
    return [(each.fate, round(each.margin, 3)) for each in settle(statements)]


def test_a_statement_by_itself_is_kept() -> None:
    """Statements about different things have nothing to do with one another."""
    found = fates(said(about="one"), said(about="two", forward=False, margin=0.5))

    assert found == [("kept", 1.0), ("kept", 0.5)]


def test_the_clearest_of_equal_statements_stands_for_all() -> None:
    """A repetition is dropped and takes nothing away from the margin."""
    assert fates(said(margin=0.4), said(margin=0.8)) == [("repeated", 0.0), ("kept", 0.8)]


def test_the_most_direct_source_decides() -> None:
    """However many say the opposite less directly."""
    found = fates(
        said(rank=2, forward=False),
        said(rank=0, margin=0.2),
        said(rank=2, forward=False),
        said(rank=2),
    )

    expected = [("contradicted", 0.0), ("kept", 0.2), ("contradicted", 0.0), ("repeated", 0.0)]
    assert expected == found


def test_the_heavier_side_wins_and_pays_for_the_other() -> None:
    """The margin shrinks by the share that was said against it."""
    found = fates(said(margin=0.6), said(margin=0.6, key="b"), said(forward=False, margin=0.4))

    assert found == [("kept", 0.3), ("repeated", 0.0), ("contradicted", 0.0)]


def test_a_tie_is_broken_by_the_next_source() -> None:
    """Where the most direct source is at odds with itself the next one speaks."""
    found = fates(said(), said(forward=False), said(rank=1, forward=False, margin=0.5))

    assert found == [("contradicted", 0.0), ("repeated", 0.0), ("kept", 0.5)]


def test_a_tie_of_all_sources_decides_nothing() -> None:
    """None is kept."""
    assert fates(said(margin=0.5), said(forward=False, margin=0.5)) == [("undecided", 0.0)] * 2


def test_a_statement_without_margin_still_speaks() -> None:
    """Against nothing it is kept, with its margin of nothing."""
    assert fates(said(margin=0.0), said(margin=0.0, key="b")) == [("kept", 0.0), ("repeated", 0.0)]


statements = st.lists(
    st.builds(
        said,
        forward=st.booleans(),
        rank=st.integers(0, 2),
        margin=st.sampled_from([0.0, 0.2, 0.5, 1.0]),
        about=st.sampled_from(["one", "two"]),
    ),
    max_size=12,
).map(
    lambda found: [
        Statement(each.about, each.is_forward, each.rank, each.margin, at)
        for at, each in enumerate(found)
    ]
)


@given(statements, st.randoms(use_true_random=False))
def test_their_order_decides_nothing(found: list[Statement], random: object) -> None:
    """Whoever comes first, the same statement is kept with the same margin."""
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    expected = {each.key: settled for each, settled in zip(found, settle(found), strict=True)}
    assert expected == {
        each.key: settled for each, settled in zip(shuffled, settle(shuffled), strict=True)
    }


@given(statements)
def test_at_most_one_is_kept(found: list[Statement]) -> None:
    """Of the statements about one thing, so that no pair stands beside its own reverse."""
    kept = [
        each.about
        for each, settled in zip(found, settle(found), strict=True)
        if settled.fate == "kept"
    ]

    assert len(kept) == len(set(kept))
