"""From the store's judgements to the rows of an export: settled, grouped, chosen and put in order.

In turn: near-duplicate and contradicting examples (`settling`), the least margin, groups of
prompts and their side of the split (`grouping`), at most so many of a prompt, a selection, an even
length, the order (`choosing`). What is left out is counted in the tally.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from storage.errors import ExportError
from storage.exports import choosing
from storage.exports.base import ExportOptions, Label, Pair, Split, Tally, split_of
from storage.exports.conversation import identity
from storage.exports.gathering import Gathering, Table
from storage.exports.grouping import text_of
from storage.exports.judgement import PromptGroup
from storage.exports.nearness import settle_near
from storage.exports.pairs import rank_of
from storage.exports.similarity import LEAST_LIKENESS, similarity
from storage.exports.statistics import (
    Statistics,
    balance_of,
    largest_share,
    lengths_of,
    quartiles,
)

Embed = Callable[[Sequence[str]], Awaitable[NDArray[np.float32]]]
"""Embeddings of texts, of shape (texts, hidden)."""

ExamplesOf = Callable[[PromptGroup, ExportOptions, Counter[str]], Sequence[Pair | Label]]
"""Makes examples of one prompt's judgements; what is left out is counted."""

MOST_COMPARED = 50_000
"""So many examples a selection by diversity chooses from; of more, those drawn by the seed."""
_EMBED_BATCH = 32
_READ_BATCH = 256
_NO_ENCODER = "diversity was measured by words (MinHash), since no encoder was at hand"

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]


def check(options: ExportOptions, *, is_pairs: bool) -> None:
    """ExportError for options that cannot be followed."""
    likeness = options.near_duplicates
    if likeness is not None and not LEAST_LIKENESS <= likeness <= 1:
        raise ExportError(
            f"goes from {LEAST_LIKENESS} to 1, or is off; not {likeness}", option="near_duplicates"
        )
    if not 0 <= options.min_margin <= 1:
        raise ExportError(f"goes from 0 to 1, not {options.min_margin}", option="min_margin")
    since_us, until_us = options.since_us, options.until_us
    if since_us is not None and until_us is not None and since_us >= until_us:
        raise ExportError("is not after `since`, so nothing lies between", option="until")
    counts = {"max_per_prompt": options.max_per_prompt, "select": options.select}
    for name, count in counts.items():
        if count is not None and count < 1:
            raise ExportError(f"must be 1 or more, not {count}", option=name)
    if options.by is not None and options.select is None:
        words = "says how rows are selected, but no number to `select` is given"
        raise ExportError(words, option="by")
    if options.weak is not None and not 0.5 < options.weak_least <= 1:
        raise ExportError(
            f"is above 0.5 and at most 1, not {options.weak_least}", option="weak_least"
        )
    if options.balance_length and not is_pairs:
        raise ExportError("goes with formats of pairs only", option="balance_length")


async def curated(
    groups: AsyncIterator[PromptGroup],
    examples_of: ExamplesOf,
    options: ExportOptions,
    tally: Tally,
    *,
    embed: Embed | None = None,
) -> AsyncIterator[Pair | Label]:
    """The examples of an export, in its order; `tally` is complete when they begin.

    The same judgements and options give the same rows, in whatever order the prompts come.
    `embed` is used for a selection by diversity; without it words are compared.
    """
    with Gathering() as gathering:
        async for group in groups:
            found = examples_of(group, options, tally.dropped)
            gathering.add(group, [(rank_of(each.provenance.source), each) for each in found])
        curator = await asyncio.to_thread(_Curator, gathering, options, tally)
        await curator.choose(embed)
        tally.statistics = curator.statistics()
        for at in range(0, len(curator.places), _READ_BATCH):
            for example in curator.examples(at, at + _READ_BATCH):
                yield example
            await asyncio.sleep(0)


