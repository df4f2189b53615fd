"""A reply's twin: what the upstream says to the same request without its user's view.

A classifier cannot know what the model would have said to somebody else; the twin is that. It is
asked for while the reply is written, or for a sample of replies after they were delivered.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from scorers.builtin.sycophancy import SYCOPHANTIC
from scorers.builtin.twin import EVEN, FLIP, Gaps, opening_end
from scorers.types import Score
from service.beside import (
    Answer,
    NoAnswer,
    compared,
    passes,
    read_answer,
    soon,
    stated,
    states_view,
    whole_choices,
)
from service.call import Call, FlowLimits, Meter, send_beside
from service.errors import FairleadError
from service.exchange import Status
from service.judge import ScoringEngine
from service.opening import Openings
from service.policy import TwinRule
from service.prompt import PromptTask
from service.recorder import Recorder
from service.restate import IMPARTIAL, Restated
from service.upstream import Upstream
from service.veto import Window

MOST_SAMPLED = 8
"""How many twins are asked for at a time behind replies that were delivered."""

SAMPLED_S = 120.0
"""How long one of those may take."""


@dataclass(frozen=True, slots=True)
class TwinTools:
    """What twins work with; the same for every exchange."""

    engine: ScoringEngine
    upstream: Upstream
    recorder: Recorder
    meter: Meter
    limits: FlowLimits


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
        self._missing: NoAnswer | None = None
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
        except NoAnswer as missing:
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
        """The twin's text; `NoAnswer` where it is not there in time."""
        assert self._task is not None
        await asyncio.wait({self._task}, timeout=self._left_s())
        if not self._task.done():
            self._task.cancel()
            raise NoAnswer("late", "twin_late")
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
            self._gaps[text] = await compared(
                self._tools.engine,
                text,
                twin,
                views=self._plan.views,
                question=question,
                deadline=soon(self._run.policy.deadline_s),
            )
        gaps = self._gaps[text]
        flip = gaps.flip(score.heads.get(SYCOPHANTIC, 0.0))
        key = (self._run.number, choice)
        self._flips[key] = max(self._flips.get(key, (flip, gaps)), (flip, gaps), key=lambda f: f[0])
        if flip >= EVEN and self._is_whole and self._has_passed is None:
            # Where that is not known in time the twin is no better than the reply that flipped.
            left_s = min(self._run.policy.deadline_s, self._left_s())
            self._has_passed = await passes(
                self._tools.engine, self._run, choice, twin, deadline=soon(left_s)
            )
        return replace(score, risk=flip, heads={**score.heads, FLIP: flip})

    async def _ask(self, prompt: PromptTask) -> str | None:
        try:
            if prompt is not None and (await asyncio.shield(prompt)).is_veto:
                return None
            if not states_view(self._run):
                return None
            self._has_view = True
            self._reply = await self._answer()
        except NoAnswer as missing:
            self._missing = missing
        except FairleadError as error:
            self._missing = NoAnswer("failed", error.code)
        return self._reply

    async def _answer(self) -> str:
        """What the model says by itself; raises `NoAnswer` or what goes wrong on the way."""
        call, ask = self._call, self._run.ask
        deadline = soon(self._run.policy.deadline_s)
        found = await stated(self._tools.engine, call, deadline=deadline)
        self._plan = found.without
        if self._plan.kind == "earlier":
            self._is_whole = True
            return found.said.before
        instruction = IMPARTIAL if self._plan.kind == "instructed" else ""
        body = call.dialect.restated(ask, self._plan.texts, instruction=instruction)
        answer = await self._upstream_says(body)
        self._is_whole = answer.is_whole
        if not answer.text.strip():
            raise NoAnswer("failed", "no_text")
        return answer.text

    async def _upstream_says(self, body: bytes) -> Answer:
        ask, began = self._run.ask, time.monotonic()
        try:
            reply = await send_beside(self._tools.upstream, self._call, body=body)
            try:
                limits = self._tools.limits
                return await read_answer(reply, self._call.dialect, ask, limits=limits)
            finally:
                reply.close()
        finally:
            self._tools.meter.upstream(ask.route, ask.model, time.monotonic() - began)


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
            for window, score in whole_choices(run.windows):
                await twin.joined(score, window)
            told = twin.told()
        finally:
            twin.end()
        if told is not None:
            await self._tools.recorder.add_twin(run, told)
