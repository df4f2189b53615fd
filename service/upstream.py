"""The seam to the LLM endpoints: one method, one reply type, our own errors.

aiohttp carries the calls; `DECISIONS.md` has the figures behind that choice.
"""

from __future__ import annotations

import asyncio
import fnmatch
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import aiohttp
import yarl
from aiohttp import compression_utils, http_exceptions

from service.errors import (
    NotFound,
    UpstreamCut,
    UpstreamError,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamTimeout,
)

Headers = Sequence[tuple[str, str]]

HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade", "content-length", "host",
})  # fmt: skip
"""Headers that belong to one connection (RFC 9110, section 7.6.1) or are set anew on each."""

_READABLE = {"", "identity", "gzip", "deflate"}
_READABLE |= {"br"} if compression_utils.HAS_BROTLI else set()
_READABLE |= {"zstd"} if compression_utils.HAS_ZSTD else set()


@dataclass(frozen=True, slots=True)
class UpstreamTimeouts:
    """How long is waited, in seconds: to connect, for the head, between two reads."""

    connect_s: float = 5.0
    head_s: float = 300.0
    idle_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Target:
    """One upstream: its base URL with the version, the models it serves, its key.

    `retries` are tries after the first, each after a wait of up to `max_backoff_s`; `fallback`
    names the target that is asked then. At most `max_concurrency` calls are under way, and
    others wait for `queue_s`. `Router` keeps to these. `timeouts` are its own, where it has some.
    """

    name: str
    url: str
    models: tuple[str, ...] = ("*",)
    api_key: str | None = None
    retries: int = 0
    max_backoff_s: float = 8.0
    fallback: str | None = None
    max_concurrency: int | None = None
    queue_s: float = 10.0
    timeouts: UpstreamTimeouts | None = None

    def serves(self, model: str) -> bool:
        """Whether the model's name matches one of the patterns."""
        return any(fnmatch.fnmatchcase(model, pattern) for pattern in self.models)


class UpstreamReply(Protocol):
    """An upstream's answer whose head has come and whose body has not."""

    status: int
    headers: Headers
    content_type: str
    upstream: str
    """The name of the target that answered."""

    async def read(self, limit_bytes: int) -> bytes:
        """The whole body; over the limit is `UpstreamMalformed`."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        ...

    def close(self) -> None:
        """Ends the call, whatever is still under way."""
        ...


class Upstream(Protocol):
    """Whoever can send a request to a target."""

    async def send(
        self,
        target: Target,
        path: str,
        *,
        method: str,
        headers: Headers,
        body: bytes | AsyncIterator[bytes] | None,
        query: str = "",
        is_decoded: bool = True,
    ) -> UpstreamReply:
        """Sends a request and returns when the reply's head is there.

        With `is_decoded` a compressed body is decoded; without, it is passed as it is.
        """
        ...


def choose(targets: Sequence[Target], model: str) -> Target:
    """The first target that serves the model."""
    for target in targets:
        if target.serves(model):
            return target
    known = ", ".join(f"{t.name} ({', '.join(t.models)})" for t in targets) or "none"
    raise NotFound(
        f"no upstream serves the model {model!r}; configured upstreams: {known}", param="model"
    )


class AiohttpReply:
    """An answer that comes over aiohttp."""

    def __init__(
        self, response: aiohttp.ClientResponse, *, name: str, is_decoded: bool, idle_s: float
    ) -> None:
        self._response = response
        self._name = self.upstream = name
        self._idle_s = idle_s
        self.status = response.status
        self.content_type = response.content_type.lower()
        self._coding = response.headers.get("content-encoding", "identity").lower()
        self._is_readable = not is_decoded or self._coding in _READABLE
        dropped = HOP_BY_HOP | {"content-encoding"} if is_decoded else HOP_BY_HOP
        self.headers: Headers = [
            (key, value) for key, value in response.headers.items() if key.lower() not in dropped
        ]

    async def read(self, limit_bytes: int) -> bytes:
        """The whole body; over the limit is `UpstreamMalformed`."""
        parts: list[bytes] = []
        size = 0
        async for chunk in self.chunks():
            size += len(chunk)
            if size > limit_bytes:
                self.close()
                raise UpstreamMalformed(
                    f"the upstream {self._name}'s reply is over the limit of {limit_bytes} bytes"
                )
            parts.append(chunk)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        if not self._is_readable:
            self.close()
            raise UpstreamMalformed(
                f"the upstream {self._name} answered in the coding {self._coding!r}, "
                "which cannot be read here; have it answer uncompressed"
            )
        content = self._response.content
        with _mapped(self._name, has_head=True):
            while not content.at_eof():
                async with asyncio.timeout(self._idle_s):
                    chunk = await content.readany()
                if chunk:
                    yield chunk

    def close(self) -> None:
        """Ends the call; a connection that is not read to its end is dropped."""
        if self._response.content.is_eof():
            self._response.release()
        else:
            self._response.close()


class AiohttpUpstream:
    """Sends requests over one aiohttp session."""

    def __init__(
        self, *, connections: int = 1000, timeouts: UpstreamTimeouts | None = None
    ) -> None:
        self._timeouts = timeouts or UpstreamTimeouts()
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Opens the connection pool."""
        self._session = aiohttp.ClientSession(
            # Uvicorn, which serves many models, closes idle connections after five seconds; one
            # that is reused in that moment would fail a request.
            connector=aiohttp.TCPConnector(
                limit=self._connections, keepalive_timeout=4.0, ttl_dns_cache=60
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            auto_decompress=False,
        )

    async def stop(self) -> None:
        """Closes the connection pool."""
        if self._session is not None:
            await self._session.close()

    async def send(
        self,
        target: Target,
        path: str,
        *,
        method: str,
        headers: Headers,
        body: bytes | AsyncIterator[bytes] | None,
        query: str = "",
        is_decoded: bool = True,
    ) -> AiohttpReply:
        """See `Upstream.send`."""
        if self._session is None:
            raise RuntimeError("AiohttpUpstream.send before start")
        waits = target.timeouts or self._timeouts
        url = target.url.rstrip("/") + path + (f"?{query}" if query else "")
        with _mapped(target.name, has_head=False):
            async with asyncio.timeout(waits.head_s):
                response = await self._session.request(
                    method,
                    yarl.URL(url, encoded=True),
                    data=body,
                    headers=_outgoing(headers, target=target, path=path, is_decoded=is_decoded),
                    allow_redirects=False,
                    auto_decompress=is_decoded,
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=waits.connect_s),
                )
        return AiohttpReply(response, name=target.name, is_decoded=is_decoded, idle_s=waits.idle_s)


