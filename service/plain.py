"""One plain reply: read whole, judged, then delivered or set aside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from scorers.types import Side
from service.call import Call, Client, head
from service.dialects.base import VetoNote
from service.enforce import asks_again, is_annotated, is_enforced
from service.errors import NoNewReply, UpstreamMalformed
from service.exchange import CONTENT, Choice, Reply, Status
from service.judge import Judge
from service.prompt import PromptTask, heed, race
from service.recorder import Recorder
from service.upstream import UpstreamReply
from service.veto import Window, group_of


class PlainAnswer:
    """What comes of one plain reply. `deadline` is set where the reply is not the first."""

    def __init__(
        self,
        call: Call,
        client: Client,
        reply: UpstreamReply,
        *,
        judge: Judge,
        recorder: Recorder,
        limit_bytes: int,
        began: float,
        deadline: float | None = None,
    ) -> None:
        self._call = call
        self._client = client
        self._reply = reply
        self._judge = judge
        self._recorder = recorder
        self._limit_bytes = limit_bytes
        self._began = began
        self._deadline = deadline
        self._body = b""
        self._parsed: Reply | None = None

    async def drive(self, prompt: PromptTask) -> bool:
        """Delivers the reply, or its veto; False where it is to be asked for again."""
        run = self._call.run
        async with in_time(self._deadline):
            self._body = await race(run, prompt, self._reply.read(self._limit_bytes))
            run.timings.upstream_s = time.monotonic() - self._began
            self._parsed = self._parse()
            if self._parsed is not None:
                run.take_reply(self._parsed)
                await self._score(self._parsed)
        await heed(run, prompt)
        if asks_again(run, deadline=self._deadline):
            self._reply.close()
            return False
        await self.give_up()
        return True

    async def give_up(self) -> None:
        """Delivers what was read; what was vetoed in it is replaced."""
        run, body = self._call.run, self._body
        if self._parsed is not None:
            body = self._render(self._parsed)
        run.http_status = self._reply.status
        await self._recorder.keep(run)
        await self._client.reply(self._reply.status, head(run, self._reply.headers), body)

    def _parse(self) -> Reply | None:
        """The reply; one that cannot be read passes only where nothing may be changed."""
        try:
            return self._call.dialect.reply(self._body)
        except UpstreamMalformed:
            if self._call.run.policy.mode == "enforce":
                raise
            self._call.run.error_code = UpstreamMalformed.code
            return None

    async def _score(self, reply: Reply) -> None:
        run = self._call.run
        if not run.policy.scorers(Side.REPLY):
            return
        windows = [
            Window(choice.index, group, text, 0, len(text), _logprobs(choice, group))
            for choice in reply.choices
            for group, text in _texts(choice.channels).items()
        ]
        began = time.monotonic()
        verdicts = await asyncio.gather(
            *(self._judge.window(w, run.ask, run.policy, twin=run.twin) for w in windows)
        )
        run.windows += zip(windows, verdicts, strict=True)
        run.timings.score_s += time.monotonic() - began

    def _render(self, reply: Reply) -> bytes:
        """What the client gets: the bytes as they came, or the veto in the dialect's shape."""
        run = self._call.run
        for choice in reply.choices:
            vetoes = [v for w, v in run.windows if w.choice == choice.index and v.is_veto]
            enforced = [is_enforced(run, verdict) for verdict in vetoes]
            if any(enforced):
                run.vetoed.add(choice.index)
                run.deliver(choice.index, run.policy.refusal)
                run.delivered_finishes[choice.index] = self._call.dialect.veto_finish
            else:
                run.deliver(choice.index, choice.channels.get(CONTENT, ""))
                run.delivered_finishes[choice.index] = choice.finish_reason
        if run.vetoed:
            run.status = Status.VETOED
            note = VetoNote(run.policy.refusal, run.fairlead(), run.ask.params)
            notes = dict.fromkeys(run.vetoed, note)
            return self._call.dialect.vetoed(reply, notes, note.fairlead)
        if is_annotated(run):
            return self._call.dialect.annotated(reply, run.fairlead())
        return self._body


@asynccontextmanager
async def in_time(deadline: float | None) -> AsyncIterator[None]:
    """Bounds what stands in it by a time of `time.monotonic()`; past it comes `NoNewReply`."""
    wait_s = None if deadline is None else max(0.0, deadline - time.monotonic())
    try:
        async with asyncio.timeout(wait_s) as limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise NoNewReply from error


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
