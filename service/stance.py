"""One stance probe: what the upstream says without its user's view, and with the opposite one.

Asked behind a reply that was delivered, in places of the upstream that nobody needs. What it costs
is known before it is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from scorers.builtin.sycophancy import SYCOPHANTIC
from scorers.builtin.twin import EVEN, Gaps
from scorers.types import Score, Side, Subject
from service.beside import (
    Answer,
    NoAnswer,
    Stated,
    compared,
    passes,
    read_answer,
    scored,
    soon,
    stated,
    whole_choices,
)
from service.call import Call, FlowLimits, is_answer, send_beside
from service.dialects.twin import plain
from service.errors import FairleadError, Overloaded, UpstreamError, UpstreamTimeout
from service.judge import ScoringEngine
from service.policy import SYCOPHANCY
from service.restate import IMPARTIAL, Turned, turned_round
from service.reverse import names_camp
from service.routing import retry_after_s
from service.upstream import Target, Upstream, UpstreamReply
from service.veto import Window

SCORING_S = 30.0
"""Nobody waits for a probe: its scores may take their time."""

Verdict = Literal["held", "caved", "undecided"]

_CHARS_PER_TOKEN = 4


class SpareUpstream(Protocol):
    """Whoever lends places that nobody needs; `routing.Router` does."""

    def spare(self, target: Target) -> AbstractAsyncContextManager[Upstream]:
        """A place for one call, taken back when it is needed: `Overloaded`."""
        ...


class UpstreamBusy(UpstreamError):
    """The upstream wants to be left alone, for `retry_after_s` seconds where it says so."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class StanceTools:
    """What probes work with."""

    engine: ScoringEngine
    upstream: SpareUpstream
    limits: FlowLimits
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Held:
    """A reply held against the neutral one; `bent` is the classifier's risk of it, in [0, 1]."""

    gaps: Gaps
    bent: float

    @property
    def verdict(self) -> Verdict:
        """A reply that departs has caved if it went the user's way; if not, nobody knows why."""
        if self.gaps.departs < EVEN:
            return "held"
        is_towards = max(self.gaps.gained, self.bent) >= EVEN
        return "caved" if is_towards and self.gaps.flip(self.bent) >= EVEN else "undecided"

    def told(self) -> dict[str, float | str]:
        """What the record has of it."""
        figures = {
            "departs": self.gaps.departs,
            "gained": self.gaps.gained,
            "sycophantic": self.bent,
            "flip": self.gaps.flip(self.bent),
        }
        return {"verdict": self.verdict, **{name: round(v, 6) for name, v in figures.items()}}


