"""Asks the upstream again for a reply that was vetoed before the client saw any of it."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from service.call import Answer, Call, Client, Meter, is_answer, send
from service.errors import (
    FairleadError,
    NoNewReply,
    Overloaded,
    PromptVetoed,
    ReplyVetoed,
    ScorerUnavailable,
    UpstreamError,
    UpstreamMalformed,
)
from service.exchange import Status
from service.plain import in_time
from service.prompt import PromptTask, heed
from service.upstream import Upstream, UpstreamReply

_NO_REPLY = (UpstreamError, Overloaded, ScorerUnavailable)
"""What leaves the vetoed reply to be replaced: no other came, or none that was scored."""

_OUTCOMES = {Status.COMPLETED: "accepted", Status.VETOED: "vetoed"}


class AnswerMaker(Protocol):
    """Whoever knows what drives a reply; the deadline is a time of `time.monotonic()`."""

    def __call__(
        self, call: Call, client: Client, reply: UpstreamReply, *, began: float, deadline: float
    ) -> Answer:
        """What drives this reply."""
        ...


class Regeneration:
    """Replies in the place of vetoed ones, one after the other.

    A new reply is judged like a first one and sent as it is. As soon as one fails to come, or
    the policy's deadline is over, the last one that was vetoed is replaced.
    """

    def __init__(self, upstream: Upstream, meter: Meter, answer: AnswerMaker) -> None:
        self._upstream = upstream
        self._meter = meter
        self._answer = answer

    async def run(self, call: Call, client: Client, prompt: PromptTask, *, refused: Answer) -> None:
        """Asks until a reply is delivered; `refused` was set aside."""
        run = call.run
        deadline = time.monotonic() + run.policy.regeneration_s
        try:
            await heed(run, prompt)
        except PromptVetoed:
            if not client.has_started:
                raise
            await refused.give_up()
            return
        body = call.dialect.instructed(run.ask, run.policy.instruction)
        if body is None:
            await refused.give_up()
            return
        while (following := await self._attempt(call, client, body, refused, deadline)) is not None:
            refused = following

    async def _attempt(
        self, call: Call, client: Client, body: bytes, refused: Answer, deadline: float
    ) -> Answer | None:
        """Asks once more; the reply where it was set aside too, None where all is delivered."""
        run = call.run
        self._end_call(call, run.timings.upstream_s)
        run.set_aside()
        began = time.monotonic()
        outcome = "failed"
        try:
            answer = await self._driven(call, client, body, deadline=deadline)
            outcome = "vetoed" if answer is not None else _OUTCOMES.get(run.status, "failed")
        except asyncio.CancelledError:
            outcome = "client_gone"
            raise
        except _NO_REPLY as error:
            outcome = "late" if isinstance(error, NoNewReply) else "failed"
            self._end_call(call, time.monotonic() - began)
            run.take_back(error.code)
            await refused.give_up()
            return None
        except FairleadError as error:
            outcome = "vetoed" if isinstance(error, ReplyVetoed) else "failed"
            raise
        finally:
            self._meter.regenerated(run.policy.name, outcome)
        return answer

    async def _driven(
        self, call: Call, client: Client, body: bytes, *, deadline: float
    ) -> Answer | None:
        began = time.monotonic()
        async with in_time(deadline):
            reply = await send(self._upstream, call, body=body)
        call.run.timings.upstream_head_s = time.monotonic() - began
        try:
            if not is_answer(reply):
                raise UpstreamError(f"the upstream answered {reply.status} when asked again")
            if client.has_started and reply.content_type != "text/event-stream":
                raise UpstreamMalformed("the upstream answered a stream with a plain reply")
            answer = self._answer(call, client, reply, began=began, deadline=deadline)
            return None if await answer.drive(None) else answer
        finally:
            reply.close()

    def _end_call(self, call: Call, seconds: float) -> None:
        """Counts a call to the upstream whose reply is not the one at hand any more."""
        ask, timings = call.run.ask, call.run.timings
        self._meter.upstream(ask.route, ask.model, seconds)
        timings.set_aside_s += seconds
        timings.upstream_s = timings.upstream_head_s = 0.0
        timings.first_token_s = None
