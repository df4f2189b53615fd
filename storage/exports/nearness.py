"""Near-duplicate examples across all prompts, and what they come to together. Pure.

Two pairs speak of the same when their prompts are near and their replies are, the one way round or
the other; two labels when prompts and replies are. Near is `similarity.similarity` from the
threshold on with the same numbers and negations (`similarity.fine_print`), and system prompts that
differ in digits at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.exports.gathering import Table
from storage.exports.grouping import Grouped
from storage.exports.settling import Fate, Settled, Statement, settle
from storage.exports.similarity import Indices, Signatures, candidates, similarity

_SAME, _REVERSED = 1, 0


@dataclass(frozen=True, slots=True)
class NearSettled:
    """What became of each example, by its place: `fates`, and the `margin` that it keeps."""

    fates: dict[int, Fate]
    margin: NDArray[np.float64]


def settle_near(table: Table, grouped: Grouped, *, threshold: float) -> NearSettled:
    """The fates of examples that have a near-duplicate; all others are kept as they are.

    The most direct and clearest example leads; each other one joins the first leader that it is
    near to, so that likeness is not handed on from one to the next.
    """
    order = np.lexsort((table.key, -table.margin, table.rank))
    leaders = _leaders(table, grouped, order, threshold)
    statements, places = [], []
    for rank, (leader, is_forward) in enumerate(leaders):
        place = int(order[rank])
        statements.append(_statement(table, place, leader, is_forward=is_forward))
        places.append(place)
    return _applied(table, places, settle(statements))


def _applied(table: Table, places: list[int], settled: list[Settled]) -> NearSettled:
    margin, fates = table.margin.copy(), dict[int, Fate]()
    for place, found in zip(places, settled, strict=True):
        if found.fate != "kept":
            fates[place] = found.fate
        margin[place] = found.margin
    return NearSettled(fates, margin)


def _statement(table: Table, place: int, leader: int, *, is_forward: bool) -> Statement:
    return Statement(
        about=leader,
        is_forward=is_forward,
        rank=int(table.rank[place]),
        margin=float(table.margin[place]),
        key=int(table.key[place]),
    )


def _leaders(
    table: Table, grouped: Grouped, order: Indices, threshold: float
) -> list[tuple[int, bool]]:
    """For each example, best first, the rank of its leader and whether both prefer the same."""
    is_pair = table.replies.shape[1] == 2
    found = [(rank, is_pair or bool(table.is_good[order[rank]])) for rank in range(len(order))]
    for first, second, way in _edges(table, grouped, order, threshold):
        if found[second][0] == second and found[first][0] == first:
            is_forward = way == _SAME if is_pair else bool(table.is_good[order[second]])
            found[second] = first, is_forward
    return found


def _edges(
    table: Table, grouped: Grouped, order: Indices, threshold: float
) -> list[tuple[int, int, int]]:
    """(rank, later rank, which way) of near examples, each once, the later ones in order.

    Sorted so that a later one meets its best leader first.
    """
    size, found = len(order), np.zeros(0, dtype=np.int64)
    for some, way in _near(table, grouped, order, threshold):
        codes = (some[:, 1] * size + some[:, 0]) * 2 + (1 - way)
        found = np.unique(np.concatenate((found, codes)))
    codes, ways = found // 2, 1 - found % 2
    return list(zip((codes % size).tolist(), (codes // size).tolist(), ways.tolist(), strict=True))


def _near(
    table: Table, grouped: Grouped, order: Indices, threshold: float
) -> Iterator[tuple[Indices, Indices]]:
    def columns(start: int, stop: int) -> Signatures:
        # The minimum of two signatures is that of both sets together: the same either way round.
        return np.asarray(table.replies[:, :, start:stop].min(axis=1)[order])

    for found in candidates(columns, within=grouped.alike[table.prompt[order]]):
        is_near = _prompts_near(table, order[found[:, 0]], order[found[:, 1]], threshold)
        some = found[is_near]
        one, other = order[some[:, 0]], order[some[:, 1]]
        same = _replies_near(table, one, other, threshold, is_reversed=False)
        turned = _replies_near(table, one, other, threshold, is_reversed=True) & ~same
        if table.replies.shape[1] == 1:
            turned[:] = False
        yield some[same], np.full(int(same.sum()), _SAME)
        yield some[turned], np.full(int(turned.sum()), _REVERSED)


def _prompts_near(
    table: Table, one: Indices, other: Indices, threshold: float
) -> NDArray[np.bool_]:
    first, second = table.prompt[one], table.prompt[other]
    alike = similarity(table.prompt_signatures[first], table.prompt_signatures[second])
    found: NDArray[np.bool_] = (alike >= threshold) & (
        table.prompt_prints[first] == table.prompt_prints[second]
    )
    return found


def _replies_near(
    table: Table, one: Indices, other: Indices, threshold: float, *, is_reversed: bool
) -> NDArray[np.bool_]:
    replies, prints = table.replies, table.prints
    found = np.ones(len(one), dtype=np.bool_)
    last = replies.shape[1] - 1
    for side in range(last + 1):
        beside = last - side if is_reversed else side
        alike = similarity(replies[one, side], replies[other, beside])
        found &= (alike >= threshold) & (prints[one, side] == prints[other, beside])
    return found
