"""What an export counts while it reads, in a form that can wait on the disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from storage.agreement import RATINGS, Alpha, Shape, krippendorff_alpha
from storage.exports.base import Tally
from storage.exports.judgement import PromptGroup, ballots, latest_ratings
from storage.records import Json


@dataclass(slots=True)
class Seen:
    """What was read: how many prompts, by which models, from when to when, how far raters agree.

    `ratings` and `votes` count the replies, and the pairs of replies, of each shape: how many
    raters said up and down, or preferred the first, the second, neither.
    """

    prompts: int = 0
    replies_cap: int = 0
    models: Counter[str] = field(default_factory=Counter)
    first_us: int | None = None
    last_us: int | None = None
    ratings: Counter[Shape] = field(default_factory=Counter)
    votes: Counter[Shape] = field(default_factory=Counter)

    @classmethod
    def from_json(cls, told: Mapping[str, Json]) -> Seen:
        """As `to_json` wrote it; nothing was seen where there is nothing."""
        counters = {
            "models": Counter(told.get("models", {})),
            **{
                name: Counter({tuple(shape): count for shape, count in told.get(name, ())})
                for name in ("ratings", "votes")
            },
        }
        return cls(**{**told, **counters})

    def to_json(self) -> dict[str, Json]:
        """The counts as JSON."""
        return {
            "prompts": self.prompts,
            "replies_cap": self.replies_cap,
            "models": dict(self.models),
            "first_us": self.first_us,
            "last_us": self.last_us,
            "ratings": [[list(shape), count] for shape, count in self.ratings.items()],
            "votes": [[list(shape), count] for shape, count in self.votes.items()],
        }

    def add(self, group: PromptGroup, tally: Tally) -> None:
        """Counts a prompt; `tally` is that of the reading, which is emptied."""
        self.prompts += tally.prompts
        self.replies_cap += tally.dropped.pop("replies_cap", 0)
        tally.prompts = 0
        for exchange in group.interactions.values():
            self.models[exchange.reply_model or exchange.model] += 1
            at_us = exchange.created_us
            self.first_us = at_us if self.first_us is None else min(self.first_us, at_us)
            self.last_us = at_us if self.last_us is None else max(self.last_us, at_us)
        for said in latest_ratings(group).values():
            self.ratings[_shape(said.values(), RATINGS)] += 1
        for ballot in ballots(group).values():
            self.votes[_shape(ballot.values(), (True, False, None))] += 1

    def agreement(self) -> dict[str, Alpha]:
        """Krippendorff's alpha of ratings and of comparisons, where two raters judged the same."""
        kinds = {"ratings": self.ratings, "comparisons": self.votes}
        found = {kind: krippendorff_alpha(shapes) for kind, shapes in kinds.items()}
        return {kind: alpha for kind, alpha in found.items() if alpha.units}


def share_of(prompt_hash: str) -> float | None:
    """How far in the order of hashes a prompt is; they are even, so this is a share of all."""
    try:
        return float(int(prompt_hash[:8], 16) / 16 ** len(prompt_hash[:8]))
    except ValueError:
        return None


def _shape(said: Iterable[object], values: Sequence[object]) -> Shape:
    counts = Counter(said)
    return tuple(counts[value] for value in values)
