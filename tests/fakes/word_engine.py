"""A scoring engine that knows a few words, and the thresholds that go with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from scorers.engine import Health
from scorers.errors import ScorerError
from scorers.types import Score, Side, Subject

MODEL = "words@1"


@dataclass(frozen=True)
class WordScorer:
    """What the engine's one scorer offers."""

    heads: tuple[str, ...] = ("toxic",)
    default_heads: tuple[str, ...] = ("toxic",)


@dataclass
class WordEngine:
    """Gives the risk 0.99 to a text with a bad word, 0.01 to any other.

    Only the new part of a text counts. `seen` holds the subjects in the order in
    which they came; with `failure` set every call raises it.
    """

    bad_words: tuple[str, ...] = ("scoundrel",)
    seen: list[Subject] = field(default_factory=list)
    failure: ScorerError | None = None

    async def score(
        self,
        subject: Subject,
        *,
        scorers: Collection[str] | None = None,
        deadline: float | None = None,
    ) -> Mapping[str, Score]:
        """The toxicity of a text."""
        self.seen.append(subject)
        if self.failure is not None:
            raise self.failure
        is_bad = any(word in subject.fresh for word in self.bad_words)
        risk = 0.99 if is_bad else 0.01
        score = Score("toxicity", subject.side, MODEL, risk, heads={"toxic": risk})
        return {"toxicity": score}

    async def score_each(
        self,
        subjects: Iterable[Subject],
        *,
        scorers: Collection[str] | None = None,
        deadline: float | None = None,
    ) -> list[Mapping[str, Score] | ScorerError]:
        """The same for many texts, a failure in its text's place."""
        if self.failure is not None:
            return [self.failure for _ in subjects]
        return [await self.score(s, scorers=scorers, deadline=deadline) for s in subjects]

    def health(self) -> Health:
        """Always ready."""
        return Health(
            is_ready=True, provider="cpu", model=MODEL, reason="", deaths=0, queue_tokens=0
        )


class WordHeads:
    """The engine as policies see it."""

    model = MODEL

    def __init__(self) -> None:
        self.scorers: Mapping[str, WordScorer] = {"toxicity": WordScorer()}

    def has(self, head: str, side: Side) -> bool:
        """Both sides are judged."""
        return head == "toxic"

    def threshold(self, heads: Iterable[str], side: Side, fpr: float) -> float:
        """The same for every rate."""
        return 0.5
