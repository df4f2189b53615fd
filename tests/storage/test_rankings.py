from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from storage.rankings import Place, comparisons_of, tiers_of


def _without_repeats(tiers: list[list[Place]]) -> list[list[Place]]:
    seen: set[Place] = set()
    found = []
    for tier in tiers:
        fresh = [p for p in dict.fromkeys(tier) if p not in seen]
        seen.update(fresh)
        found.append(fresh)
    return [tier for tier in found if tier]


RANKINGS = st.lists(
    st.lists(st.tuples(st.text(max_size=3), st.integers(0, 2)), min_size=1, max_size=3),
    min_size=1,
    max_size=5,
).map(_without_repeats)


@given(RANKINGS.filter(lambda tiers: sum(map(len, tiers)) > 1), st.randoms())
def test_a_ranking_is_read_back_from_its_comparisons(
    tiers: list[list[Place]], draw: object
) -> None:
    """Whatever their order, they say which replies tie and which come before others."""
    made = comparisons_of(tiers, created_us=1)
    count = sum(map(len, tiers))
    draw.shuffle(made)

    assert [set(tier) for tier in tiers_of(made)] == [set(tier) for tier in tiers]
    assert len(made) == len(list(combinations(range(count), 2)))
    assert len({said.ranking_id for said in made}) == 1


@given(RANKINGS.filter(lambda tiers: sum(map(len, tiers)) > 2))
def test_the_others_keep_their_order_where_one_is_erased(tiers: list[list[Place]]) -> None:
    """The comparisons of an erased reply are gone, and the ranking is that of the rest."""
    gone = tiers[0][0]
    left = [
        said
        for said in comparisons_of(tiers, created_us=1)
        if gone
        not in (
            (said.chosen_interaction_id, said.chosen_choice),
            (said.rejected_interaction_id, said.rejected_choice),
        )
    ]
    expected = [{place for place in tier if place != gone} for tier in tiers]

    assert [set(tier) for tier in tiers_of(left)] == [tier for tier in expected if tier]


def test_the_comment_stands_once() -> None:
    """With the first comparison, whatever their number."""
    made = comparisons_of([[("a", 0)], [("b", 0)], [("c", 0)]], created_us=1, comment="so")

    assert [said.comment for said in made] == ["so", "", ""]
