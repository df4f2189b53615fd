"""The nouns of an export, and what a format must do.

A format is one file with one class, listed by name in `formats.py`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, Protocol

from storage.exports.statistics import Statistics
from storage.records import Json

Message = dict[str, Json]
Split = Literal["train", "test"]
Material = Literal["pairs", "labels", "replies"]
Row = dict[str, Json]
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = (".parquet",)
Order = Literal["prompt", "curriculum"]
Method = Literal["weighted", "majority"]
Choice = Literal["diversity", "margin", "random"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a row comes from and how sure it is.

    `margin` in [0, 1] is how clearly the raters preferred what they preferred, `difficulty` in
    [0, 1] how hard the choice is to learn (see `pairs.difficulty`). `probability` is that of a
    weak label to be right, None where people or scorers judged; it is a column of exports
    `with_weak` labels only.
    """

    source: str
    margin: float
    difficulty: float
    interaction_ids: tuple[str, ...]
    split: Split
    probability: float | None = None
    with_weak: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two replies to one prompt, one preferred."""

    prompt: list[Message]
    tools: list[Json] | None
    chosen: Message
    rejected: Message
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One reply that was liked or not."""

    prompt: list[Message]
    tools: list[Json] | None
    completion: Message
    is_good: bool
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What to export. `since_us` (inclusive) and `until_us` (not) are times of the exchange.

    `model` is the model asked for or the one that answered. `sources` None means every source of
    the format. The split is by groups of prompts: `test_share` of the groups, chosen by hash and
    `seed`; `split` None means both sides.

    `near_duplicates` is the similarity from which two texts count as one, None to compare none.
    `max_per_prompt` keeps the examples with the largest margins of a prompt, `select` so many of
    all, chosen `by` (None is by diversity), and `balance_length` thins pairs until the longer
    reply is chosen as often as the shorter. `order` is that of the rows. Nothing that was recorded
    from `as_of_us` on is looked at.

    `weak` adds weak labels by this method, for replies that nobody rated: those whose chance of
    being good (or bad) is `weak_least` or more.
    """

    since_us: int | None = None
    until_us: int | None = None
    model: str | None = None
    key_id: str | None = None
    min_margin: float = 0.0
    sources: tuple[str, ...] | None = None
    test_share: float = 0.1
    seed: int = 0
    split: Split | None = None
    near_duplicates: float | None = 0.85
    max_per_prompt: int | None = None
    select: int | None = None
    by: Choice | None = None
    balance_length: bool = False
    order: Order = "prompt"
    as_of_us: int | None = None
    weak: Method | None = None
    weak_least: float = 0.8


@dataclass(slots=True)
class Tally:
    """Counts of one export, kept while it runs."""

    prompts: int = 0
    written: int = 0
    by_source: Counter[str] = field(default_factory=Counter)
    by_split: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    statistics: Statistics | None = None


class ExportFormat(Protocol):
    """One format of training file."""

    @property
    def name(self) -> str:
        """The name on the command line."""

    @property
    def endings(self) -> tuple[str, ...]:
        """How the names of its files may end."""

    @property
    def material(self) -> Material:
        """Whether the format is made of pairs, of labels, or of good replies (labels too)."""

    def row(self, example: Pair | Label) -> Row | str:
        """The row of one example, provenance included, or the reason why it does not fit."""


def provenance_columns(example: Pair | Label) -> Row:
    """The extra columns that trainers ignore, and `tools` where the exchange had them."""
    origin = example.provenance
    columns: Row = {} if example.tools is None else {"tools": example.tools}
    return columns | {
        "pair_source": origin.source,
        "margin": origin.margin,
        "difficulty": origin.difficulty,
        "interaction_ids": list(origin.interaction_ids),
        "split": origin.split,
        **({"probability": origin.probability} if origin.with_weak else {}),
    }


def split_of(anchor: str, *, seed: int, test_share: float) -> Split:
    """The side of the split of a group of prompts, the same in every export with this seed.

    `anchor` names the group: the hash of its oldest prompt (see `grouping`).
    """
    digest = hashlib.sha256(f"{seed}:{anchor}".encode()).digest()
    return "test" if int.from_bytes(digest[:8], "big") < test_share * 2**64 else "train"
