"""The nouns of weak labels, and what a labelling function must do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from storage.records import InteractionRecord

Vote = Literal["up", "down"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A reply as its client got it, and what happened around it.

    `prompt` is what the user said last. `next_turn` is what the user said after the reply, in the
    next exchange of the same conversation, `next_after_s` how many seconds after it was asked
    for; None where the client names no conversation or the reply is its last. `asked_again_s` is
    when the same user or conversation asked the very same once more. `comments` and `tags` are
    those of feedback; its ratings and corrections are what functions are measured by, and are
    not shown.
    """

    exchange: InteractionRecord
    choice: int
    prompt: str
    reply: str
    next_turn: str | None = None
    next_after_s: float | None = None
    asked_again_s: float | None = None
    comments: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def risk(self, scorer: str, *, side: str = "reply", head: str | None = None) -> float | None:
        """The risk (or one head) that a scorer gave to this reply or to its prompt."""
        for score in self.exchange.scores:
            if (score.side, score.scorer) == (side, scorer) and (
                side == "prompt" or score.choice_index == self.choice
            ):
                found = score.risk if head is None else (score.heads or {}).get(head)
                return None if found is None else float(found)
        return None


LabellingFunction = Callable[[Moment], Vote | None]
"""Looks at a reply: "up" where it was likely good, "down" where bad, None where it cannot tell."""


@dataclass(frozen=True, slots=True)
class Named:
    """A labelling function and the name that reports give it."""

    name: str
    function: LabellingFunction
