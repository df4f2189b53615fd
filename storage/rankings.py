"""Rankings: the comparisons of each two of their replies, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations, groupby

from storage.ids import new_id
from storage.records import ComparisonRecord

Place = tuple[str, int]
"""An interaction's id and the index of one of its choices."""


def comparisons_of(
    tiers: Sequence[Sequence[Place]],
    *,
    created_us: int,
    rater: str = "",
    comment: str = "",
    key_id: str | None = None,
) -> list[ComparisonRecord]:
    """Every two places, the better or earlier first, under one new ranking id.

    They are a microsecond apart, so that their order stays; the first has the comment.
    """
    ranking_id = new_id("rnk", created_us)
    ranked = [(rank, place) for rank, tier in enumerate(tiers) for place in tier]
    return [
        ComparisonRecord(
            id=new_id("cmp", created_us + at),
            created_us=created_us + at,
            chosen_interaction_id=better[1][0],
            rejected_interaction_id=worse[1][0],
            chosen_choice=better[1][1],
            rejected_choice=worse[1][1],
            rater=rater,
            comment="" if at else comment,
            key_id=key_id,
            is_tie=better[0] == worse[0],
            ranking_id=ranking_id,
        )
        for at, (better, worse) in enumerate(combinations(ranked, 2))
    ]


def tiers_of(comparisons: Iterable[ComparisonRecord]) -> list[list[Place]]:
    """The tiers that these comparisons of one ranking came of, the best first.

    A place is above as many others as it was preferred to; where the exchange of a place was
    erased, the others keep their order.
    """
    wins: Counter[Place] = Counter()
    for said in comparisons:
        chosen = (said.chosen_interaction_id, said.chosen_choice)
        rejected = (said.rejected_interaction_id, said.rejected_choice)
        wins[chosen] += 0 if said.is_tie else 1
        wins[rejected] += 0
    ranked = sorted(wins, key=lambda place: -wins[place])
    return [list(tier) for _, tier in groupby(ranked, key=lambda place: wins[place])]