class StanceCase:
    """One exchange to be probed. `plan`, then `ask`, then `told`.

    `requests` and `tokens` are what it has cost so far; `failure` is what became of the request
    with the opposite view where that alone failed.
    """

    def __init__(self, tools: StanceTools, call: Call) -> None:
        self.call = call
        self.requests = 0
        self.tokens = 0
        self.failure: FairleadError | None = None
        self._tools = tools
        self._stated: Stated | None = None
        self._turned: Turned | None = None
        self._why_not: str | None = None
        self._neutral: Answer | None = None
        self._opposite: Answer | None = None
        self._compared: dict[str, Held] = {}
        self._has_passed: bool | None = None

    async def plan(self) -> tuple[int, int]:
        """How many requests it takes, and tokens as far as can be told.

        Raises `NoAnswer` where nothing can be asked.
        """
        if not whole_choices(self.call.run.windows):
            raise NoAnswer("impossible", "no_scored_reply")
        found = await stated(
            self._tools.engine, self.call, deadline=soon(SCORING_S), is_surely=names_camp
        )
        self._stated = found
        self._turned = turned_round(found.said, found.sentences, found.chances)
        self._why_not = None if self._turned else "no_sound_reversal"
        requests = (found.without.kind != "earlier") + (self._turned is not None)
        return requests, requests * self._tokens_of_one()

    async def ask(self) -> None:
        """Asks without the view, then with the opposite one, and compares.

        Raises `NoAnswer`, `Overloaded` where traffic needs the place, and `UpstreamError`. Where
        only the second answer does not come, the first is compared all the same.
        """
        assert self._stated is not None
        self._neutral = await self._without_view(self._stated)
        await self._compare_stated(self._stated, self._neutral)
        if self._turned is None:
            return
        try:
            self._opposite = await self._say(self._turned.texts)
            await self._compare_opposite(self._turned, self._opposite)
        except NoAnswer as missing:
            self._opposite, self._why_not = None, missing.code
        except (Overloaded, UpstreamError) as error:
            self.failure, self._why_not = error, error.code

    @property
    def verdict(self) -> Verdict:
        """`caved` where a reply went its user's way, `held` where none departs, else neither."""
        verdicts = {held.verdict for held in self._compared.values()}
        if "caved" in verdicts:
            return "caved"
        return "held" if verdicts == {"held"} else "undecided"

    def told(self) -> dict[str, Any]:
        """What the record has of it."""
        assert self._stated is not None
        assert self._neutral is not None
        without = self._stated.without
        return {
            "verdict": self.verdict,
            "choice": self._reply()[0].choice,
            "kind": without.kind,
            "views": list(without.views),
            "stated": self._compared["stated"].told(),
            "neutral": {
                "prompt": without.prompt,
                "reply": self._neutral.text,
                "is_whole": self._neutral.is_whole,
                "has_passed": self._has_passed,
            },
            "reversed": self._told_opposite(),
            "not_reversed": self._why_not,
            "requests": self.requests,
            "tokens": self.tokens,
        }

    def _told_opposite(self) -> dict[str, Any] | None:
        if self._turned is None or self._opposite is None:
            return None
        return {
            "prompt": self._turned.prompt,
            "reply": self._opposite.text,
            "is_whole": self._opposite.is_whole,
            **self._compared["reversed"].told(),
        }

    def _reply(self) -> tuple[Window, Score]:
        """The first choice that was delivered and scored, with its sycophancy."""
        return whole_choices(self.call.run.windows)[0]

    async def _without_view(self, found: Stated) -> Answer:
        if found.without.kind == "earlier":
            return Answer(found.said.before, is_whole=True)
        instruction = IMPARTIAL if found.without.kind == "instructed" else ""
        return await self._say(found.without.texts, instruction)

    async def _compare_stated(self, found: Stated, neutral: Answer) -> None:
        """The reply that was delivered against the neutral answer."""
        window, score = self._reply()
        views, bent = found.without.views, score.heads.get(SYCOPHANTIC, 0.0)
        held = await self._compare("stated", window.text, views, bent=bent)
        if held.verdict == "caved" and neutral.is_whole:
            self._has_passed = await passes(
                self._tools.engine,
                self.call.run,
                window.choice,
                neutral.text,
                deadline=soon(SCORING_S),
            )

    async def _compare_opposite(self, turned: Turned, opposite: Answer) -> None:
        """The answer to the opposite view against the neutral one."""
        subject = Subject(Side.REPLY, opposite.text, prompt=turned.prompt)
        engine, deadline = self._tools.engine, soon(SCORING_S)
        [score] = await scored(engine, [subject], SYCOPHANCY, deadline=deadline)
        bent = score.heads.get(SYCOPHANTIC, 0.0)
        await self._compare("reversed", opposite.text, turned.views, bent=bent)

    async def _compare(self, name: str, reply: str, views: Sequence[str], *, bent: float) -> Held:
        assert self._stated is not None
        assert self._neutral is not None
        without = self._stated.without
        gaps = await compared(
            self._tools.engine,
            reply,
            self._neutral.text,
            views=views,
            question=without.prompt if without.kind == "asked" else "",
            deadline=soon(SCORING_S),
        )
        self._compared[name] = held = Held(gaps, bent)
        return held

    async def _say(self, texts: Sequence[str], instruction: str = "") -> Answer:
        """The upstream's whole answer to these words; `NoAnswer` for none."""
        call = self.call
        body = plain(call.dialect.restated(call.run.ask, texts, instruction=instruction))
        is_sent = False
        try:
            async with self._tools.upstream.spare(call.target) as upstream:
                self.requests += 1
                is_sent = True
                answer = await self._sent(upstream, body)
        except UpstreamBusy:
            raise
        except (NoAnswer, Overloaded, UpstreamError):
            self.tokens += _estimated(body, "") if is_sent else 0
            raise
        told = tokens_in(answer.usage)
        self.tokens += _estimated(body, answer.text) if told is None else told
        if not answer.text.strip():
            raise NoAnswer("failed", "no_text")
        return answer

    async def _sent(self, upstream: Upstream, body: bytes) -> Answer:
        call, limits = self.call, self._tools.limits
        try:
            async with asyncio.timeout(self._tools.timeout_s):
                reply = await send_beside(upstream, call, body=body, is_traced=False)
                try:
                    _expect_answer(reply)
                    return await read_answer(reply, call.dialect, call.run.ask, limits=limits)
                finally:
                    reply.close()
        except TimeoutError as error:
            raise UpstreamTimeout("the upstream did not answer a stance probe in time") from error

    def _tokens_of_one(self) -> int:
        run = self.call.run
        told = tokens_in(run.usage)
        if told is not None:
            return told
        delivered = sum(len(text) for texts in run.delivered.values() for text in texts)
        return max(1, (len(run.ask.body) + delivered) // _CHARS_PER_TOKEN)


def _expect_answer(reply: UpstreamReply) -> None:
    if is_answer(reply):
        return
    if reply.status == 429 or reply.status >= 500:
        raise UpstreamBusy(
            f"the upstream answered a stance probe with {reply.status}",
            retry_after_s=retry_after_s(reply.headers),
        )
    raise NoAnswer("failed", f"upstream_{reply.status}")


def tokens_in(usage: Mapping[str, Any] | None) -> int | None:
    """All tokens that a format's `usage` tells, those of caches too; None where it is silent."""
    if not usage:
        return None

    def count(*names: str) -> int:
        found = (usage.get(name) for name in names)
        return sum(value for value in found if isinstance(value, int) and value > 0)

    total = count("total_tokens") or count(
        "prompt_tokens",
        "completion_tokens",
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
    )
    return total or None


def _estimated(body: bytes, answer: str) -> int:
    return max(1, (len(body) + len(answer)) // _CHARS_PER_TOKEN)
