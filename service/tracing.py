"""The seam to tracing: what the flow tells of an exchange, where anybody listens.

Without a listener an exchange has no trace, and nothing here is called.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from service.upstream import Headers, Target, UpstreamReply

if TYPE_CHECKING:
    from service.call import Call
    from service.recorder import Run

BESIDE = 0
"""The number of a call whose reply the client does not get; the others count from 1."""

Send = Callable[[Headers], Awaitable[UpstreamReply]]


class Trace(Protocol):
    """One exchange as it goes along."""

    async def call(
        self, send: Send, target: Target, headers: Headers, *, number: int
    ) -> UpstreamReply:
        """Sends a request to an upstream; `number` says which of the exchange's replies it is."""
        ...

    def end(self, run: Run) -> None:
        """The exchange is over, and `run` knows all of it."""
        ...


class Tracing(Protocol):
    """Whoever follows exchanges; `service.telemetry.Telemetry` is one."""

    def begin(self, call: Call) -> Trace:
        """An exchange begins."""
        ...
