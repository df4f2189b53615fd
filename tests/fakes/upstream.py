"""A scripted OpenAI-compatible upstream: a real server on a loopback port.

    async with Upstream() as upstream:
        upstream.script = plain("Paris.")
        ...  # send to upstream.url, look at upstream.seen

A script may also be a list (one for each request, the last one stays) or a function of
the request. Without one the upstream answers politely, streamed where it is asked to.
`ThreadedUpstream` is the same for tests without an event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from tests.fakes.replies import completion, encode, text_events
from tests.fakes.scripts import Hang, Raw, Script, Status, Stream, plain, streamed

__all__ = [
    "Hang",
    "Raw",
    "Script",
    "Seen",
    "Status",
    "Stream",
    "ThreadedUpstream",
    "Upstream",
    "closed_port_url",
    "plain",
    "streamed",
]


@dataclass
class Seen:
    """One request as it came. `path` holds the query; header names are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    client_gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client closed the connection before the answer was whole."""

    finished: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the answer was written whole or given up."""

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def is_stream(self) -> bool:
        """Whether the request asks for a streamed reply."""
        with contextlib.suppress(ValueError):
            return isinstance(self.json, dict) and bool(self.json.get("stream"))
        return False


Source = Script | list[Script] | Callable[[Seen], Script]


def polite(seen: Seen) -> Script:
    """The answer of an upstream that was told nothing."""
    if seen.path.split("?")[0].endswith("/models"):
        return Status(200, encode({"object": "list", "data": [{"id": "fake-model"}]}))
    if seen.is_stream:
        return Stream(text_events("Hello", " there", "."))
    return Status(200, completion("Hello there."))


def closed_port_url() -> str:
    """A base URL on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


class _Wire:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


class Upstream:
    """The server. `url` is its base URL up to and with `/v1`; `seen` what it was asked."""

    def __init__(self, script: Source = polite) -> None:
        self.script: Source = script
        self.seen: list[Seen] = []
        self.connections = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The base URL that a client is given."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> Self:
        """Listen on a free port, or again on the earlier one."""
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", self.port, limit=2**24
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Stop listening and drop every connection."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while (seen := await _read(reader)) is not None:
                self.seen.append(seen)
                if not await self._answer(seen, reader, _Wire(writer)):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer(self, seen: Seen, reader: asyncio.StreamReader, wire: _Wire) -> bool:
        playing = asyncio.ensure_future(self._choose(seen).play(wire))
        watching = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({playing, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not playing.done():
                seen.client_gone.set()
                return False
            return playing.result()
        except ConnectionError:
            seen.client_gone.set()
            return False
        finally:
            for task in (playing, watching):
                task.cancel()
            await asyncio.gather(playing, watching, return_exceptions=True)
            seen.finished.set()

    def _choose(self, seen: Seen) -> Script:
        if isinstance(self.script, list):
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return self.script(seen) if callable(self.script) else self.script


async def _read(reader: asyncio.StreamReader) -> Seen | None:
    try:
        block = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = block.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.split(":", 1) for line in lines)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    return Seen(method, path, headers, await _body(reader, headers))


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    parts = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
    await reader.readuntil(b"\r\n")
    return b"".join(parts)


class ThreadedUpstream:
    """The same upstream in a thread of its own, for tests that have no event loop."""

    def __init__(self, script: Source = polite) -> None:
        self.upstream = Upstream(script)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self._stop = asyncio.Event()

    def __enter__(self) -> Upstream:
        """Start and wait until the port is open."""
        self._thread.start()
        self._ready.wait()
        return self.upstream

    def __exit__(self, *exc: object) -> None:
        """Stop and wait for the thread."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        async with self.upstream:
            self._ready.set()
            await self._stop.wait()
