"""Each wire format's exchanges come out of an export as conversations: asked, liked, exported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import messages as anthropic
from tests.fakes.local import local_settings, serving_locally
from tests.fakes.replies import completion, event, text_completion
from tests.fakes.responses import (
    call_events,
    call_item,
    message_events,
    message_item,
    plain_response,
    response_events,
)
from tests.fakes.scripts import Script, Status, Stream
from tests.fakes.upstream import Upstream

PARAMETERS = {"type": "object", "properties": {"at": {"type": "string"}}}
FUNCTION = {"name": "tide", "description": "High tide.", "parameters": PARAMETERS}
TOOLS = [{"type": "function", "function": FUNCTION}]


def called(ident: str) -> dict[str, Any]:
    """The call of every script, as an export shows it."""
    return {
        "id": ident,
        "type": "function",
        "function": {"name": "tide", "arguments": {"at": "Kiel"}},
    }


ARGUMENTS = '{"at":"Kiel"}'
CHAT_CALL = called("c1") | {"function": {"name": "tide", "arguments": ARGUMENTS}}


@dataclass(frozen=True)
class Case:
    """What is asked, what the upstream answers, and how the row begins and ends."""

    route: str
    ask: dict[str, Any]
    plain: Callable[[], bytes]
    events: Callable[[], list[bytes]]
    prompt: list[dict[str, Any]]
    reply: dict[str, Any]


def chat_events() -> list[bytes]:
    """A call in two pieces."""
    first = CHAT_CALL | {"index": 0, "function": {"name": "tide", "arguments": '{"at":'}}
    second = {"index": 0, "function": {"arguments": '"Kiel"}'}}
    deltas = [{"role": "assistant", "tool_calls": [first]}, {"tool_calls": [second]}, {}]
    return [
        event(
            {
                "id": "chatcmpl-1",
                "model": "m",
                "choices": [
                    {"index": 0, "delta": delta, "finish_reason": None if delta else "tool_calls"}
                ],
            }
        )
        for delta in deltas
    ] + [b"data: [DONE]\n\n"]


CASES = {
    "chat": Case(
        route="/v1/chat/completions",
        ask={
            "model": "m",
            "tools": TOOLS,
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "content": [{"type": "text", "text": "High tide?"}]},
            ],
        },
        plain=lambda: completion({"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]}),
        events=chat_events,
        prompt=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "High tide?"},
        ],
        reply={"role": "assistant", "content": "", "tool_calls": [called("c1")]},
    ),
    "messages": Case(
        route="/v1/messages",
        ask={
            "model": "claude",
            "max_tokens": 9,
            "system": [{"type": "text", "text": "Be brief."}],
            "tools": [
                {"name": "tide", "description": "High tide.", "input_schema": PARAMETERS},
                {"type": "web_search_20250305", "name": "web_search"},
            ],
            "messages": [
                {"role": "user", "content": "Where am I?"},
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "t0", "name": "tide", "input": {}}],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "t0", "content": "Kiel"},
                        {"type": "text", "text": "High tide?"},
                    ],
                },
            ],
        },
        plain=lambda: anthropic.plain(
            "I ", "look.", anthropic.tool_use("tide", {"at": "Kiel"}), stop="tool_use"
        ),
        events=lambda: [
            anthropic.started(),
            *anthropic.text_block(0, "I ", "look."),
            *anthropic.block(
                1,
                anthropic.tool_use("tide", {}),
                [{"type": "input_json_delta", "partial_json": ARGUMENTS}],
            ),
            *anthropic.finished("tool_use"),
        ],
        prompt=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Where am I?"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"id": "t0", "type": "function", "function": {"name": "tide", "arguments": {}}}
                ],
            },
            {"role": "tool", "content": "Kiel", "tool_call_id": "t0"},
            {"role": "user", "content": "High tide?"},
        ],
        reply={"role": "assistant", "content": "I look.", "tool_calls": [called("toolu_1")]},
    ),
    "responses": Case(
        route="/v1/responses",
        ask={
            "model": "m",
            "instructions": "Be brief.",
            "tools": [{"type": "function"} | FUNCTION, {"type": "web_search"}],
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Where am I?"}]},
                {"type": "function_call", "call_id": "t0", "name": "tide", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "t0", "output": "Kiel"},
                {"role": "user", "content": "High tide?"},
            ],
        },
        plain=lambda: plain_response(message_item("I look."), call_item("tide", ARGUMENTS)),
        events=lambda: response_events(
            message_events("I ", "look."), call_events("tide", ARGUMENTS)
        ),
        prompt=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Where am I?"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"id": "t0", "type": "function", "function": {"name": "tide", "arguments": {}}}
                ],
            },
            {"role": "tool", "content": "Kiel", "tool_call_id": "t0"},
            {"role": "user", "content": "High tide?"},
        ],
        reply={"role": "assistant", "content": "I look.", "tool_calls": [called("call_1")]},
    ),
}
BOTH = pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "stream"])


async def exported(
    upstream: Upstream, folder: Path, *, route: str, ask: dict[str, Any], script: Script
) -> dict[str, Any]:
    """The KTO row of an exchange that was liked."""
    upstream.script = [script]
    settings = local_settings(folder, upstreams=[{"url": upstream.url}])
    async with serving_locally(settings) as local:
        got = await local.client.post(route, json=ask)
        rated = {"id": got.headers["x-fairlead-id"], "rating": "up"}
        assert (await local.client.post("/v1/feedback", json=rated)).status_code == 201
        found = await local.client.get("/v1/preferences/export", params={"format": "kto"})
    assert found.content.count(b"\n") == 1, got.text
    row: dict[str, Any] = found.json()
    return row


@BOTH
@pytest.mark.parametrize("name", CASES)
async def test_an_exchange_becomes_a_conversation(
    upstream: Upstream, tmp_path: Path, *, name: str, is_stream: bool
) -> None:
    """System prompt, calls, results and tools are in chat's form, whoever spoke which dialect."""
    case = CASES[name]
    script = Stream(case.events()) if is_stream else Status(200, case.plain())

    row = await exported(
        upstream, tmp_path, route=case.route, ask=case.ask | {"stream": is_stream}, script=script
    )

    assert row["prompt"] == case.prompt
    assert row["completion"] == [case.reply]
    assert row["tools"] == TOOLS


async def test_a_text_completion_is_a_question_and_its_answer(
    upstream: Upstream, tmp_path: Path
) -> None:
    """The prompt is the user's; there is nothing else."""
    row = await exported(
        upstream,
        tmp_path,
        route="/v1/completions",
        ask={"model": "m", "prompt": "High tide?"},
        script=Status(200, text_completion("Noon.")),
    )

    assert row["prompt"] == [{"role": "user", "content": "High tide?"}]
    assert row["completion"] == [{"role": "assistant", "content": "Noon."}]
    assert "tools" not in row
