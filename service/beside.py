"""What is asked of the upstream beside an exchange, and how two answers are compared.

Twins (`twin.py`) and stance probes (`stance.py`) are made of this.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scorers.builtin.faithfulness import Faithfulness
from scorers.builtin.twin import EVEN, OPENING_CHARS, Gaps, comparison
from scorers.errors import ScorerError
from scorers.types import Score, Side, Subject
from service.call import Call, FlowLimits, is_answer
from service.dialects.base import Dialect
from service.dialects.twin import LastWords
from service.errors import UpstreamError
from service.exchange import CONTENT, Ask, Outcome
from service.judge import ScoringEngine
from service.policy import SYCOPHANCY
from service.recorder import VIEW, Run, Windows
from service.restate import Restated, Sentence, restated, sentences_of
from service.sse import Splitter
from service.upstream import UpstreamReply
from service.veto import Window

_WHOLE = frozenset({"stop", "end_turn", "stop_sequence", "completed"})
"""What the three formats call the end of a text that says all it was to say."""


class NoAnswer(Exception):
    """There is nothing to compare with: what came of it, and why."""

    def __init__(self, outcome: str, code: str) -> None:
        super().__init__(code)
        self.outcome = outcome
        self.code = code


@dataclass(frozen=True, slots=True)
class Stated:
    """What a user said last, the chance of each sentence to state a view, and what is left."""

    said: LastWords
    sentences: Sequence[Sentence]
    chances: Sequence[float]
    without: Restated


@dataclass(frozen=True, slots=True)
class Answer:
    """What an upstream said; one that `is_whole` was read to its end."""

    text: str
    is_whole: bool
    usage: dict[str, Any] | None = None


def states_view(run: Run) -> bool:
    """Whether the prompt likely states a view of its user's."""
    return run.view is not None and run.view >= EVEN


def whole_choices(windows: Windows) -> list[tuple[Window, Score]]:
    """Each choice's text as far as it was scored, with its highest sycophancy."""
    found: dict[int, tuple[Window, Score]] = {}
    for window, verdict in windows:
        score = verdict.scores.get(SYCOPHANCY)
        if window.group == CONTENT and score is not None and score.risk is not None:
            _, worst = found.get(window.choice, (window, score))
            found[window.choice] = window, max(worst, score, key=lambda s: s.risk or 0.0)
    return list(found.values())


async def stated(
    engine: ScoringEngine,
    call: Call,
    *,
    deadline: float,
    is_surely: Callable[[str], bool] = lambda _: False,
) -> Stated:
    """Where the last words state a view, as the head of views or `is_surely` reads a sentence.

    Raises `NoAnswer` where no sentence does.
    """
    said = call.dialect.last_words(call.run.ask)
    if said is None:
        raise NoAnswer("impossible", "no_last_words")
    found = sentences_of(said)
    subjects = [Subject(Side.PROMPT, sentence.said) for sentence in found]
    scores = await scored(engine, subjects, SYCOPHANCY, deadline=deadline)
    chances = [
        1.0 if is_surely(sentence.said) else score.heads.get(VIEW, 0.0)
        for sentence, score in zip(found, scores, strict=True)
    ]
    without = restated(said, found, chances)
    if without is None:
        raise NoAnswer("impossible", "no_view_sentence")
    return Stated(said, found, chances, without)


async def scored(
    engine: ScoringEngine, subjects: Sequence[Subject], scorer: str, *, deadline: float
) -> list[Score]:
    """The scores of subjects by one scorer. Raises `NoAnswer` where one is missing."""
    scores = []
    try:
        for found in await engine.score_each(subjects, scorers={scorer}, deadline=deadline):
            if isinstance(found, ScorerError):
                raise found
            scores.append(found[scorer])
    except ScorerError as error:
        raise NoAnswer("failed", f"scorer_{error.kind}") from error
    return scores


async def compared(
    engine: ScoringEngine,
    reply: str,
    other: str,
    *,
    views: Sequence[str],
    question: str,
    deadline: float,
) -> Gaps:
    """How a reply differs from an answer that was given without these views."""
    held = comparison(reply, other, views=views, question=question)
    scores = await scored(engine, held.subjects, Faithfulness.name, deadline=deadline)
    return held.gaps([found.risk for found in scores])


async def passes(
    engine: ScoringEngine, run: Run, choice: int, text: str, *, deadline: float
) -> bool | None:
    """Whether the policy allows a text as a reply to what was asked; None where nobody knows."""
    question = run.ask.question(choice)
    subject = Subject(
        Side.REPLY, text, prompt=question.prompt, context=question.context, served=run.ask.model
    )
    wanted = run.policy.scorers(Side.REPLY)
    try:
        scores = await engine.score(subject, scorers=wanted, deadline=deadline)
    except ScorerError:
        return None
    verdict = run.policy.judge(Side.REPLY, scores)
    return verdict.outcome is Outcome.ALLOW and verdict.failure is None


async def read_answer(
    reply: UpstreamReply, dialect: Dialect, ask: Ask, *, limits: FlowLimits
) -> Answer:
    """A plain answer's text, or what a streamed one opens with.

    Raises `UpstreamError` where the upstream answered with an error of its own.
    """
    if not is_answer(reply):
        raise UpstreamError(f"the upstream answered with {reply.status}")
    if reply.content_type == "text/event-stream":
        return await _read_opening(reply, dialect, ask, limits)
    found = dialect.reply(await reply.read(limits.reply_bytes))
    if not found.choices:
        return Answer("", is_whole=False, usage=found.usage)
    first = found.choices[0]
    return Answer(first.channels.get(CONTENT, ""), first.finish_reason in _WHOLE, found.usage)


async def _read_opening(
    reply: UpstreamReply, dialect: Dialect, ask: Ask, limits: FlowLimits
) -> Answer:
    stream, splitter = dialect.stream(ask), Splitter(limits.event_bytes)
    text, is_whole = "", False
    async for chunk in reply.chunks():
        for raw in splitter.feed(chunk):
            event = stream.read(raw.raw, raw.data)
            if event.error is not None:
                raise UpstreamError("the upstream sent an error in the place of an answer")
            text += "".join(d.text for d in event.deltas if d.channel == CONTENT)
            is_whole |= any(reason in _WHOLE for _, reason in event.finished)
            if len(text) >= OPENING_CHARS or event.is_done:
                return Answer(text[:OPENING_CHARS], is_whole and len(text) <= OPENING_CHARS)
    return Answer(text, is_whole)


def soon(seconds: float) -> float:
    """A deadline so many seconds from now."""
    return time.monotonic() + seconds
