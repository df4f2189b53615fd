"""The demo's LLM endpoint: replies written beforehand, on a loopback port of its own."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import orjson
from aiohttp import web

MODEL = "demo-model"
TOKEN_DELAY_S = 0.01
TOOL = {
    "type": "function",
    "function": {
        "name": "get_forecast",
        "description": "The weather of a place on a day.",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string"}, "day": {"type": "string"}},
        },
    },
}
_UNKNOWN = "I am the demo's scripted upstream and know only a handful of questions by heart."


@dataclass(frozen=True, slots=True)
class Scripted:
    """One exchange of the demo. `written` says what it was written to be, which no scorer knows."""

    name: str
    written: str
    prompt: str
    reply: str
    is_stream: bool
    context: tuple[str, ...]
    has_tool: bool
    rating: str | None

    def request(self) -> dict[str, Any]:
        """The body that the demo's client sends."""
        body: dict[str, Any] = {
            "model": MODEL,
            "messages": [{"role": "user", "content": self.prompt}],
        }
        if self.is_stream:
            body["stream"] = True
        if self.has_tool:
            body["tools"] = [TOOL]
        if self.context:
            body["fairlead"] = {"context": list(self.context)}
        return body


def exchanges() -> list[Scripted]:
    """The exchanges of the demo, in the order in which they are sent."""
    data = orjson.loads(files("service").joinpath("demo_replies.json").read_bytes())
    return [
        Scripted(
            name=one["name"],
            written=one["written"],
            prompt=one["prompt"],
            reply=one["reply"],
            is_stream=one["stream"],
            context=tuple(data["museum"]) if one.get("context") else (),
            has_tool=one.get("tool", False),
            rating=one.get("rating"),
        )
        for one in data["exchanges"]
    ]


class DemoUpstream:
    """Answers each question with its scripted replies in turn."""

    def __init__(self, scripted: list[Scripted]) -> None:
        self._replies: dict[str, list[Scripted]] = {}
        for one in scripted:
            self._replies.setdefault(one.prompt, []).append(one)
        self._asked: Counter[str] = Counter()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/chat/completions`, plain or streamed as asked."""
        body = await request.json()
        text, has_tool = self._choose(str(body["messages"][-1].get("content")))
        reply_id = f"chatcmpl-demo-{secrets.token_hex(6)}"
        if body.get("stream"):
            return await _stream(request, _events(reply_id, text, has_tool=has_tool))
        choice = {"index": 0, "message": _message(text), "finish_reason": "stop"}
        reply = _body(reply_id, "chat.completion", [choice])
        return web.json_response(body=orjson.dumps(reply | {"usage": _usage(text)}))

    def _choose(self, prompt: str) -> tuple[str, bool]:
        known = self._replies.get(prompt)
        if known is None:
            return _UNKNOWN, False
        turn = self._asked[prompt]
        self._asked[prompt] += 1
        one = known[turn % len(known)]
        return one.reply, one.has_tool


def _body(reply_id: str, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    head = {"id": reply_id, "object": kind, "created": 1_700_000_000, "model": MODEL}
    return head | {"choices": choices}


def _message(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def _usage(text: str) -> dict[str, int]:
    count = len(text.split())
    return {"prompt_tokens": 20, "completion_tokens": count, "total_tokens": 20 + count}


def _events(reply_id: str, text: str, *, has_tool: bool) -> list[bytes]:
    pieces = [word + " " for word in text.split(" ")]
    pieces[-1] = pieces[-1].rstrip()
    deltas = [_tool_delta(piece) if has_tool else {"content": piece} for piece in pieces]
    if has_tool:
        function = {"name": "get_forecast", "arguments": ""}
        call = {"index": 0, "id": "call_demo", "type": "function", "function": function}
        deltas.insert(0, {"role": "assistant", "content": None, "tool_calls": [call]})
    else:
        deltas.insert(0, _message(""))
    choices: list[dict[str, Any]] = [
        {"index": 0, "delta": delta, "finish_reason": None} for delta in deltas
    ]
    finish = "tool_calls" if has_tool else "stop"
    choices.append({"index": 0, "delta": {}, "finish_reason": finish})
    bodies = [_body(reply_id, "chat.completion.chunk", [choice]) for choice in choices]
    events = [b"data: " + orjson.dumps(body) + b"\n\n" for body in bodies]
    return [*events, b"data: [DONE]\n\n"]


def _tool_delta(piece: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


async def _stream(request: web.Request, events: list[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    # A proxy that has vetoed the stream, or seen its end mark, may be gone by then.
    with suppress(ConnectionResetError):
        for event in events:
            await response.write(event)
            await asyncio.sleep(TOKEN_DELAY_S)
        await response.write_eof()
    return response


@asynccontextmanager
async def serving(scripted: list[Scripted]) -> AsyncIterator[str]:
    """Run the endpoint on a free loopback port; yields its base URL."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", DemoUpstream(scripted).answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()
