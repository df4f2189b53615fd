"""One exchange, from a parsed request to a durable record: the file to read first.

`Flow.run` sends the request upstream while the prompt is scored, has the reply
scored, renders the verdict through the dialect, records, and answers the client.
`plain.py` takes a plain reply to its end; `streaming.py` a stream, over the decisions
of `veto.py`; `regenerate.py` asks again for one that was vetoed; `twin.py` asks the same
beside it without the user's view, and `watch/stance_probe.py` behind it.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Protocol

from scorers.types import Side
from service.attachments import unread
from service.call import (
    JSON_HEADERS,
    SSE_HEADERS,
    Answer,
    Call,
    Client,
    FlowLimits,
    Meter,
    head,
    is_answer,
    send,
)
from service.dialects.base import VetoNote
from service.errors import FairleadError, PromptVetoed, ReplyVetoed, UpstreamCut, UpstreamError
from service.exchange import Status
from service.judge import Judge
from service.middleware import error_headers
from service.plain import PlainAnswer
from service.prompt import PromptTask, heed, race, start
from service.recorder import Recorder, Run
from service.regenerate import Regeneration
from service.streaming import StreamDriver, StreamTools
from service.tracing import Tracing
from service.twin import Twins
from service.upstream import Upstream, UpstreamReply


class Probing(Protocol):
    """Whoever may ask the upstream again behind an exchange; `watch.stance_probe` does."""

    def offer(self, call: Call) -> None:
        """An exchange has ended."""
        ...


class Flow:
    """Runs exchanges. One for the whole service; an exchange's own state is its `Run`."""

    def __init__(
        self,
        *,
        judge: Judge,
        upstream: Upstream,
        recorder: Recorder,
        meter: Meter,
        twins: Twins,
        limits: FlowLimits | None = None,
        tracing: Tracing | None = None,
        probe: Probing | None = None,
    ) -> None:
        self.judge = judge
        self.upstream = upstream
        self.recorder = recorder
        self.meter = meter
        self.twins = twins
        self.limits = limits or FlowLimits()
        self.tracing = tracing
        self.probe = probe

    async def run(self, call: Call, client: Client) -> None:
        """Runs one exchange to its end; every end is recorded once.

        A cancelled task is a client that has gone: what it got is recorded.
        """
        run = call.run
        if self.tracing is not None:
            run.trace = self.tracing.begin(call)
        prompt = start(self.judge, run)
        run.twin = self.twins.start(call, prompt)
        try:
            await self._exchange(call, client, prompt)
        except asyncio.CancelledError:
            run.status, run.error_code = Status.CLIENT_GONE, "client_gone"
            await self._keep_quietly(run)
            raise
        except FairleadError as error:
            await self._fail(call, client, error)
        finally:
            if prompt is not None:
                prompt.cancel()
            self.twins.end(call)
            if self.probe is not None:
                self.probe.offer(call)
            self._finish(run)
            if run.trace is not None:
                run.trace.end(run)

    async def _exchange(self, call: Call, client: Client, prompt: PromptTask) -> None:
        if call.run.policy.prompt_scoring == "before":
            await heed(call.run, prompt)
        began = time.monotonic()
        reply = await race(call.run, prompt, send(self.upstream, call))
        call.run.timings.upstream_head_s = time.monotonic() - began
        try:
            await self._take(call, client, prompt, reply, began=began)
        finally:
            reply.close()

    async def _take(
        self,
        call: Call,
        client: Client,
        prompt: PromptTask,
        reply: UpstreamReply,
        *,
        began: float,
    ) -> None:
        if not is_answer(reply):
            body = await race(call.run, prompt, reply.read(self.limits.reply_bytes))
            call.run.timings.upstream_s = time.monotonic() - began
            await self._pass_error(call, client, prompt, reply, body)
            return
        self.meter.served(call.run.ask.model)
        answer = self._answer(call, client, reply, began=began)
        try:
            is_done = await answer.drive(prompt)
        except UpstreamError:
            if not client.has_started:
                await heed(call.run, prompt)  # a vetoed prompt is told before a broken reply
            raise
        if not is_done:
            again = Regeneration(self.upstream, self.meter, self._answer)
            await again.run(call, client, prompt, refused=answer)

    def _answer(
        self,
        call: Call,
        client: Client,
        reply: UpstreamReply,
        *,
        began: float,
        deadline: float | None = None,
    ) -> Answer:
        """What drives a reply, plain or streamed, to its end."""
        if reply.content_type == "text/event-stream":
            tools = StreamTools(self.judge, self.recorder, self.meter, self.limits)
            return StreamDriver(tools, call, client, reply, began=began, deadline=deadline)
        return PlainAnswer(
            call,
            client,
            reply,
            judge=self.judge,
            recorder=self.recorder,
            limit_bytes=self.limits.reply_bytes,
            began=began,
            deadline=deadline,
        )

    async def _pass_error(
        self,
        call: Call,
        client: Client,
        prompt: PromptTask,
        reply: UpstreamReply,
        body: bytes,
    ) -> None:
        """An upstream's own error goes to the client as it is."""
        run = call.run
        await heed(run, prompt)
        run.status, run.http_status = Status.UPSTREAM_ERROR, reply.status
        run.error_code = f"upstream_{reply.status}"
        await self.recorder.keep(run)
        await client.reply(reply.status, head(run, reply.headers), body)

    async def _fail(self, call: Call, client: Client, error: FairleadError) -> None:
        """Records the failure and tells the client, as far as its answer has not begun."""
        run = call.run
        run.status = _status_of(error)
        run.http_status, run.error_code = error.status, error.code
        if isinstance(error, PromptVetoed) and run.policy.prompt_as == "refusal":
            await self._refuse_prompt(call, client)
            return
        with suppress(FairleadError):
            await self.recorder.keep(run)
        if not client.has_started:
            body = call.dialect.error(error)
            headers = [*JSON_HEADERS, *error_headers(error).items()]
            await client.reply(error.status, head(run, headers), body)

    async def _refuse_prompt(self, call: Call, client: Client) -> None:
        run = call.run
        run.http_status = 200
        for choice in range(run.ask.n):
            run.deliver(choice, run.policy.refusal)
            run.delivered_finishes[choice] = call.dialect.veto_finish
        note = VetoNote(run.policy.refusal, run.fairlead())
        await self.recorder.keep(run)
        if run.ask.is_stream:
            body = call.dialect.prompt_refused_stream(run.ask, note)
            await client.reply(200, head(run, SSE_HEADERS), body)
        else:
            body = call.dialect.prompt_refused(run.ask, note)
            await client.reply(200, head(run, JSON_HEADERS), body)

    async def _keep_quietly(self, run: Run) -> None:
        with suppress(FairleadError):
            await self.recorder.keep(run)

    def _finish(self, run: Run) -> None:
        route, model, timings = run.ask.route, run.ask.model, run.timings
        timings.total_s = time.monotonic() - timings.started
        self.meter.exchange(
            run.policy.name, model, verdict=run.outcome.value, status=run.status.value
        )
        if timings.upstream_s:
            self.meter.upstream(route, model, timings.upstream_s)
        if timings.first_token_s is not None:
            self.meter.first_token(route, model, timings.first_token_s)
        if run.policy.scorers(Side.REPLY):
            for kind in (kind for message in run.messages.values() for kind in unread(message)):
                self.meter.unread(route, kind)
        self.meter.overhead(route, "total", timings.overhead_s)
        self.meter.overhead(route, "parse", timings.parse_s)
        self.meter.overhead(route, "score", timings.score_s)
        self.meter.overhead(route, "record", timings.record_s)


def _status_of(error: FairleadError) -> Status:
    if isinstance(error, PromptVetoed):
        return Status.PROMPT_VETOED
    if isinstance(error, ReplyVetoed):
        return Status.VETOED
    if isinstance(error, UpstreamCut):
        return Status.UPSTREAM_CUT
    return Status.UPSTREAM_ERROR if isinstance(error, UpstreamError) else Status.FAILED
