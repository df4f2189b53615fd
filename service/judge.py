"""Asks the engine and the policy: a text in, a verdict out, never an exception."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from scorers.errors import ScorerError
from scorers.types import Score, Side, Subject
from service.exchange import CONTENT, Ask, Outcome, Piece, Verdict, hardest
from service.memory import ScoreMemory
from service.policy import SYCOPHANCY, Policy, hardest_action
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

    def remembered(self, *, is_hit: bool) -> None:
        """A text of a prompt was looked up among those that were scored before."""
        ...


class Joining(Protocol):
    """Whoever has more to say of a reply's sycophancy; `service.twin.Twin` is one."""

    async def joined(self, score: Score, window: Window) -> Score:
        """The score of a window with what is known beside it."""
        ...


class Judge:
    """Scores a text by a policy's scorers and has the policy judge the scores.

    Texts of prompts are remembered by their hash. `history_chars` is how much of a conversation
    that is not remembered is scored beside what is new in it.
    """

    def __init__(
        self,
        engine: ScoringEngine,
        meter: VerdictMeter,
        *,
        remembered_texts: int = 10_000,
        history_chars: int = 10_000,
    ) -> None:
        self._engine = engine
        self._meter = meter
        self._memory = ScoreMemory(remembered_texts)
        self._history_chars = history_chars

    def forget(self) -> None:
        """Forgets the scores of texts that came before: somebody's data is being removed."""
        self._memory.clear()

    async def prompt(self, ask: Ask, policy: Policy) -> Verdict:
        """The verdict on what is new in a request, each piece scored by itself.

        Where the policy vetoes prompts, what was said earlier vetoes too: a vetoed text does
        not become good by an answer that the client puts behind it. It cannot flag again.
        """
        every = ask.pieces or (Piece(ask.prompt),)
        pieces = [piece for piece in every if piece.is_new]
        earlier, left_out = self._earlier(every, policy)
        verdicts = await asyncio.gather(
            *(self._piece(piece, policy) for piece in (*pieces, *earlier))
        )
        judged = zip((*pieces, *earlier), verdicts, strict=True)
        parts = [(p, v) for p, v in judged if p.is_new or v.is_veto]
        for _, verdict in parts:
            self._count(verdict, policy, model=ask.model)
        return _together(parts, left_out=left_out)

    def _earlier(self, pieces: Sequence[Piece], policy: Policy) -> tuple[list[Piece], int]:
        """The earlier pieces to look at, newest first, and how many are not looked at."""
        old = [piece for piece in pieces if not piece.is_new]
        if not any(rule.veto is not None for rule in policy.rules[Side.PROMPT]):
            return [], len(old)
        chosen, left_chars = [], self._history_chars
        wanted = policy.scorers(Side.PROMPT)
        for piece in old:
            if not wanted <= self._memory.find(piece.text).keys():
                if len(piece.text) > left_chars:
                    continue
                left_chars -= len(piece.text)
            chosen.append(piece)
        return chosen, len(old) - len(chosen)

    async def _piece(self, piece: Piece, policy: Policy) -> Verdict:
        """The verdict on one text of a prompt, by the scores that it had before if it had any."""
        wanted = policy.scorers(Side.PROMPT)
        known = self._memory.find(piece.text)
        missing = wanted - known.keys()
        self._meter.remembered(is_hit=not missing)
        if not missing:
            return policy.judge(Side.PROMPT, known)
        deadline = time.monotonic() + policy.deadline_s
        subject = Subject(Side.PROMPT, piece.text)
        try:
            scores = await self._engine.score(subject, scorers=missing, deadline=deadline)
        except ScorerError as error:
            is_needed = any(rule.scorer in missing for rule in policy.rules[Side.PROMPT])
            return policy.judge(Side.PROMPT, known, failure=error.kind if is_needed else None)
        self._memory.keep(piece.text, scores)
        return policy.judge(Side.PROMPT, {**known, **scores})

    async def window(
        self, window: Window, ask: Ask, policy: Policy, *, twin: Joining | None = None
    ) -> Verdict:
        """The verdict on one window of a reply.

        Only ordinary text is held against the context and taken for what the model says: a
        tool's arguments are no claims. Where there is a twin its word on sycophancy is waited
        for, unless other scores veto the text anyway.
        """
        question = ask.question(window.choice)
        is_speech = window.group == CONTENT
        subject = Subject(
            Side.REPLY,
            window.text,
            prompt=question.prompt,
            context=question.context if is_speech else (),
            start=window.start,
            end=window.stop,
            is_speech=is_speech,
            served=ask.model,
            logprobs=window.logprobs,
        )
        verdict = await self._judge(subject, policy)
        score = verdict.scores.get(SYCOPHANCY)
        if twin is not None and score is not None and not _is_vetoed_anyway(verdict):
            told = {**verdict.scores, SYCOPHANCY: await twin.joined(score, window)}
            verdict = policy.judge(Side.REPLY, told)
        self._count(verdict, policy, model=ask.model)
        return verdict

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

    async def _judge(self, subject: Subject, policy: Policy) -> Verdict:
        deadline = time.monotonic() + policy.deadline_s
        wanted = policy.scorers(subject.side)
        try:
            scores = await self._engine.score(subject, scorers=wanted, deadline=deadline)
        except ScorerError as error:
            return policy.judge(subject.side, None, failure=error.kind)
        return policy.judge(subject.side, scores)

    def _count(self, verdict: Verdict, policy: Policy, *, model: str) -> None:
        self._meter.verdict(policy.name, verdict)
        for rule in verdict.rules:
            if rule.score.risk is not None:
                side = verdict.side.value
                self._meter.risk(rule.score.scorer, side, model, risk=rule.score.risk)


def _is_vetoed_anyway(verdict: Verdict) -> bool:
    vetoing = (rule.score.scorer for rule in verdict.rules if rule.outcome is Outcome.VETO)
    return any(scorer != SYCOPHANCY for scorer in vetoing)


def _together(parts: Sequence[tuple[Piece, Verdict]], *, left_out: int) -> Verdict:
    """The verdict on a prompt from those on its pieces: the hardest; a failure of one is its."""
    verdicts = [verdict for _, verdict in parts]
    outcome = hardest(verdict.outcome for verdict in verdicts)
    failure = next((verdict.failure for verdict in verdicts if verdict.failure), None)
    if failure and outcome is Outcome.ALLOW:
        outcome = Outcome.UNSCORED
    return Verdict(
        Side.PROMPT,
        outcome,
        rules=tuple(rule for verdict in verdicts for rule in verdict.rules),
        failure=failure,
        action=hardest_action(verdict.action for verdict in verdicts if verdict.is_veto),
        parts=tuple(parts),
        left_out=left_out,
    )
