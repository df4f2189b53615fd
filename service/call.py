"""What one exchange is given: the request ready to go, and the seams to the outside."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

from service.dialects.base import Dialect
from service.recorder import Run
from service.upstream import Headers, Target
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


@dataclass(frozen=True, slots=True)
class Call:
    """One request, ready to go: what is known of it, where it goes, and with which headers."""

    run: Run
    dialect: Dialect
    target: Target
    headers: Headers
    query: str = ""


@dataclass(frozen=True, slots=True)
class FlowLimits:
    """Bounds of a reply, and how long a vetoed stream's usage is waited for."""

    reply_bytes: int = 64 * 1024 * 1024
    event_bytes: int = 16 * 1024 * 1024
    windows: WindowLimits = field(default_factory=WindowLimits)
    usage_wait_s: float = 2.0


def head(run: Run, headers: Headers) -> Headers:
    """An answer's headers: the upstream's, and ours; sets the overhead as of now."""
    timings = run.timings
    timings.total_s = time.monotonic() - timings.started
    upstream_s = timings.upstream_s or timings.first_token_s or timings.upstream_head_s
    timings.overhead_s = max(0.0, timings.total_s - upstream_s)
    return [
        *headers,
        ("x-fairlead-id", run.id),
        ("x-fairlead-verdict", run.outcome.value),
        ("x-fairlead-overhead-ms", f"{timings.overhead_s * 1000:.3f}"),
    ]
