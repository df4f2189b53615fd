"""What one exchange is given: the request ready to go, and the seams to the outside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Protocol

from service.dialects.base import Dialect
from service.exchange import Verdict
from service.recorder import Run
from service.tracing import BESIDE
from service.upstream import Headers, Target, Upstream, UpstreamReply
from service.veto import WindowLimits

JSON_HEADERS: Headers = (("content-type", "application/json"),)
SSE_HEADERS: Headers = (("content-type", "text/event-stream; charset=utf-8"),)


class Client(Protocol):
    """Where the answer goes."""

    has_started: bool

    async def start(self, status: int, headers: Headers) -> None:
        """Sends the head."""
        ...

    async def send(self, data: bytes) -> None:
        """Sends some of the body."""
        ...

    async def finish(self) -> None:
        """Ends the body."""
        ...

    async def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Sends a whole answer at once."""
        ...


class Meter(Protocol):
    """Whoever counts what exchanges do."""

    def exchange(self, policy: str, model: str | None, *, verdict: str, status: str) -> None:
        """An exchange has ended, with the hardest verdict on its texts and its recorded status."""
        ...

    def served(self, model: str | None) -> None:
        """An upstream began a reply of the model."""
        ...

    def held(self, seconds: float) -> None:
        """Streamed text waited so long."""
        ...

    def upstream(self, route: str, model: str | None, seconds: float) -> None:
        """An upstream had answered, its last byte included."""
        ...

    def first_token(self, route: str, model: str | None, seconds: float) -> None:
        """An upstream's first token came."""
        ...

    def overhead(self, route: str, stage: str, seconds: float) -> None:
        """The proxy itself took time at a stage of an exchange."""
        ...

    def unread(self, route: str, kind: str) -> None:
        """A reply had something that no scorer can read."""
        ...

    def regenerated(self, policy: str, outcome: str) -> None:
        """A reply that was asked for again came to this."""
        ...

    def twin(self, policy: str, mode: str, outcome: str) -> None:
        """What came of a reply's twin, asked for `inline` or `sampled`."""
        ...


class Answer(Protocol):
    """What takes one reply of the upstream to its end."""

    async def drive(self, prompt: asyncio.Task[Verdict] | None) -> bool:
        """Delivers the reply, or its veto; False where it was set aside to be asked for again.

        Nothing of a reply that is set aside has reached the client, and its call has ended.
        """
        ...

    async def give_up(self) -> None:
        """Delivers a reply that was set aside after all: what was vetoed in it is replaced."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """One request, ready to go: what is known of it, where it goes, and with which headers.

    `path` is set where it is not the dialect's for the route.
    """

    run: Run
    dialect: Dialect
    target: Target
    headers: Headers
    query: str = ""
    method: str = "POST"
    path: str | None = None


@dataclass(frozen=True, slots=True)
class FlowLimits:
    """Bounds of a reply, and how long a vetoed stream's usage is waited for."""

    reply_bytes: int = 64 * 1024 * 1024
    event_bytes: int = 16 * 1024 * 1024
    windows: WindowLimits = field(default_factory=WindowLimits)
    usage_wait_s: float = 2.0


async def send(upstream: Upstream, call: Call, *, body: bytes | None = None) -> UpstreamReply:
    """Sends the call's request to its target, or another body in the request's place."""
    reply = await send_beside(upstream, call, body=body, number=call.run.asked)
    call.run.upstream = reply.upstream
    return reply


async def send_beside(
    upstream: Upstream,
    call: Call,
    *,
    body: bytes | None = None,
    number: int = BESIDE,
    is_traced: bool = True,
) -> UpstreamReply:
    """The same for a reply that the client does not get.

    A changed request is another one: it goes without the client's `idempotency-key`.
    """
    ask, headers = call.run.ask, call.headers
    trace = call.run.trace if is_traced else None
    if body is not None:
        headers = [(k, v) for k, v in headers if k.lower() != "idempotency-key"]

    def sent(headers: Headers) -> Awaitable[UpstreamReply]:
        return upstream.send(
            call.target,
            call.path or call.dialect.upstream_paths[ask.route],
            method=call.method,
            headers=headers,
            body=(ask.body or None) if body is None else body,
            query=call.query,
        )

    if trace is None:
        return await sent(headers)
    return await trace.call(sent, call.target, headers, number=number)


def is_answer(reply: UpstreamReply) -> bool:
    """Whether an upstream answered with a reply, not with an error of its own."""
    return 200 <= reply.status < 300


def head(run: Run, headers: Headers) -> Headers:
    """An answer's headers: the upstream's, and ours; sets the overhead as of now."""
    timings = run.timings
    timings.total_s = time.monotonic() - timings.started
    upstream_s = timings.upstream_s or timings.first_token_s or timings.upstream_head_s
    timings.overhead_s = max(0.0, timings.total_s - timings.set_aside_s - upstream_s)
    own = [
        ("x-fairlead-id", run.id),
        ("x-fairlead-verdict", run.outcome.value),
        ("x-fairlead-overhead-ms", f"{timings.overhead_s * 1000:.3f}"),
    ]
    if run.asked > 1:
        own.append(("x-fairlead-attempts", str(run.asked)))
    return [*headers, *own]