def _outgoing(
    headers: Headers, *, target: Target, path: str, is_decoded: bool
) -> list[tuple[str, str]]:
    out = [(k, v) for k, v in headers if k.lower() not in HOP_BY_HOP]
    if is_decoded:
        out = [(k, v) for k, v in out if k.lower() != "accept-encoding"]
        out.append(("accept-encoding", "identity"))
    if target.api_key is not None:
        out = [(k, v) for k, v in out if k.lower() not in {"authorization", "x-api-key"}]
        is_messages = _is_messages(headers, path)
        out.append(
            ("x-api-key", target.api_key)
            if is_messages
            else ("authorization", f"Bearer {target.api_key}")
        )
    return out


def _is_messages(headers: Headers, path: str) -> bool:
    """Whether a request is in Anthropic's format, which has a key header of its own.

    Its clients name the format's version on every route, also on those that are passed through.
    """
    is_versioned = any(name.lower() == "anthropic-version" for name, _ in headers)
    return is_versioned or path == "/messages" or path.startswith("/messages/")


@contextmanager
def _mapped(name: str, *, has_head: bool) -> Iterator[None]:
    """Turns aiohttp's errors into ours; the most specific match wins."""
    try:
        yield
    except UpstreamError:
        raise
    except aiohttp.ConnectionTimeoutError as error:
        raise _unsent(UpstreamTimeout(f"no connection to the upstream {name} in time")) from error
    except (TimeoutError, aiohttp.ServerTimeoutError) as error:
        raise UpstreamTimeout(f"the upstream {name} did not answer in time") from error
    except aiohttp.ClientConnectorError as error:
        reason = error.os_error.strerror or type(error.os_error).__name__
        refused = UpstreamRefused(
            f"no connection to the upstream {name} ({reason}); is it running, and is its url right?"
        )
        raise _unsent(refused) from error
    except (aiohttp.ClientResponseError, aiohttp.InvalidURL) as error:
        raise UpstreamMalformed(f"the upstream {name} does not answer in HTTP") from error
    except (aiohttp.ClientPayloadError, http_exceptions.ContentEncodingError) as error:
        raise UpstreamCut(f"the upstream {name} ended in the middle of its reply") from error
    except (aiohttp.ClientError, OSError) as error:
        kind = UpstreamCut if has_head else UpstreamRefused
        raise kind(f"the connection to the upstream {name} was lost") from error


def _unsent(error: UpstreamError) -> UpstreamError:
    error.is_unsent = True
    return error
