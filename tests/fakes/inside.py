"""The proxied routes in this process: no port, a scripted upstream, scores by word."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware

from service.access import Access
from service.call import FlowLimits
from service.dialects import by_route
from service.dialects.base import ReadLimits
from service.flow import Flow
from service.judge import Judge
from service.metrics import Metrics
from service.middleware import Outermost
from service.policy import Policies, Policy
from service.recorder import Recorder
from service.routes.proxy import proxied_routes
from service.routes.wire import Proxy
from service.twin import Twins, TwinTools
from service.upstream import Headers, Target
from service.veto import WindowLimits
from tests.fakes.engine import ListWriter, WordEngine
from tests.fakes.proxy import ENFORCE, NoKeys
from tests.patience import PATIENCE_S

JSON = "application/json"
SSE = "text/event-stream"
TARGET = Target("default", "http://upstream/v1")


# Made once: a fuzz test makes thousands of proxies.
_dialects = functools.cache(by_route)
_metrics = functools.cache(Metrics)


def cut(body: bytes, at: Sequence[int]) -> list[bytes]:
    """The bytes cut at the given places."""
    places = sorted({min(place, len(body)) for place in at} | {0, len(body)})
    return [body[a:b] for a, b in pairwise(places)]


@dataclass
class CutReply:
    """An upstream's answer that comes in given pieces."""

    pieces: list[bytes]
    status: int = 200
    content_type: str = SSE
    upstream: str = "default"

    @property
    def headers(self) -> Headers:
        """What kind of body it has."""
        return (("content-type", self.content_type),)

    async def read(self, limit_bytes: int) -> bytes:
        """The whole body."""
        return b"".join(self.pieces)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The pieces, with a chance for others to run between them."""
        for piece in self.pieces:
            yield piece
            await asyncio.sleep(0)

    def close(self) -> None:
        """Nothing to close."""


@dataclass
class Inside:
    """The routes, ready to be asked; `seen` are the bodies that went upstream."""

    policy: Policy = ENFORCE
    engine: WordEngine = field(default_factory=WordEngine)
    writer: ListWriter = field(default_factory=ListWriter)
    windows: WindowLimits = field(default_factory=lambda: WindowLimits(40, 0.01))
    seen: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        metrics = _metrics()
        recorder = Recorder(self.writer, is_strict=True, is_logging=False)
        limits = FlowLimits(windows=self.windows, usage_wait_s=0.2)
        flow = Flow(
            judge=Judge(self.engine, metrics),
            upstream=self,
            recorder=recorder,
            meter=metrics,
            twins=Twins(TwinTools(self.engine, self, recorder, metrics, limits)),
            limits=limits,
        )
        proxy = Proxy(
            flow=flow,
            upstream=self,
            targets=(TARGET,),
            policies=Policies({"default": self.policy}),
            access=Access(NoKeys(), is_required=False),
            read_limits=ReadLimits(),
        )
        around = [Middleware(Outermost, metrics=metrics, max_exchanges=9, proxied=_dialects())]
        routes = proxied_routes(lambda _: proxy, _dialects())
        self._app = Starlette(routes=routes, middleware=around)
        self._reply = CutReply([])

    async def send(self, target: Target, path: str, **call: Any) -> CutReply:
        """Plays the upstream."""
        self.seen.append(call["body"])
        return self._reply

    async def post(
        self,
        route: str,
        asked: Mapping[str, Any] | bytes,
        reply: CutReply,
        *,
        on_sent: Callable[[bytes], None] = lambda _: None,
    ) -> Got:
        """One request; `on_sent` is called with every piece as it leaves for the client."""
        self._reply = reply
        client = _Client(asked if isinstance(asked, bytes) else orjson.dumps(asked), on_sent)
        headers = [(b"content-type", JSON.encode())]
        scope = {"type": "http", "method": "POST", "path": route, "query_string": b""}
        async with asyncio.timeout(PATIENCE_S):
            await self._app(scope | {"headers": headers}, client.receive, client.send)
        return Got(client.status, client.headers, client.body)


@dataclass(frozen=True)
class Got:
    """What the client was answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body of a plain answer."""
        return orjson.loads(self.body)


class _Client:
    def __init__(self, asked: bytes, on_sent: Callable[[bytes], None]) -> None:
        self._asked: bytes | None = asked
        self._on_sent = on_sent
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""

    async def receive(self) -> dict[str, Any]:
        if self._asked is None:
            await asyncio.Event().wait()
        body, self._asked = self._asked, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            assert not self.status, "two heads"
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        elif data := message.get("body", b""):
            self.body += data
            self._on_sent(data)
