"""What a scripted upstream does with one request.

Every script has one method, `play(wire)`; it writes to the wire and says whether
the connection may be used again.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

from tests.fakes.replies import completion, event, text_events


class Wire(Protocol):
    """The upstream's end of a connection."""

    async def send(self, data: bytes) -> None:
        """Write bytes and wait until the kernel has taken them."""
        ...


class Script(Protocol):
    """One way of answering."""

    async def play(self, wire: Wire) -> bool:
        """Answer; True where the connection may be used for the next request."""
        ...


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Status line and headers as bytes."""
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Other"
    lines = [
        f"HTTP/1.1 {status} {phrase}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class _Identity:
    def compress(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


class _Zlib:
    def __init__(self, window_bits: int) -> None:
        self._engine = zlib.compressobj(wbits=window_bits)

    def compress(self, data: bytes) -> bytes:
        return self._engine.compress(data) + self._engine.flush(zlib.Z_SYNC_FLUSH)

    def flush(self) -> bytes:
        return self._engine.flush()


class _Brotli:
    def __init__(self) -> None:
        import brotli

        self._engine = brotli.Compressor()

    def compress(self, data: bytes) -> bytes:
        return bytes(self._engine.process(data) + self._engine.flush())

    def flush(self) -> bytes:
        return bytes(self._engine.finish())


class _Zstd:
    def __init__(self) -> None:
        import zstandard

        self._engine = zstandard.ZstdCompressor().compressobj()
        self._block = zstandard.COMPRESSOBJ_FLUSH_BLOCK

    def compress(self, data: bytes) -> bytes:
        return bytes(self._engine.compress(data) + self._engine.flush(self._block))

    def flush(self) -> bytes:
        return bytes(self._engine.flush())


def encoder(name: str | None) -> Any:
    """An engine with `compress` (whole up to here) and `flush` for a content-encoding."""
    engines = {
        "gzip": lambda: _Zlib(31),
        "deflate": lambda: _Zlib(15),
        "br": _Brotli,
        "zstd": _Zstd,
    }
    return engines[name]() if name else _Identity()


@dataclass(frozen=True)
class Status:
    """A plain answer of any status, also redirects (`headers={"location": ...}`).

    The head waits `delay_s`. `declared_bytes` claims another length than the body has; a
    body shorter than claimed is followed by the end of the connection.
    """

    code: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    encoding: str | None = None
    content_type: str = "application/json"
    declared_bytes: int | None = None

    async def play(self, wire: Wire) -> bool:
        """Send head and body at once."""
        await asyncio.sleep(self.delay_s)
        engine = encoder(self.encoding)
        body = engine.compress(self.body) + engine.flush()
        length = len(body) if self.declared_bytes is None else self.declared_bytes
        fields = {"content-type": self.content_type, "content-length": str(length)}
        if self.encoding:
            fields["content-encoding"] = self.encoding
        await wire.send(head(self.code, fields | dict(self.headers)) + body)
        return length == len(body)


def plain(*contents: str | Mapping[str, Any] | None, **options: Any) -> Status:
    """A plain 200 reply with one choice for each content; `options` are those of `Status`."""
    return Status(200, completion(*contents), **options)


@dataclass(frozen=True)
class Stream:
    r"""A streamed answer.

    `events` are dicts (written as JSON), texts (written as data) or bytes (as they are).
    `chunking`: `event` sends one write per event, `bytes:N` cuts every N bytes wherever
    that falls, `whole` sends one write. `cut_at` drops the connection after that many
    bytes of the body; `stall_at` waits for ever before that event; `gates` waits for an
    `asyncio.Event` before an event. `framing` is `chunked` or `close`.
    """

    events: Sequence[Any]
    delay_s: float = 0.0
    head_delay_s: float = 0.0
    chunking: str = "event"
    cut_at: int | None = None
    stall_at: int | None = None
    gates: Mapping[int, asyncio.Event] = field(default_factory=dict)
    encoding: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    framing: str = "chunked"

    async def play(self, wire: Wire) -> bool:
        """Send the head, then the events as told."""
        await asyncio.sleep(self.head_delay_s)
        await wire.send(head(200, self._fields()))
        engine, sent = encoder(self.encoding), 0
        for index, piece in enumerate(self._pieces()):
            await self._wait(index)
            data = engine.compress(piece)
            if self.cut_at is not None and sent + len(data) >= self.cut_at:
                await wire.send(self._frame(data[: self.cut_at - sent]))
                return False
            await wire.send(self._frame(data))
            sent += len(data)
        await wire.send(self._frame(engine.flush()))
        await wire.send(b"0\r\n\r\n" if self.framing == "chunked" else b"")
        return self.framing == "chunked"

    def _fields(self) -> dict[str, str]:
        fields = {"content-type": "text/event-stream", "cache-control": "no-cache"}
        if self.framing == "chunked":
            fields["transfer-encoding"] = "chunked"
        else:
            fields["connection"] = "close"
        if self.encoding:
            fields["content-encoding"] = self.encoding
        return fields | dict(self.headers)

    def _pieces(self) -> Iterator[bytes]:
        events = [event(data) for data in self.events]
        if self.chunking == "event":
            yield from events
            return
        body = b"".join(events)
        kind, _, size = self.chunking.partition(":")
        step = int(size) if kind == "bytes" else max(1, len(body))
        yield from (body[at : at + step] for at in range(0, len(body), step))

    def _frame(self, data: bytes) -> bytes:
        if self.framing != "chunked" or not data:
            return data
        return b"%x\r\n%b\r\n" % (len(data), data)

    async def _wait(self, index: int) -> None:
        if index == self.stall_at:
            await asyncio.Event().wait()
        if index in self.gates:
            await self.gates[index].wait()
        if self.delay_s:
            await asyncio.sleep(self.delay_s)


def streamed(*pieces: str, **options: Any) -> Stream:
    """A streamed reply of one choice, piece by piece; `options` are those of `Stream`."""
    return Stream(text_events(*pieces), **options)


@dataclass(frozen=True)
class Raw:
    """Any bytes at all in place of an HTTP answer; the connection ends after them."""

    data: bytes = b""
    delay_s: float = 0.0

    async def play(self, wire: Wire) -> bool:
        """Send the bytes; with none this is a connection dropped without an answer."""
        await asyncio.sleep(self.delay_s)
        await wire.send(self.data)
        return False


@dataclass(frozen=True)
class Hang:
    """Takes the request and never answers."""

    async def play(self, wire: Wire) -> bool:
        """Wait for ever."""
        await asyncio.Event().wait()
        return False
