"""What an export counts while it reads, in a form that can wait on the disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from storage.exports.base import Tally
from storage.exports.judgement import PromptGroup
from storage.records import Json


@dataclass(slots=True)
class Seen:
    """The exchanges that were read: how many prompts, by which models, from when to when."""

    prompts: int = 0
    replies_cap: int = 0
    models: Counter[str] = field(default_factory=Counter)
    first_us: int | None = None
    last_us: int | None = None

    @classmethod
    def from_json(cls, told: Mapping[str, Json]) -> Seen:
        """As `to_json` wrote it; nothing was seen where there is nothing."""
        return cls(**{**told, "models": Counter(told.get("models", {}))})

    def to_json(self) -> dict[str, Json]:
        """The counts as JSON."""
        return {
            "prompts": self.prompts,
            "replies_cap": self.replies_cap,
            "models": dict(self.models),
            "first_us": self.first_us,
            "last_us": self.last_us,
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


def share_of(prompt_hash: str) -> float | None:
    """How far in the order of hashes a prompt is; they are even, so this is a share of all."""
    try:
        return float(int(prompt_hash[:8], 16) / 16 ** len(prompt_hash[:8]))
    except ValueError:
        return None
