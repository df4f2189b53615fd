"""Asks the engine and the policy: a text in, a verdict out, never an exception."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from scorers.errors import ScorerError
from scorers.types import Score, Side, Subject
from service.exchange import CONTENT, Ask, Verdict
from service.policy import Policy
from service.veto import Window


class ScoringEngine(Protocol):
    """Whoever scores; `scorers.engine.Engine` is one."""

    async def score(
        self,
        subject: Subject,
        *,
        scorers: Collection[str] | None = None,
        deadline: float | None = None,
    ) -> Mapping[str, Score]:
        """A score for each of the named scorers; raises `ScorerError`."""
        ...

    async def score_each(
        self,
        subjects: Iterable[Subject],
        *,
        scorers: Collection[str] | None = None,
        deadline: float | None = None,
    ) -> Sequence[Mapping[str, Score] | ScorerError]:
        """The same for many subjects, in their order; an error stands in its subject's place."""
        ...


class VerdictMeter(Protocol):
    """Whoever counts verdicts."""

    def verdict(self, policy: str, verdict: Verdict) -> None:
        """A policy judged one text."""
        ...

    def risk(self, scorer: str, side: str, model: str | None, *, risk: float) -> None:
        """A scorer gave a risk for a text of the model's exchange."""
        ...


class Judge:
    """Scores a text by a policy's scorers and has the policy judge the scores."""

    def __init__(self, engine: ScoringEngine, meter: VerdictMeter) -> None:
        self._engine = engine
        self._meter = meter

    async def prompt(self, ask: Ask, policy: Policy) -> Verdict:
        """The verdict on a request's newest user content."""
        subject = Subject(Side.PROMPT, ask.prompt, context=ask.context)
        return await self._judge(subject, policy, model=ask.model)

    async def window(self, window: Window, ask: Ask, policy: Policy) -> Verdict:
        """The verdict on one window of a reply.

        Only ordinary text is held against the context: a tool's arguments are no claims.
        """
        subject = Subject(
            Side.REPLY,
            window.text,
            prompt=ask.prompt,
            context=ask.context if window.group == CONTENT else (),
            start=window.start,
            end=window.stop,
        )
        return await self._judge(subject, policy, model=ask.model)

    async def many(
        self, subjects: Sequence[Subject], policy: Policy, *, deadline: float
    ) -> list[Verdict]:
        """The verdicts on many texts, in their order, each side as one bulk of work.

        `deadline` is a time of `time.monotonic()` and holds for all of them. This is no
        traffic: neither verdicts nor risks are counted.
        """
        verdicts: dict[int, Verdict] = {}

        async def judge_side(side: Side) -> None:
            places = [at for at, subject in enumerate(subjects) if subject.side is side]
            scores = await self._scores_of(
                [subjects[at] for at in places], policy.scorers(side), deadline
            )
            for at, found in zip(places, scores, strict=True):
                failure = found.kind if isinstance(found, ScorerError) else None
                known = None if isinstance(found, ScorerError) else found
                verdicts[at] = policy.judge(side, known, failure=failure)

        await asyncio.gather(*(judge_side(side) for side in Side))
        return [verdicts[at] for at in range(len(subjects))]

    async def _scores_of(
        self, subjects: list[Subject], scorers: Collection[str], deadline: float
    ) -> Sequence[Mapping[str, Score] | ScorerError]:
        if not scorers or not subjects:
            return [{} for _ in subjects]
        return await self._engine.score_each(subjects, scorers=scorers, deadline=deadline)

    async def _judge(self, subject: Subject, policy: Policy, *, model: str) -> Verdict:
        deadline = time.monotonic() + policy.deadline_s
        wanted = policy.scorers(subject.side)
        try:
            scores = await self._engine.score(subject, scorers=wanted, deadline=deadline)
        except ScorerError as error:
            verdict = policy.judge(subject.side, None, failure=error.kind)
        else:
            verdict = policy.judge(subject.side, scores)
        self._meter.verdict(policy.name, verdict)
        for rule in verdict.rules:
            if rule.score.risk is not None:
                side = subject.side.value
                self._meter.risk(rule.score.scorer, side, model, risk=rule.score.risk)
        return verdict
