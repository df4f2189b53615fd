"""The proxied routes on a real port, over fakes for scoring and record."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from scorers.types import Side
from service.access import Access
from service.call import FlowLimits
from service.dialects import by_route
from service.dialects.base import ReadLimits
from service.flow import Flow
from service.judge import Judge
from service.metrics import Metrics
from service.middleware import BodyLimit, Outermost
from service.policy import Policies, Policy, Rule
from service.privacy.keeper import TextKeeper
from service.recorder import Recorder
from service.routes.proxy import proxied_routes
from service.routes.wire import Proxy
from service.routing import Router
from service.tracing import Tracing
from service.twin import Twins, TwinTools
from service.upstream import AiohttpUpstream, Target, UpstreamTimeouts
from service.veto import WindowLimits
from storage.records import InteractionRecord
from tests.fakes.engine import ListWriter, WordEngine
from tests.patience import PATIENCE_S, until

PROMPT_RULES = (
    Rule("toxicity", "toxicity", ("toxic", "harm"), flag=0.5),
    Rule("injection", "toxicity", ("injection",), veto=0.9),
)
REPLY_RULES = (
    Rule("toxicity", "toxicity", ("toxic", "harm"), flag=0.5, veto=0.9),
    Rule("faithfulness", "faithfulness", ("unsupported",), flag=0.5, veto=0.9),
)
ENFORCE = Policy("default", {Side.PROMPT: PROMPT_RULES, Side.REPLY: REPLY_RULES})
OFF = replace(ENFORCE, mode="off", rules={Side.PROMPT: (), Side.REPLY: ()})


@dataclass
class Running:
    """A running proxy: its address, what it recorded, and a client for it."""

    url: str
    client: httpx.AsyncClient
    engine: WordEngine
    writer: ListWriter
    metrics: Metrics

    @property
    def record(self) -> InteractionRecord:
        """The only record."""
        assert len(self.writer.records) == 1, self.writer.records
        return self.writer.records[0]

    async def recorded(self, count: int = 1) -> list[InteractionRecord]:
        """The records, as soon as there are so many."""
        await until(lambda: len(self.writer.records) >= count)
        return self.writer.records

    async def chat(self, content: Any = "Hello?", **fields: Any) -> httpx.Response:
        """One chat completion of one user message."""
        return await self.client.post("/v1/chat/completions", json=ask(content, **fields))


def ask(content: Any = "Hello?", **fields: Any) -> dict[str, Any]:
    """A chat request of one user message."""
    return {"model": "fake-model", "messages": [{"role": "user", "content": content}]} | fields


@dataclass
class Setting:
    """How a proxy under test is set up."""

    upstream_url: str
    policy: Policy = ENFORCE
    engine: WordEngine = field(default_factory=WordEngine)
    writer: ListWriter = field(default_factory=ListWriter)
    is_strict: bool = True
    limits: FlowLimits = field(
        default_factory=lambda: FlowLimits(windows=WindowLimits(max_chars=200, max_wait_s=0.05))
    )
    timeouts: UpstreamTimeouts = field(
        default_factory=lambda: UpstreamTimeouts(PATIENCE_S, PATIENCE_S, PATIENCE_S)
    )
    targets: tuple[Target, ...] = ()
    body_bytes: int = 1_000_000
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    source_pattern: str | None = None
    draw: Callable[[], float] = random.random
    keeper: TextKeeper = field(default_factory=TextKeeper)
    tracing: Tracing | None = None


class NoKeys:
    """A key store that is never asked."""

    def reading(self) -> Any:
        """Must not be called where no keys are required."""
        raise AssertionError


@contextlib.asynccontextmanager
async def running(setting: Setting) -> AsyncIterator[Running]:
    """Runs the proxied routes on a free loopback port."""
    metrics = Metrics()
    calls = AiohttpUpstream(timeouts=setting.timeouts)
    await calls.start()
    targets = setting.targets or (Target("default", setting.upstream_url),)
    upstream = Router(calls, targets, meter=metrics, sleep=setting.sleep)
    recorder = Recorder(setting.writer, is_strict=setting.is_strict, keeper=setting.keeper)
    tools = TwinTools(setting.engine, upstream, recorder, metrics, setting.limits)
    twins = Twins(tools, draw=setting.draw)
    flow = Flow(
        judge=Judge(setting.engine, metrics),
        upstream=upstream,
        recorder=recorder,
        meter=metrics,
        twins=twins,
        limits=setting.limits,
        tracing=setting.tracing,
    )
    proxy = Proxy(
        flow=flow,
        upstream=upstream,
        targets=targets,
        policies=Policies({"default": setting.policy}),
        access=Access(NoKeys(), is_required=False),
        read_limits=ReadLimits(source_pattern=setting.source_pattern),
        recall=setting.writer.recall,
    )
    around = [
        Middleware(Outermost, metrics=metrics, max_exchanges=1000, proxied=by_route()),
        Middleware(BodyLimit, max_bytes=setting.body_bytes),
    ]
    app = Starlette(routes=proxied_routes(lambda _: proxy, by_route()), middleware=around)
    async with serving(app) as url, httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as client:
        yield Running(url, client, setting.engine, setting.writer, metrics)
        await twins.stop()
    await calls.stop()


@contextlib.asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """Serves an ASGI app on a free loopback port; gives its address."""
    config = uvicorn.Config(app, port=0, log_level="warning", lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done(), task.exception()
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
