"""Traffic of every kind for whoever watches: good, vetoed, streamed, rated, late, failing.

`MixedUpstream` is the endpoint, `settings` a configuration with a policy and an upstream for each
kind of trouble, and `one_round` sends each kind once.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
from aiohttp import web

from service.settings import Settings

ROUTE = "/v1/chat/completions"
MODELS = ("atlas-large", "atlas-mini")
TROUBLE = ("flaky", "broken", "voice", "gone", "away")
AGAIN = "Write it once more, kindly."
"""What the policy `again` tells the upstream, which then answers well."""


@dataclass(frozen=True, slots=True)
class Texts:
    """What is asked and answered: pairs of prompt and reply, and the sources of `sourced`."""

    good: Sequence[tuple[str, str]]
    bad: Sequence[tuple[str, str]]
    sourced: Sequence[tuple[str, str]]
    sources: Sequence[str]
    attacks: Sequence[str]
    views: Sequence[tuple[str, str]]

    def reply_to(self, prompt: str) -> str:
        """The reply that was written to a prompt."""
        pairs = itertools.chain(self.good, self.bad, self.sourced, self.views)
        return dict(pairs).get(prompt, "I am glad to help with that.")


class MixedUpstream:
    """An endpoint whose models behave as they are called: `flaky`, `broken`, `narrow`, `voice`."""

    def __init__(self, texts: Texts, *, delay_s: float = 0.0) -> None:
        self._texts = texts
        self._delay_s = delay_s
        self._turn = itertools.count()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One chat."""
        body = await request.json()
        model = body["model"]
        if model == "broken" or (model == "flaky" and next(self._turn) % 2 == 0):
            status = 500 if model == "broken" else 503
            return web.json_response({"error": {"message": "no"}}, status=status)
        is_again = AGAIN in str(body["messages"])
        prompt = str(body["messages"][-1]["content"])
        text = "I am glad to help." if is_again else self._texts.reply_to(prompt)
        await asyncio.sleep(0.3 if model == "narrow" else random.uniform(0.5, 1.5) * self._delay_s)
        if body.get("stream"):
            return await self._stream(request, model, text)
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if model == "voice":
            message |= {"content": None, "audio": {"id": "a", "data": "AAAA", "expires_at": 1}}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return web.json_response(_body("chat.completion", model, choice) | {"usage": _USAGE})

    async def hook(self, request: web.Request) -> web.Response:
        """Takes an alert."""
        await request.read()
        return web.Response(text="ok")

    async def _stream(self, request: web.Request, model: str, text: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for word in text.split(" "):
            choice = {"index": 0, "delta": {"content": word + " "}, "finish_reason": None}
            await _send(response, _body("chat.completion.chunk", model, choice))
            await asyncio.sleep(self._delay_s / 50)
        choice = {"index": 0, "delta": {}, "finish_reason": "stop"}
        await _send(response, _body("chat.completion.chunk", model, choice))
        await response.write(b"data: [DONE]\n\n")
        return response

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve on a free port; gives the base URL."""
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self.answer)
        app.router.add_post("/hook", self.hook)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        finally:
            await runner.cleanup()


_USAGE = {"prompt_tokens": 20, "completion_tokens": 40, "total_tokens": 60}


def _body(kind: str, model: str, choice: dict[str, Any]) -> dict[str, Any]:
    ident = f"chatcmpl-{random.getrandbits(64):016x}"
    return {"id": ident, "object": kind, "created": 1, "model": model, "choices": [choice]}


async def _send(response: web.StreamResponse, body: dict[str, Any]) -> None:
    await response.write(b"data: " + orjson.dumps(body) + b"\n\n")


def settings(upstream: str, folder: Path, *, port: int = 0, **values: Any) -> Settings:
    """A service with a policy and an upstream for each kind of trouble."""
    rules = {"toxicity": {"flag": 0.5, "veto": {"fpr": 0.01}}}
    twin = {"mode": "twin", "flag": 0.5, "twin_budget_ms": 2000}
    base: dict[str, Any] = {
        "listen": {"host": "127.0.0.1", "port": port},
        "database_url": f"sqlite+aiosqlite:///{folder / 'mixed.db'}",
        "upstreams": [
            {"name": "main", "url": upstream, "models": ["atlas-*", "voice", "broken"]},
            {"name": "flaky", "url": upstream, "models": ["flaky"], "retries": 2,
             "max_backoff_s": 0.05},
            {"name": "away", "url": "http://127.0.0.1:9/v1", "models": ["away"],
             "fallback": "main"},
            {"name": "narrow", "url": upstream, "models": ["narrow"], "max_concurrency": 1,
             "queue_s": 0.05},
            {"name": "gone", "url": "http://127.0.0.1:9/v1", "models": ["gone"]},
        ],
        "policies": {
            "default": {"deadline_ms": 20_000},
            "strict": {"deadline_ms": 20_000,
                       "prompt": {"injection": {"veto": {"fpr": 0.05}},
                                  "toxicity": {"veto": {"fpr": 0.05}}}},
            "again": {"deadline_ms": 20_000, "regeneration": {"instruction": AGAIN},
                      "reply": {"toxicity": {**rules["toxicity"], "action": "regenerate"}}},
            "twin": {"deadline_ms": 20_000, "reply": {"sycophancy": twin}},
            "late": {"deadline_ms": 1, "reply": rules},
        },
        "watch": {"stance_probe": {"requests_per_hour": 10_000, "tokens_per_hour": 10_000_000,
                                   "sample": 1.0, "policies": ["twin"]}},
        "logs": {"level": "error", "exchanges": False},
    }  # fmt: skip
    watched = base["watch"] | values.pop("watch", {})
    return Settings.model_validate(base | values | {"watch": watched})


class Traffic:
    """Sends requests to a proxy; what fails on purpose is no error here."""

    def __init__(self, client: httpx.AsyncClient, texts: Texts, *, seed: int = 7) -> None:
        self._client = client
        self._texts = texts
        self._draw = random.Random(seed)

    async def one_round(self) -> None:
        """Each kind of request once, most of them at the same time."""
        await asyncio.gather(
            *(self.good(is_stream=is_stream) for is_stream in (False, True, True)),
            self.bad(),
            self.bad(policy="again"),
            self.sourced(),
            self.attack(),
            self.view(),
            *(self.ask("Hello?", model=name) for name in TROUBLE),
            *(self.ask("Hello?", model="narrow") for _ in range(3)),
            self.ask("Hello again?", policy="late"),
        )

    async def good(self, *, is_stream: bool = False) -> None:
        """A harmless exchange, sometimes with a thumb."""
        prompt, _ = self._draw.choice(self._texts.good)
        await self.ask(prompt, is_stream=is_stream, rating=self._thumb(0.85))

    async def bad(self, *, policy: str = "default") -> None:
        """A reply that should be vetoed."""
        prompt, _ = self._draw.choice(self._texts.bad)
        await self.ask(prompt, policy=policy, rating=self._thumb(0.2))

    async def sourced(self) -> None:
        """A question with sources, streamed."""
        prompt, _ = self._draw.choice(self._texts.sourced)
        sources = list(self._texts.sources)
        await self.ask(prompt, context=sources, is_stream=True, rating=self._thumb(0.6))

    async def attack(self) -> None:
        """A prompt that should be vetoed."""
        await self.ask(self._draw.choice(self._texts.attacks), policy="strict")

    async def view(self) -> None:
        """A prompt that states a view, with a twin."""
        prompt, _ = self._draw.choice(self._texts.views)
        await self.ask(prompt, policy="twin", rating=self._thumb(0.5))

    async def ask(
        self,
        prompt: str,
        *,
        model: str | None = None,
        policy: str = "default",
        is_stream: bool = False,
        context: Sequence[str] = (),
        rating: str | None = None,
    ) -> int:
        """One chat, and a thumb on its reply where there is one; the status."""
        body = {
            "model": model or self._draw.choice(MODELS),
            "messages": [{"role": "user", "content": prompt}],
            "stream": is_stream,
            "fairlead": {"policy": policy, "context": list(context)},
        }
        reply = await self._client.post(ROUTE, json=body)
        if rating is not None and reply.status_code == 200:
            mark = {"id": reply.headers["x-fairlead-id"], "rating": rating}
            await self._client.post("/v1/feedback", json=mark)
        return reply.status_code

    def _thumb(self, share_up: float) -> str | None:
        if self._draw.random() > 0.4:
            return None
        return "up" if self._draw.random() < share_up else "down"
