"""Drives one streamed reply: carries events to `veto.py` and its commands to the world."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from scorers.types import Side
from service.call import Call, Client, FlowLimits, Meter, head
from service.dialects.base import VetoNote
from service.enforce import asks_again, is_annotated, is_enforced, stop_prompt
from service.errors import (
    FairleadError,
    NoNewReply,
    PromptVetoed,
    UpstreamCut,
    UpstreamError,
    UpstreamMalformed,
)
from service.exchange import CONTENT, Event, Status, Verdict
from service.judge import Judge
from service.recorder import Recorder
from service.sse import RawEvent, Splitter
from service.upstream import UpstreamReply
from service.veto import (
    CloseUpstream,
    Command,
    End,
    Record,
    Refuse,
    Release,
    Score,
    StreamVeto,
    Window,
)

AHEAD_CHUNKS = 64
"""How many chunks may wait before the upstream is no longer read."""

AFTER_DONE_S = 0.1
"""How long an upstream that said `[DONE]` has to end its body, so that its connection is kept."""


_BLANK_LINES = (b"\n\n", b"\n\r\n", b"\r\r", b"\n\r")
"""What an event ends with, unless the upstream left it open."""


@dataclass(frozen=True, slots=True)
class StreamTools:
    """What a driver works with; the same for every stream."""

    judge: Judge
    recorder: Recorder
    meter: Meter
    limits: FlowLimits


class StreamDriver:
    """One streamed reply. What happens comes through one inbox, in order.

    `deadline` is set where the reply is to take a vetoed one's place: until its first event has
    left, whatever goes wrong with it is raised, so that the vetoed one can be replaced.
    """

    def __init__(
        self,
        tools: StreamTools,
        call: Call,
        client: Client,
        reply: UpstreamReply,
        *,
        began: float,
        deadline: float | None = None,
    ) -> None:
        self._tools = tools
        self._call = call
        self._run = call.run
        self._client = client
        self._reply = reply
        self._began = began
        self._dialect = call.dialect.stream(call.run.ask)
        self._splitter = Splitter(tools.limits.event_bytes)
        self._inbox: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self._ahead = asyncio.Semaphore(AHEAD_CHUNKS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._out: list[bytes] = []
        self._size_bytes = 0
        self._is_torn = False
        self._has_annotated = False
        self._has_recorded = False
        self._deadline = deadline
        self._has_spoken = False
        self._is_set_aside = False
        self._openings = None if call.run.twin is None else call.run.twin.listen()
        policy = call.run.policy
        self._veto = StreamVeto(
            choices=call.run.ask.n,
            limits=tools.limits.windows,
            is_holding=policy.streaming == "hold",
            is_enforcing=policy.mode == "enforce",
            is_scoring=bool(policy.scorers(Side.REPLY)),
            wants_usage=call.run.ask.wants_usage,
        )

    async def drive(self, prompt: asyncio.Task[Verdict] | None) -> bool:
        """Runs the stream to its end, or until it is set aside (False)."""
        if prompt is not None:
            self._await_prompt(prompt)
        reader = self._spawn(self._read())
        timer = self._start_timer()
        try:
            while not self._veto.is_over and not self._is_set_aside:
                await self._carry_out(await self._next())
            if self._veto.has_done and not self._is_set_aside:
                await asyncio.wait({reader}, timeout=AFTER_DONE_S)
        finally:
            for task in self._tasks:
                task.cancel()
            if timer is not None:
                timer.cancel()
            self._run.messages.update(self._dialect.messages())
        return not self._is_set_aside

    async def give_up(self) -> None:
        """Refuses every choice of a stream that was set aside: none of them has its rest."""
        await self._carry_out(self._veto.withdrawn())

    def _start_timer(self) -> asyncio.TimerHandle | None:
        if self._deadline is None:
            return None
        wait_s = max(0.0, self._deadline - time.monotonic())
        return asyncio.get_running_loop().call_later(wait_s, self._inbox.put_nowait, ("late",))

    @property
    def _can_fall_back(self) -> bool:
        """Whether a vetoed reply waits to be replaced, and nothing of this one has left."""
        return self._deadline is not None and not self._has_spoken

    def _await_prompt(self, prompt: asyncio.Task[Verdict]) -> None:
        policy = self._run.policy
        is_gating = policy.mode == "enforce" and policy.has_veto(Side.PROMPT)
        self._veto.await_prompt(is_gating=is_gating)
        prompt.add_done_callback(self._prompt_done)

    def _prompt_done(self, prompt: asyncio.Task[Verdict]) -> None:
        if not prompt.cancelled():
            error = prompt.exception()
            self._inbox.put_nowait(("crash", error) if error else ("prompt", prompt.result()))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._inbox.put_nowait(("crash", error))

    async def _read(self) -> None:
        """Reads the upstream into the inbox, not further ahead than is bearable."""
        failure: FairleadError | None = None
        try:
            async for chunk in self._reply.chunks():
                await self._ahead.acquire()
                self._inbox.put_nowait(("chunk", chunk))
        except FairleadError as error:
            failure = error
        self._run.timings.upstream_s = time.monotonic() - self._began
        self._inbox.put_nowait(("end", failure))

    async def _next(self) -> list[Command]:
        """The commands that follow from whatever happens next."""
        if self._inbox.empty():
            due = self._veto.next_tick()
            wait_s = None if due is None else max(0.0, due - time.monotonic())
            try:
                async with asyncio.timeout(wait_s):
                    item = await self._inbox.get()
            except TimeoutError:
                return self._veto.tick(now=time.monotonic())
        else:
            item = self._inbox.get_nowait()
        return self._handle(item)

    def _handle(self, item: tuple[Any, ...]) -> list[Command]:
        now = time.monotonic()
        try:
            match item:
                case ("chunk", chunk):
                    self._ahead.release()
                    return self._chunk(chunk, now=now)
                case ("end", failure):
                    return self._end(failure, now=now)
                case ("scored", window, verdict):
                    return self._scored(window, verdict, now=now)
                case ("prompt", verdict):
                    return self._prompt(verdict, now=now)
                case ("late",):
                    if self._can_fall_back:
                        raise NoNewReply
                    return []
                case (_, error):
                    raise error
        except FairleadError as error:
            return self._veto.aborted(error)
        raise AssertionError("This is a bug: an inbox item is a pair")

    def _chunk(self, chunk: bytes, *, now: float) -> list[Command]:
        self._size_bytes += len(chunk)
        if self._size_bytes > self._tools.limits.reply_bytes:
            raise UpstreamMalformed(
                f"the upstream's stream is over the limit of {self._tools.limits.reply_bytes} bytes"
            )
        return self._events(self._splitter.feed(chunk), now=now)

    def _events(self, raws: Sequence[RawEvent], *, now: float) -> list[Command]:
        commands: list[Command] = []
        for raw in raws:
            if self._veto.has_ended:
                break
            try:
                event = self._dialect.read(raw.raw, raw.data)
            except FairleadError as error:
                # What came before it in the same chunk still holds.
                return [*commands, *self._veto.aborted(error)]
            self._note(event, now=now)
            if event.error is not None and self._can_fall_back:
                told = UpstreamError("the upstream sent an error in the place of a reply")
                return [*commands, *self._veto.aborted(told)]
            commands += self._veto.arrived(event, now=now)
        return commands

    def _note(self, event: Event, *, now: float) -> None:
        run = self._run
        if self._openings is not None:
            self._openings.hear(event)
        if event.deltas and run.timings.first_token_s is None:
            run.timings.first_token_s = now - self._began
        run.usage = event.usage or run.usage
        named = event.head or event.body
        if named is not None and run.reply_id is None:
            # Some upstreams open with an event whose id and model are empty.
            run.reply_id = _text_or_none(named.get("id"))
            run.reply_model = _text_or_none(named.get("model"))
        for index, reason in event.finished:
            run.finishes[index] = reason
        if event.error is not None:
            run.status, run.error_code = Status.UPSTREAM_ERROR, "upstream_error"

    def _end(self, failure: FairleadError | None, *, now: float) -> list[Command]:
        commands: list[Command] = []
        if failure is None:
            rest = self._splitter.close()
            whole = [raw for raw in rest if raw.is_complete or self._is_readable(raw)]
            commands += self._events(whole, now=now)
            failure = self._cut(has_rest=len(whole) < len(rest))
        if self._openings is not None:
            self._openings.end()
        return [*commands, *self._veto.ended(now=now, failure=failure)]

    def _is_readable(self, raw: RawEvent) -> bool:
        """Whether what stood at the end without its blank line is an event all the same."""
        if raw.data is None:
            return True
        try:
            self._call.dialect.stream(self._run.ask).read(raw.raw, raw.data)
        except UpstreamMalformed:
            return False
        return True

    def _cut(self, *, has_rest: bool) -> FairleadError | None:
        """The failure of a stream that ended before its choices did."""
        is_finished = self._veto.has_done or len(self._run.finishes) >= self._run.ask.n
        if is_finished and not has_rest:
            return None
        return UpstreamCut("the upstream ended in the middle of its reply")

    def _scored(self, window: Window, verdict: Verdict, *, now: float) -> list[Command]:
        run = self._run
        run.windows.append((window, verdict))
        if verdict.is_veto and not self._has_spoken and asks_again(run, deadline=self._deadline):
            self._set_aside(now=now)
            return []
        return self._veto.scored(window, is_veto=is_enforced(run, verdict), now=now)

    def _set_aside(self, *, now: float) -> None:
        """Ends the upstream's call, so that it has a free place for the next one."""
        self._is_set_aside = True
        self._reply.close()
        self._run.timings.upstream_s = self._run.timings.upstream_s or now - self._began

    def _prompt(self, verdict: Verdict, *, now: float) -> list[Command]:
        is_veto = False
        try:
            stop_prompt(self._run, verdict)
        except PromptVetoed:
            if not self._client.has_started:
                raise
            is_veto = True
        return self._veto.prompt_settled(is_veto=is_veto, now=now)

    async def _score(self, window: Window) -> None:
        began = time.monotonic()
        run = self._run
        verdict = await self._tools.judge.window(window, run.ask, run.policy, twin=run.twin)
        self._run.timings.score_s += time.monotonic() - began
        self._inbox.put_nowait(("scored", window, verdict))

    async def _carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Score(window):
                    self._spawn(self._score(window))
                case Release():
                    self._release(command)
                case Refuse(choice, has_begun):
                    self._refuse(choice, has_begun=has_begun)
                case CloseUpstream(is_draining):
                    self._close_upstream(is_draining=is_draining)
                case Record():
                    await self._flush()
                    await self._record()
                case End(failure, needs_done):
                    await self._finish(failure, needs_done=needs_done)
        await self._flush()

    def _release(self, command: Release) -> None:
        event = command.event
        vetoed = command.without
        if event.is_last or event.is_done:
            self._annotate()
        # Comments are no part of a reply.
        self._has_spoken = self._has_spoken or event.body is not None or event.is_done
        data = self._dialect.without(event, vetoed) if vetoed else event.raw
        self._out.append(data)
        if data == event.raw:
            self._dialect.sent(event)
        self._is_torn = bool(data) and not data.endswith(_BLANK_LINES)
        if not self._has_recorded:
            self._deliver(event, vetoed)
        if event.deltas:
            self._tools.meter.held(time.monotonic() - command.since)

    def _deliver(self, event: Event, vetoed: frozenset[int]) -> None:
        """Notes for the record what this event brings to the client."""
        for delta in event.deltas:
            if delta.choice not in vetoed and delta.channel == CONTENT:
                self._run.deliver(delta.choice, delta.text)
        for index, reason in event.finished:
            if index not in vetoed:
                self._run.delivered_finishes[index] = reason

    def _refuse(self, choice: int, *, has_begun: bool) -> None:
        run = self._run
        self._has_spoken = True
        note = VetoNote(run.policy.refusal, run.fairlead())
        self._add(self._dialect.refusal(choice, note, has_begun=has_begun))

    def _add(self, data: bytes) -> None:
        """Adds events of our own; one that the upstream left open is ended first."""
        if self._is_torn:
            self._out.append(b"\n\n")
            self._is_torn = False
        self._out.append(data)

    def _close_upstream(self, *, is_draining: bool) -> None:
        if is_draining:
            wait_s = self._tools.limits.usage_wait_s
            asyncio.get_running_loop().call_later(wait_s, self._inbox.put_nowait, ("end", None))
        else:
            self._reply.close()

    async def _record(self) -> None:
        """Keeps the record, then lets the veto give out the end."""
        run = self._run
        run.messages.update(self._dialect.messages())
        for choice in self._veto.vetoed:
            run.vetoed.add(choice)
            run.status = Status.VETOED
            run.deliver(choice, run.policy.refusal)
            run.delivered_finishes[choice] = self._call.dialect.veto_finish
        failure = self._veto.failure
        if failure is not None and (self._can_fall_back or not self._client.has_started):
            raise failure
        for event, vetoed in self._veto.tail():
            self._deliver(event, vetoed)
        self._has_recorded = True
        if failure is not None:
            run.status, run.error_code = _status(failure), failure.code
        try:
            await self._tools.recorder.keep(run)
        except FairleadError as error:
            if not self._client.has_started:
                raise
            self._veto.dropped(error)
        await self._carry_out(self._veto.recorded())

    async def _finish(self, failure: FairleadError | None, *, needs_done: bool) -> None:
        if failure is None:
            self._annotate()
        if failure is not None:
            self._add(self._dialect.failure(failure))
        elif needs_done:
            self._add(self._dialect.done())
        elif self._veto.vetoed:
            self._add(b"")
        await self._flush()
        if not self._client.has_started:
            await self._start()
        await self._client.finish()

    def _annotate(self) -> None:
        """Tells of what was vetoed and let pass, once, before the stream's last event."""
        if not self._has_annotated and is_annotated(self._run):
            self._has_annotated = True
            self._add(self._dialect.annotation(VetoNote("", self._run.fairlead())))

    async def _flush(self) -> None:
        if not self._out:
            return
        data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        if data:
            if not self._client.has_started:
                await self._start()
            await self._client.send(data)

    async def _start(self) -> None:
        run = self._run
        run.timings.first_release_s = time.monotonic() - run.timings.started
        await self._client.start(self._reply.status, head(run, self._reply.headers))


def _status(failure: FairleadError) -> Status:
    return Status.UPSTREAM_CUT if isinstance(failure, UpstreamCut) else Status.FAILED


def _text_or_none(value: Any) -> str | None:
    return value if value and isinstance(value, str) else None
