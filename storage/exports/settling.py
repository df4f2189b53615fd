"""What several statements about the same two replies come to. Pure.

A statement prefers one of two replies to the other (or says of one reply that it is good or not).
The rule, in this order:

1. The most direct source speaks (the order of `pairs.PAIR_SOURCES`); the others are not counted.
2. Of its statements each weighs its margin; the heavier side wins. Where both weigh the same the
   next source speaks; where all are tied, none of the statements is kept.
3. The winning statement with the largest margin stands for all; its margin shrinks by what was
   said against it: times (for - against) / (for + against).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

Fate = Literal["kept", "repeated", "contradicted", "undecided"]

_LEAST_WEIGHT = 1e-6
"""What a statement without any margin weighs, so that it still says something."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One preference. `about` is what it speaks of, `is_forward` which way.

    `rank` is its source's place, 0 the most direct; `key` breaks ties and is its own.
    """

    about: Hashable
    is_forward: bool
    rank: int
    margin: float
    key: Hashable


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a statement, and the margin with which it stands."""

    fate: Fate
    margin: float


def settle(statements: Sequence[Statement]) -> list[Settled]:
    """The fate of each statement, in their order, whatever that order is."""
    topics: dict[Hashable, list[int]] = defaultdict(list)
    for at, statement in enumerate(statements):
        topics[statement.about].append(at)
    found = [Settled("kept", statement.margin) for statement in statements]
    for places in topics.values():
        if len(places) > 1:
            _settle_topic(statements, places, found)
    return found


def _settle_topic(
    statements: Sequence[Statement], places: Sequence[int], found: list[Settled]
) -> None:
    decided = _decided(statements, places)
    if decided is None:
        for at in places:
            found[at] = Settled("undecided", 0.0)
        return
    kept, agreed = decided
    for at in places:
        is_winning = statements[at].is_forward == statements[kept].is_forward
        found[at] = Settled("repeated" if is_winning else "contradicted", 0.0)
    found[kept] = Settled("kept", statements[kept].margin * agreed)


def _decided(statements: Sequence[Statement], places: Sequence[int]) -> tuple[int, float] | None:
    """The statement that stands for all and the share agreed on; None if all sources are tied."""
    for rank in sorted({statements[at].rank for at in places}):
        speaking = [at for at in places if statements[at].rank == rank]
        ahead = _weight(statements, [at for at in speaking if statements[at].is_forward])
        against = _weight(statements, [at for at in speaking if not statements[at].is_forward])
        if not math.isclose(ahead, against):
            is_forward = ahead > against
            winners = [at for at in speaking if statements[at].is_forward == is_forward]
            kept = min(winners, key=lambda at: (-statements[at].margin, str(statements[at].key)))
            return kept, abs(ahead - against) / (ahead + against)
    return None


def _weight(statements: Sequence[Statement], places: Sequence[int]) -> float:
    return math.fsum(max(_LEAST_WEIGHT, statements[at].margin) for at in places)
