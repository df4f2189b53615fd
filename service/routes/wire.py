"""What every proxied route works with: the client behind it, its request, and the parts.

Plain ASGI: nothing here buffers a stream, and a client that goes away cancels
its exchange.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from service.abuse import Guard
from service.access import Access, Caller, without_own_keys
from service.dialects.base import ReadLimits
from service.flow import Flow
from service.policy import Policies
from service.upstream import Headers, Target, Upstream
from storage.records import InteractionRecord

Recollection = Callable[[str, Caller], Awaitable[InteractionRecord | None]]
"""Finds the exchange that made a reply; `service.recall.Recall` is one."""


class ClientGone(Exception):
    """The client left before its request was read."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """What the proxied routes need; built when the service starts."""

    flow: Flow
    upstream: Upstream
    targets: tuple[Target, ...]
    policies: Policies
    access: Access
    read_limits: ReadLimits
    recall: Recollection | None = None
    guard: Guard | None = None


FindProxy = Callable[[Scope], Proxy]


class AsgiClient:
    """The client behind one ASGI request."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_started = False
        self.is_over = False

    async def start(self, status: int, headers: Headers) -> None:
        """Sends the head."""
        self.has_started = True
        raw = [(k.encode("latin-1"), v.encode("utf-8", "surrogateescape")) for k, v in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def send(self, data: bytes) -> None:
        """Sends some of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self) -> None:
        """Ends the body."""
        self.is_over = True
        await self._send({"type": "http.response.body", "body": b""})

    async def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Sends a whole answer at once."""
        self.is_over = True
        await self.start(status, [*headers, ("content-length", str(len(body)))])
        await self._send({"type": "http.response.body", "body": body})


async def until_gone(receive: Receive, client: AsgiClient, work: object) -> None:
    """Does the work, cancelled as soon as the client goes away."""
    task = asyncio.current_task()
    assert task is not None
    is_gone = False

    async def watch() -> None:
        nonlocal is_gone
        while (await receive())["type"] != "http.disconnect":
            pass
        if not client.is_over:
            is_gone = True
            task.cancel()

    watcher = asyncio.create_task(watch(), name="fairlead-watch")
    try:
        await work  # type: ignore[misc]
    except asyncio.CancelledError:
        if not is_gone or task.uncancel() > 0:
            raise
    finally:
        watcher.cancel()


async def read_body(receive: Receive) -> bytes:
    """The whole body of a request; `ClientGone` where the client leaves before its end."""
    first = await receive()
    if first["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = first.get("body", b"")
    if not first.get("more_body", False):
        return body
    return body + b"".join([part async for part in chunks_of(receive)])


async def chunks_of(receive: Receive) -> AsyncIterator[bytes]:
    """The body of a request as it comes."""
    has_more = True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        has_more = message.get("more_body", False)
        if body := message.get("body", b""):
            yield body


def headers_of(scope: Scope) -> Headers:
    """A request's headers that may go upstream."""
    pairs = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"]]
    return without_own_keys(pairs)