class _Curator:
    """What is left of the examples: `places` in the table, in order."""

    def __init__(self, gathering: Gathering, options: ExportOptions, tally: Tally) -> None:
        self._gathering = gathering
        self._options = options
        self._tally = tally
        self._table = gathering.table()
        self._grouped = gathering.prompts.grouped(
            self._table.prompt_signatures, threshold=options.near_duplicates
        )
        self._notes: list[str] = []
        self.places: Numbers = np.arange(len(self._table.key))
        self._margin = self._table.margin
        self._settle()
        # A difficulty is half the lack of margin, of a label all of it: it grows as that shrinks.
        share = 0.5 if self._table.replies.shape[1] == 2 else 1.0
        self._difficulty = self._table.difficulty + share * (self._table.margin - self._margin)

    def _settle(self) -> None:
        """Near-duplicates, contradictions and the least margin."""
        if self._options.near_duplicates is not None and len(self.places):
            near = settle_near(self._table, self._grouped, threshold=self._options.near_duplicates)
            self._tally.dropped.update(f"near_{fate}" for fate in near.fates.values())
            self._margin = near.margin
            self.places = np.setdiff1d(self.places, np.array(list(near.fates), dtype=np.int64))
        is_clear = self._margin[self.places] >= self._options.min_margin
        self._keep(np.flatnonzero(is_clear), "below_margin")

    async def choose(self, embed: Embed | None) -> None:
        """Thins and orders what is left, as the options say."""
        options = self._options
        if options.split is not None:
            is_wanted = [self._side(place) == options.split for place in self.places.tolist()]
            self._keep(np.flatnonzero(is_wanted), "other_split")
        if options.max_per_prompt is not None:
            prompts = self._grouped.alike[self._table.prompt[self.places]]
            most = options.max_per_prompt
            self._keep(choosing.capped(prompts, *self._merit, most=most), "per_prompt")
        if options.select is not None and options.select < len(self.places):
            self._keep(await self._selected(options.select, embed), "not_selected")
        if options.balance_length:
            self._keep(self._balanced(), "length_balance")
        self.places = self.places[self._order()]

    def examples(self, start: int, stop: int) -> Iterator[Pair | Label]:
        """The examples from one place in the order to another."""
        places = self.places[start:stop].tolist()
        for place, example in zip(places, self._gathering.read(places), strict=True):
            origin = replace(
                example.provenance,
                margin=round(float(self._margin[place]), 4),
                difficulty=round(float(self._difficulty[place]), 4),
                split=self._side(place),
            )
            yield replace(example, provenance=origin)

    def statistics(self) -> Statistics:
        """The figures of what is left."""
        places, table = self.places, self._table
        margin, groups = self._margin[places], self._grouped.groups[table.prompt[places]]
        good, is_pairs = int(table.is_good[places].sum()), table.replies.shape[1] == 2
        return Statistics(
            rows=len(places),
            prompts=len(np.unique(table.prompt[places])),
            groups=len(np.unique(groups)),
            largest_group=largest_share(groups),
            margin_quartiles=quartiles(margin),
            difficulty_quartiles=quartiles(self._difficulty[places]),
            lengths=lengths_of(
                table.chosen_chars[places].astype(np.float64),
                table.rejected_chars[places].astype(np.float64),
                margin,
            )
            if is_pairs
            else None,
            balance=None if is_pairs else balance_of(good, len(places) - good),
            notes=(*self._tally.notes, *self._notes),
        )

    @property
    def _merit(self) -> tuple[Floats, Numbers]:
        """Margins and keys of what is left."""
        return self._margin[self.places], self._table.key[self.places]

    def _keep(self, kept: Numbers, reason: str) -> None:
        self._tally.dropped[reason] += len(self.places) - len(kept)
        self.places = self.places[kept]

    def _order(self) -> Numbers:
        margin, key = self._merit
        if self._options.order == "curriculum":
            return choosing.easy_to_hard(self._difficulty[self.places], margin, key)
        return choosing.by_prompt(self._gathering.prompts.hashes, self._table.prompt[self.places])

    def _balanced(self) -> Numbers:
        """Each side of the split is evened by itself."""
        sides = np.array([self._side(place) == "test" for place in self.places.tolist()])
        difference = (self._table.chosen_chars - self._table.rejected_chars)[self.places]
        margin, key = self._merit
        kept = [np.zeros(0, dtype=np.int64)]
        for side in (False, True):
            at = np.flatnonzero(sides == side)
            kept.append(at[choosing.balanced(difference[at], margin[at], key[at])])
        return np.sort(np.concatenate(kept))

    async def _selected(self, count: int, embed: Embed | None) -> Numbers:
        margin, key = self._merit
        if self._options.by == "margin":
            return choosing.largest_margins(margin, key, count=count)
        if self._options.by == "random":
            return choosing.drawn(key, count=count, seed=self._options.seed)
        most = max(MOST_COMPARED, count)
        among = choosing.drawn(key, count=most, seed=self._options.seed)
        if len(among) < len(key):
            self._notes.append(f"diversity chose from {len(among)} examples drawn from {len(key)}")
        distances = await self._distances(self.places[among], embed)
        rule = partial(choosing.farthest, distances, margin[among], key[among], count=count)
        chosen: Numbers = among[await asyncio.to_thread(rule)]
        return chosen

    async def _distances(self, places: Numbers, embed: Embed | None) -> choosing.Distances:
        if embed is None:
            self._notes.append(_NO_ENCODER)
            return partial(_word_distances, self._table, places)
        found = []
        for at in range(0, len(places), _EMBED_BATCH):
            some = self._gathering.read(places[at : at + _EMBED_BATCH].tolist())
            said = [_said(example) for example in some]
            vectors = await embed([text for both in said for text in both])
            found.append(_unit(vectors).reshape(len(said), 2, -1).mean(axis=1))
        return partial(_cosine_distances, _unit(np.concatenate(found)))

    def _side(self, place: int) -> Split:
        anchor = self._grouped.anchors[int(self._table.prompt[place])]
        return split_of(anchor, seed=self._options.seed, test_share=self._options.test_share)


def _word_distances(table: Table, places: Numbers, at: int) -> Floats:
    """One minus the mean similarity of prompts and of (chosen) replies."""
    prompts = table.prompt[places]
    signed = table.prompt_signatures[prompts]
    of_prompts = similarity(signed, table.prompt_signatures[prompts[at]])
    of_replies = similarity(table.replies[places, 0], table.replies[places[at], 0])
    return 1.0 - (of_prompts + of_replies) / 2


def _cosine_distances(vectors: NDArray[np.float32], at: int) -> Floats:
    found: Floats = 1.0 - (vectors @ vectors[at]).astype(np.float64)
    return found


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    found: NDArray[np.float32] = vectors / np.maximum(lengths, 1e-9)
    return found


def _said(example: Pair | Label) -> tuple[str, str]:
    """What the user asked last, and what was (chosen to be) replied."""
    reply = example.chosen if isinstance(example, Pair) else example.completion
    asked = [message for message in example.prompt if message["role"] == "user"]
    return text_of(asked[-1:]), identity(reply)
