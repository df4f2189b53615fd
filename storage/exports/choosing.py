"""Which examples are taken, and in which order. Pure: columns in, places out.

Every rule breaks its ties by the examples' keys, so that what is chosen does not depend on the
order in which examples come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Distances = Callable[[int], Floats]
"""The distances of all examples from one of them."""


def capped(prompt: Numbers, margin: Floats, key: Numbers, *, most: int) -> Numbers:
    """The places of the `most` examples with the largest margins of each prompt, sorted."""
    order = np.lexsort((key, -margin, prompt))
    ordered = prompt[order]
    starts = np.searchsorted(ordered, ordered)
    return np.sort(order[np.arange(len(order)) - starts < most])


def balanced(difference: Floats | Numbers, margin: Floats, key: Numbers) -> Numbers:
    """The places that stay so that the longer reply is chosen as often as the shorter, sorted.

    Of the side in the majority the pairs with the largest difference of length go first, of
    equal ones those with the smaller margin.
    """
    longer, shorter = np.flatnonzero(difference > 0), np.flatnonzero(difference < 0)
    many, few = (longer, shorter) if len(longer) > len(shorter) else (shorter, longer)
    order = np.lexsort((key[many], margin[many], -np.abs(difference[many])))
    gone = many[order[: len(many) - len(few)]]
    return np.setdiff1d(np.arange(len(difference)), gone)


def largest_margins(margin: Floats, key: Numbers, *, count: int) -> Numbers:
    """The places of the `count` largest margins, sorted."""
    return np.sort(np.lexsort((key, -margin))[:count])


def drawn(key: Numbers, *, count: int, seed: int) -> Numbers:
    """`count` places by a hash of key and seed, sorted."""
    mixed = key.astype(np.uint64) ^ np.uint64(seed & (2**64 - 1))
    for _ in range(2):
        mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
    return np.sort(np.lexsort((key, mixed ^ (mixed >> np.uint64(29))))[:count])


def farthest(distances: Distances, margin: Floats, key: Numbers, *, count: int) -> Numbers:
    """`count` places that lie far from one another, sorted.

    The farthest-point rule: from the example with the largest margin on, take the one that is
    farthest from all that were taken (Gonzalez 1985, "Clustering to minimize the maximum
    intercluster distance", at most twice the best radius).
    """
    if not len(key) or count <= 0:
        return np.zeros(0, dtype=np.int64)
    by_key = np.argsort(key)
    taken = [int(np.lexsort((key, -margin))[0])]
    nearest = distances(taken[0])
    while len(taken) < min(count, len(key)):
        nearest[taken[-1]] = -1.0
        taken.append(int(by_key[np.argmax(nearest[by_key])]))
        nearest = np.minimum(nearest, distances(taken[-1]))
    return np.sort(np.array(taken, dtype=np.int64))


def easy_to_hard(difficulty: Floats, margin: Floats, key: Numbers) -> Numbers:
    """The order of a curriculum: the easier first, of equally hard ones the clearer."""
    return np.lexsort((key, -margin, difficulty))


def by_prompt(hashes: Sequence[str], prompt: Numbers) -> Numbers:
    """The order of the prompts' hashes; examples of one prompt as they stand."""
    ranks = np.empty(len(hashes), dtype=np.int64)
    ranks[sorted(range(len(hashes)), key=lambda at: hashes[at])] = np.arange(len(hashes))
    return np.argsort(ranks[prompt], kind="stable")
