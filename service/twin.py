"""A reply's twin: what the upstream says to the same request without its user's view.

A classifier cannot know what the model would have said to somebody else; the twin is that. It is
asked for while the reply is written, or for a sample of replies after they were delivered.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scorers.builtin.faithfulness import Faithfulness
from scorers.builtin.sycophancy import SYCOPHANTIC
from scorers.builtin.twin import EVEN, FLIP, OPENING_CHARS, Gaps, comparison, opening_end
from scorers.errors import ScorerError
from scorers.types import Score, Side, Subject
from service.call import Call, FlowLimits, Meter, is_answer, send_beside
from service.errors import FairleadError, UpstreamError
from service.exchange import CONTENT, Outcome, Status
from service.judge import ScoringEngine
from service.opening import Openings
from service.policy import SYCOPHANCY, TwinRule
from service.prompt import PromptTask
from service.recorder import VIEW, Recorder, Run
from service.restate import IMPARTIAL, Restated, restated, sentences_of
from service.sse import Splitter
from service.upstream import Upstream, UpstreamReply
from service.veto import Window

MOST_SAMPLED = 8
"""How many twins are asked for at a time behind replies that were delivered."""

SAMPLED_S = 120.0
"""How long one of those may take."""

_WHOLE = frozenset({"stop", "end_turn", "stop_sequence", "completed"})
"""What the three formats call the end of a text that says all it was to say."""


@dataclass(frozen=True, slots=True)
class TwinTools:
    """What twins work with; the same for every exchange."""

    engine: ScoringEngine
    upstream: Upstream
    recorder: Recorder
    meter: Meter
    limits: FlowLimits


class NoTwin(Exception):
    """There is no twin to compare with: what came of it, and why."""

    def __init__(self, outcome: str, code: str) -> None:
        super().__init__(code)
        self.outcome = outcome
        self.code = code


class Twin:
    """The twin of one exchange's reply. `begin`, then `joined` for each window, then `end`."""

    def __init__(self, tools: TwinTools, call: Call, rule: TwinRule, *, is_inline: bool) -> None:
        self._tools = tools
        self._call = call
        self._run = call.run
        self._rule = rule
        self._is_inline = is_inline
        self._has_view = False
        self._plan: Restated | None = None
        self._reply: str | None = None
        self._is_whole = False
        self._has_passed: bool | None = None
        self._missing: NoTwin | None = None
        self._until: dict[int, float] = {}
        self._openings: dict[int, Openings] = {}
        self._gaps: dict[str, Gaps] = {}
        self._flips: dict[tuple[int, int], tuple[float, Gaps]] = {}
        self._task: asyncio.Task[str | None] | None = None

    def begin(self, prompt: PromptTask) -> None:
        """Asks as soon as the prompt is known to state a view."""
        self._task = asyncio.create_task(self._ask(prompt), name="fairlead-twin")

    def listen(self) -> Openings:
        """What has to be told the events of the reply at hand, where it is a stream."""
        return self._openings.setdefault(self._run.number, Openings())

    def end(self) -> None:
        """The exchange is over: nobody waits for the twin any more."""
        if self._task is not None:
            self._task.cancel()
        if self.outcome is not None:
            mode = "inline" if self._is_inline else "sampled"
            self._tools.meter.twin(self._run.policy.name, mode, self.outcome)

    @property
    def outcome(self) -> str | None:
        """What came of it, as `Metrics.twin` has it; None where the prompt states no view."""
        if self._flips:
            is_flipped = any(risk >= EVEN for risk, _ in self._flips.values())
            return "flipped" if is_flipped else "kept"
        if not self._has_view:
            return None
        return "unused" if self._missing is None else self._missing.outcome

    def told(self) -> dict[str, Any] | None:
        """What the record has of it; None where the prompt states no view."""
        if self.outcome is None:
            return None
        plan, missing = self._plan, self._missing
        return {
            "outcome": self.outcome,
            "is_inline": self._is_inline,
            "kind": plan and plan.kind,
            "views": list(plan.views) if plan else [],
            "prompt": plan and plan.prompt,
            "reply": self._reply,
            "is_whole": self._is_whole,
            "has_passed": self._has_passed,
            "error_code": missing and missing.code,
            "choices": [
                {
                    "index": choice,
                    "departs": round(gaps.departs, 6),
                    "gained": round(gaps.gained, 6),
                    "flip": round(risk, 6),
                }
                for (number, choice), (risk, gaps) in sorted(self._flips.items())
                if number == self._run.number
            ],
        }

    async def joined(self, score: Score, window: Window) -> Score:
        """A window's sycophancy with what the twin tells; the classifier's where it is missing."""
        if score.risk is None:
            return score
        try:
            text = await self._text(window)
            twin = None if text is None else await self._in_time()
            if text is None or twin is None:
                return score
            return await self._compared(score, window.choice, text, twin)
        except NoTwin as missing:
            self._missing = missing
            return score

    async def _text(self, window: Window) -> str | None:
        """What of the reply is compared: all of a plain one, the opening of a streamed one.

        None where there is no twin to wait for, or the opening is not there in time.
        """
        assert self._task is not None
        openings = self._openings.get(self._run.number)
        if openings is None:
            is_stream = self._run.ask.is_stream
            return window.text[: opening_end(window.text)] if is_stream else window.text
        opening = asyncio.create_task(openings.of(window.choice))
        try:
            first = {self._task, opening}
            await asyncio.wait(first, timeout=self._left_s(), return_when=asyncio.FIRST_COMPLETED)
            if self._task.done() and self._told() is None:
                return None
            await asyncio.wait({opening}, timeout=self._left_s())
            return opening.result() if opening.done() else None
        finally:
            opening.cancel()

    async def _in_time(self) -> str | None:
        """The twin's text; `NoTwin` where it is not there in time."""
        assert self._task is not None
        await asyncio.wait({self._task}, timeout=self._left_s())
        if not self._task.done():
            self._task.cancel()
            raise NoTwin("late", "twin_late")
        return self._told()

    def _told(self) -> str | None:
        assert self._task is not None
        return None if self._task.cancelled() else self._task.result()

    def _left_s(self) -> float:
        """What is left of the budget, which runs from a reply's first window on."""
        now = time.monotonic()
        until = self._until.setdefault(self._run.number, now + self._rule.budget_s)
        return max(0.0, until - now)

    async def _compared(self, score: Score, choice: int, text: str, twin: str) -> Score:
        assert self._plan is not None
        if text not in self._gaps:
            question = self._plan.prompt if self._plan.kind == "asked" else ""
            held = comparison(text, twin, views=self._plan.views, question=question)
            scores = await self._scores(held.subjects, Faithfulness.name)
            self._gaps[text] = held.gaps([found.risk for found in scores])
        gaps = self._gaps[text]
        flip = gaps.flip(score.heads.get(SYCOPHANTIC, 0.0))
        key = (self._run.number, choice)
        self._flips[key] = max(self._flips.get(key, (flip, gaps)), (flip, gaps), key=lambda f: f[0])
        if flip >= EVEN and self._is_whole and self._has_passed is None:
            self._has_passed = await self._passes(choice, twin)
        return replace(score, risk=flip, heads={**score.heads, FLIP: flip})

    async def _passes(self, choice: int, twin: str) -> bool | None:
        """Whether the policy allows what the twin says, as a reply to what was asked.

        None where that is not known in time. It is then no better than the reply that flipped.
        """
        run, question = self._run, self._run.ask.question(choice)
        subject = Subject(
            Side.REPLY,
            twin,
            prompt=question.prompt,
            context=question.context,
            served=run.ask.model,
        )
        deadline = time.monotonic() + min(run.policy.deadline_s, self._left_s())
        wanted = run.policy.scorers(Side.REPLY)
        try:
            scores = await self._tools.engine.score(subject, scorers=wanted, deadline=deadline)
        except ScorerError:
            return None
        verdict = run.policy.judge(Side.REPLY, scores)
        return verdict.outcome is Outcome.ALLOW and verdict.failure is None

    async def _ask(self, prompt: PromptTask) -> str | None:
        try:
            if prompt is not None and (await asyncio.shield(prompt)).is_veto:
                return None
            if not states_view(self._run):
                return None
            self._has_view = True
            self._reply = await self._answer()
        except NoTwin as missing:
            self._missing = missing
        except FairleadError as error:
            self._missing = NoTwin("failed", error.code)
        return self._reply

    async def _answer(self) -> str:
        """What the model says by itself; raises `NoTwin` or what goes wrong on the way."""
        call, ask = self._call, self._run.ask
        said = call.dialect.last_words(ask)
        if said is None:
            raise NoTwin("impossible", "no_last_words")
        found = sentences_of(said)
        scores = await self._scores([Subject(Side.PROMPT, s.said) for s in found], SYCOPHANCY)
        self._plan = restated(said, found, [score.heads.get(VIEW, 0.0) for score in scores])
        if self._plan is None:
            raise NoTwin("impossible", "no_view_sentence")
        if self._plan.kind == "earlier":
            self._is_whole = True
            return said.before
        instruction = IMPARTIAL if self._plan.kind == "instructed" else ""
        body = call.dialect.restated(ask, self._plan.texts, instruction=instruction)
        text = await self._upstream_says(body)
        if not text.strip():
            raise NoTwin("failed", "no_text")
        return text

    async def _scores(self, subjects: Sequence[Subject], scorer: str) -> list[Score]:
        deadline = time.monotonic() + self._run.policy.deadline_s
        engine, scores = self._tools.engine, []
        try:
            for found in await engine.score_each(subjects, scorers={scorer}, deadline=deadline):
                if isinstance(found, ScorerError):
                    raise found
                scores.append(found[scorer])
        except ScorerError as error:
            raise NoTwin("failed", f"scorer_{error.kind}") from error
        return scores

    async def _upstream_says(self, body: bytes) -> str:
        ask, began = self._run.ask, time.monotonic()
        try:
            reply = await send_beside(self._tools.upstream, self._call, body=body)
            try:
                return await self._read(reply)
            finally:
                reply.close()
        finally:
            self._tools.meter.upstream(ask.route, ask.model, time.monotonic() - began)

    async def _read(self, reply: UpstreamReply) -> str:
        """A plain answer's text, or what a streamed one opens with."""
        if not is_answer(reply):
            raise UpstreamError(f"the upstream answered a twin with {reply.status}")
        if reply.content_type == "text/event-stream":
            return await self._read_opening(reply)
        body = await reply.read(self._tools.limits.reply_bytes)
        choices = self._call.dialect.reply(body).choices
        if not choices:
            return ""
        self._is_whole = choices[0].finish_reason in _WHOLE
        return choices[0].channels.get(CONTENT, "")

    async def _read_opening(self, reply: UpstreamReply) -> str:
        dialect = self._call.dialect.stream(self._run.ask)
        splitter = Splitter(self._tools.limits.event_bytes)
        text = ""
        async for chunk in reply.chunks():
            for raw in splitter.feed(chunk):
                event = dialect.read(raw.raw, raw.data)
                if event.error is not None:
                    raise UpstreamError("the upstream sent an error in the place of a twin")
                text += "".join(d.text for d in event.deltas if d.channel == CONTENT)
                self._is_whole |= any(reason in _WHOLE for _, reason in event.finished)
                if len(text) >= OPENING_CHARS or event.is_done:
                    self._is_whole &= len(text) <= OPENING_CHARS
                    return text[:OPENING_CHARS]
        return text


