"""One exchange, from a parsed request to a durable record: the file to read first.

`Flow.run` sends the request upstream while the prompt is scored, has the reply
scored, renders the verdict through the dialect, records, and answers the client.
Streams are driven by `streaming.py` over the decisions of `veto.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from scorers.types import Side
from service.call import JSON_HEADERS, SSE_HEADERS, Call, Client, FlowLimits, Meter, head
from service.dialects.base import VetoNote
from service.enforce import is_annotated, is_enforced, stop_prompt
from service.errors import (
    FairleadError,
    PromptVetoed,
    ReplyVetoed,
    UpstreamCut,
    UpstreamError,
    UpstreamMalformed,
)
from service.exchange import CONTENT, Choice, Reply, Status, Verdict
from service.judge import Judge
from service.middleware import error_headers
from service.recorder import Recorder, Run
from service.streaming import StreamDriver, StreamTools
from service.upstream import Upstream, UpstreamReply
from service.veto import Window, group_of

T = TypeVar("T")


class Flow:
    """Runs exchanges. One for the whole service; an exchange's own state is its `Run`."""

    def __init__(
        self,
        *,
        judge: Judge,
        upstream: Upstream,
        recorder: Recorder,
        meter: Meter,
        limits: FlowLimits | None = None,
    ) -> None:
        self.judge = judge
        self.upstream = upstream
        self.recorder = recorder
        self.meter = meter
        self.limits = limits or FlowLimits()

    async def run(self, call: Call, client: Client) -> None:
        """Runs one exchange to its end; every end is recorded once.

        A cancelled task is a client that has gone: what it got is recorded.
        """
        run = call.run
        prompt = self._start_prompt(call)
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
            self._finish(run)

    async def _exchange(
        self, call: Call, client: Client, prompt: asyncio.Task[Verdict] | None
    ) -> None:
        if prompt is not None and call.run.policy.prompt_scoring == "before":
            await self._heed(call, prompt)
        began = time.monotonic()
        reply = await self._racing(call, prompt, self._send(call))
        call.run.timings.upstream_head_s = time.monotonic() - began
        try:
            await self._take(call, client, prompt, reply, began=began)
        finally:
            reply.close()

    async def _take(
        self,
        call: Call,
        client: Client,
        prompt: asyncio.Task[Verdict] | None,
        reply: UpstreamReply,
        *,
        began: float,
    ) -> None:
        is_reply = 200 <= reply.status < 300
        if is_reply and reply.content_type == "text/event-stream":
            tools = StreamTools(self.judge, self.recorder, self.meter, self.limits)
            await StreamDriver(tools, call, client, reply, began=began).drive(prompt)
            return
        body = await self._racing(call, prompt, reply.read(self.limits.reply_bytes))
        call.run.timings.upstream_s = time.monotonic() - began
        if is_reply:
            await self._plain(call, client, prompt, reply, body)
        else:
            await self._pass_error(call, client, prompt, reply, body)

    async def _plain(
        self,
        call: Call,
        client: Client,
        prompt: asyncio.Task[Verdict] | None,
        reply: UpstreamReply,
        body: bytes,
    ) -> None:
        run = call.run
        parsed = self._parse(call, body)
        if parsed is not None:
            run.take_reply(parsed)
            await self._judge_reply(call, parsed)
        if prompt is not None:
            await self._heed(call, prompt)
        if parsed is not None:
            body = self._render(call, parsed, body)
        run.http_status = reply.status
        await self.recorder.keep(run)
        await client.reply(reply.status, head(run, reply.headers), body)

    def _parse(self, call: Call, body: bytes) -> Reply | None:
        """The reply; one that cannot be read passes only where nothing may be changed."""
        try:
            return call.dialect.reply(body)
        except UpstreamMalformed:
            if call.run.policy.mode == "enforce":
                raise
            call.run.error_code = UpstreamMalformed.code
            return None

    async def _judge_reply(self, call: Call, reply: Reply) -> None:
        run = call.run
        if not run.policy.scorers(Side.REPLY):
            return
        windows = [
            Window(choice.index, group, text, 0, len(text), _logprobs(choice, group))
            for choice in reply.choices
            for group, text in _texts(choice.channels).items()
        ]
        began = time.monotonic()
        verdicts = await asyncio.gather(
            *(self.judge.window(window, run.ask, run.policy) for window in windows)
        )
        run.windows += zip(windows, verdicts, strict=True)
        run.timings.score_s += time.monotonic() - began

    def _render(self, call: Call, reply: Reply, body: bytes) -> bytes:
        """What the client gets: the bytes as they came, or the veto in the dialect's shape."""
        run = call.run
        for choice in reply.choices:
            vetoes = [v for w, v in run.windows if w.choice == choice.index and v.is_veto]
            enforced = [is_enforced(run, verdict) for verdict in vetoes]
            if any(enforced):
                run.vetoed.add(choice.index)
                run.deliver(choice.index, run.policy.refusal)
                run.delivered_finishes[choice.index] = "content_filter"
            else:
                run.deliver(choice.index, choice.channels.get(CONTENT, ""))
                run.delivered_finishes[choice.index] = choice.finish_reason
        if run.vetoed:
            run.status = Status.VETOED
            note = VetoNote(run.policy.refusal, run.fairlead())
            notes = dict.fromkeys(run.vetoed, note)
            return call.dialect.vetoed(reply, notes, note.fairlead)
        if is_annotated(run):
            return call.dialect.annotated(reply, run.fairlead())
        return body

    async def _pass_error(
        self,
        call: Call,
        client: Client,
        prompt: asyncio.Task[Verdict] | None,
        reply: UpstreamReply,
        body: bytes,
    ) -> None:
        """An upstream's own error goes to the client as it is."""
        run = call.run
        if prompt is not None:
            await self._heed(call, prompt)
        run.status, run.http_status = Status.UPSTREAM_ERROR, reply.status
        run.error_code = f"upstream_{reply.status}"
        await self.recorder.keep(run)
        await client.reply(reply.status, head(run, reply.headers), body)

    def _start_prompt(self, call: Call) -> asyncio.Task[Verdict] | None:
        policy = call.run.policy
        if not policy.scorers(Side.PROMPT) or not call.run.ask.prompt:
            return None
        return asyncio.create_task(self._score_prompt(call), name="fairlead-prompt")

    async def _score_prompt(self, call: Call) -> Verdict:
        run = call.run
        began = time.monotonic()
        run.prompt = await self.judge.prompt(run.ask, run.policy)
        run.timings.prompt_s = time.monotonic() - began
        return run.prompt

    async def _send(self, call: Call) -> UpstreamReply:
        ask = call.run.ask
        reply = await self.upstream.send(
            call.target,
            call.dialect.upstream_paths[ask.route],
            method="POST",
            headers=call.headers,
            body=ask.body,
            query=call.query,
        )
        call.run.upstream = reply.upstream
        return reply

    async def _racing(
        self, call: Call, prompt: asyncio.Task[Verdict] | None, work: Coroutine[Any, Any, T]
    ) -> T:
        """Does the work, unless the prompt is vetoed meanwhile: then the work is cancelled."""
        if prompt is None or not call.run.policy.has_veto(Side.PROMPT):
            return await work
        task = asyncio.create_task(work)
        try:
            await asyncio.wait({task, prompt}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                await self._heed(call, prompt)
            return await task
        except BaseException:
            await _abandon(task)
            raise

    async def _heed(self, call: Call, prompt: asyncio.Task[Verdict]) -> None:
        """Waits for the prompt's verdict and raises where it stops the exchange."""
        stop_prompt(call.run, await asyncio.shield(prompt))

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
        run.deliver(0, run.policy.refusal)
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
        if timings.upstream_s:
            self.meter.upstream(route, model, timings.upstream_s)
        if timings.first_token_s is not None:
            self.meter.first_token(route, model, timings.first_token_s)
        self.meter.overhead(route, "total", timings.overhead_s)
        self.meter.overhead(route, "parse", timings.parse_s)
        self.meter.overhead(route, "score", timings.score_s)
        self.meter.overhead(route, "record", timings.record_s)


def _texts(channels: Mapping[str, str]) -> dict[str, str]:
    """The texts of a choice by group, as the stream veto would join them."""
    texts: dict[str, str] = {}
    for channel, text in channels.items():
        if text:
            group = group_of(channel)
            texts[group] = f"{texts[group]}\n{text}" if group in texts else text
    return texts


def _logprobs(choice: Choice, group: str) -> tuple[float, ...]:
    return choice.logprobs if group == CONTENT else ()


def _status_of(error: FairleadError) -> Status:
    if isinstance(error, PromptVetoed):
        return Status.PROMPT_VETOED
    if isinstance(error, ReplyVetoed):
        return Status.VETOED
    if isinstance(error, UpstreamCut):
        return Status.UPSTREAM_CUT
    return Status.UPSTREAM_ERROR if isinstance(error, UpstreamError) else Status.FAILED


async def _abandon(task: asyncio.Task[Any]) -> None:
    """Cancels a task and closes what it may have brought."""
    task.cancel()
    with suppress(asyncio.CancelledError, FairleadError):
        brought = await task
        if hasattr(brought, "close"):
            brought.close()