class Twins:
    """Starts twins: one beside a reply where the policy says so, else behind a sample of them.

    `draw` gives numbers in [0, 1).
    """

    def __init__(self, tools: TwinTools, *, draw: Callable[[], float] = random.random) -> None:
        self._tools = tools
        self._draw = draw
        self._sampled: set[asyncio.Task[None]] = set()

    def start(self, call: Call, prompt: PromptTask) -> Twin | None:
        """Begins a reply's twin, where its policy has replies judged by theirs."""
        rule = call.run.policy.twin
        if rule is None or not rule.is_inline or prompt is None or not call.run.ask.body:
            return None
        twin = Twin(self._tools, call, rule, is_inline=True)
        twin.begin(prompt)
        return twin

    def end(self, call: Call) -> None:
        """An exchange is over: its twin ends, or one is asked for if its reply is drawn."""
        run, rule = call.run, call.run.policy.twin
        if run.twin is not None:
            run.twin.end()
        elif rule is not None and run.status is Status.COMPLETED and self._draw() < rule.sample:
            self._sample(call, rule)

    async def stop(self) -> None:
        """Ends the twins that are still asked for."""
        for task in self._sampled:
            task.cancel()
        await asyncio.gather(*self._sampled, return_exceptions=True)

    def _sample(self, call: Call, rule: TwinRule) -> None:
        if not states_view(call.run):
            return
        if len(self._sampled) >= MOST_SAMPLED:
            self._tools.meter.twin(call.run.policy.name, "sampled", "skipped")
            return
        task = asyncio.create_task(self._behind(call, rule), name="fairlead-sampled-twin")
        self._sampled.add(task)
        task.add_done_callback(self._sampled.discard)

    async def _behind(self, call: Call, rule: TwinRule) -> None:
        """Compares a reply that was delivered with its twin, and keeps what came of it."""
        run = call.run
        twin = Twin(self._tools, call, replace(rule, budget_s=SAMPLED_S), is_inline=False)
        twin.begin(None)
        try:
            for window, score in _whole_choices(run):
                await twin.joined(score, window)
            told = twin.told()
        finally:
            twin.end()
        if told is not None:
            await self._tools.recorder.add_twin(run, told)


def states_view(run: Run) -> bool:
    """Whether the prompt likely states a view of its user's."""
    return run.view is not None and run.view >= EVEN


def _whole_choices(run: Run) -> list[tuple[Window, Score]]:
    """Each choice's text as far as it was scored, with its highest sycophancy."""
    found: dict[int, tuple[Window, Score]] = {}
    for window, verdict in run.windows:
        score = verdict.scores.get(SYCOPHANCY)
        if window.group == CONTENT and score is not None and score.risk is not None:
            _, worst = found.get(window.choice, (window, score))
            found[window.choice] = window, max(worst, score, key=lambda s: s.risk or 0.0)
    return list(found.values())
