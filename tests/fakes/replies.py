"""What a scripted upstream says: OpenAI-shaped bodies and events as bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

DONE = b"data: [DONE]\n\n"
REPLY_ID = "chatcmpl-fake1"
MODEL = "fake-model"
CREATED = 1_700_000_000
USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


def encode(value: Any) -> bytes:
    """JSON as most upstreams write it: compact, not ASCII-only."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def tool_call(name: str, arguments: str, *, call_id: str = "call_1") -> dict[str, Any]:
    """One tool call of a plain message; `arguments` is the JSON text."""
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def message(content: str | None = "Hello there.", **extra: Any) -> dict[str, Any]:
    """An assistant message with any further fields."""
    return {"role": "assistant", "content": content} | extra


def completion(*contents: str | Mapping[str, Any] | None, **extra: Any) -> bytes:
    """A plain reply with one choice for each content (a text, null or a whole message).

    `extra` adds or replaces top-level fields; with no contents `choices` is empty.
    """
    choices = [_choice(index, content) for index, content in enumerate(contents)]
    body = {
        "id": REPLY_ID,
        "object": "chat.completion",
        "created": CREATED,
        "model": MODEL,
        "choices": choices,
        "usage": USAGE,
    }
    return encode(body | extra)


def _choice(index: int, content: str | Mapping[str, Any] | None) -> dict[str, Any]:
    said = dict(content) if isinstance(content, Mapping) else message(content)
    reason = "tool_calls" if said.get("tool_calls") else "stop"
    return {"index": index, "message": said, "logprobs": None, "finish_reason": reason}


def chunk(
    delta: Mapping[str, Any], *, choice: int = 0, finish: str | None = None, **extra: Any
) -> dict[str, Any]:
    """One `chat.completion.chunk` with one choice; `extra` adds or replaces top-level fields."""
    body = {
        "id": REPLY_ID,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": MODEL,
        "choices": [{"index": choice, "delta": dict(delta), "finish_reason": finish}],
    }
    return body | extra


def usage_chunk() -> dict[str, Any]:
    """The chunk without choices that `include_usage` asks for."""
    return chunk({}) | {"choices": [], "usage": USAGE}


def event(data: Any, *, ends: str = "\n") -> bytes:
    """One SSE event: a dict is written as JSON, text as it is, bytes are taken to be whole."""
    if isinstance(data, bytes):
        return data
    text = data if isinstance(data, str) else encode(data).decode()
    return f"data: {text}{ends}{ends}".encode()


def text_events(
    *pieces: str,
    choice: int = 0,
    finish: str | None = "stop",
    usage: bool = False,
    done: bool = True,
    ends: str = "\n",
) -> list[bytes]:
    """A whole streamed reply of one choice: role, pieces, finish, usage, end mark."""
    chunks = [chunk({"role": "assistant", "content": ""}, choice=choice)]
    chunks += [chunk({"content": piece}, choice=choice) for piece in pieces]
    if finish is not None:
        chunks.append(chunk({}, choice=choice, finish=finish))
    if usage:
        chunks.append(usage_chunk())
    events = [event(data, ends=ends) for data in chunks]
    return [*events, event("[DONE]", ends=ends)] if done else events


def tool_events(name: str, *arguments: str, call_id: str = "call_1") -> list[bytes]:
    """A streamed tool call: its head, its arguments piece by piece, finish and end mark."""
    head = tool_call(name, "", call_id=call_id) | {"index": 0}
    chunks = [chunk({"role": "assistant", "content": None, "tool_calls": [head]})]
    chunks += [
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        for piece in arguments
    ]
    chunks.append(chunk({}, finish="tool_calls"))
    return [*(event(data) for data in chunks), DONE]


def interleaved(streams: Sequence[Sequence[str]]) -> list[bytes]:
    """Several choices written in turn, as an upstream does for n > 1."""
    count = range(len(streams))
    chunks = [chunk({"role": "assistant", "content": ""}, choice=index) for index in count]
    for step in range(max(len(pieces) for pieces in streams)):
        chunks += [
            chunk({"content": pieces[step]}, choice=index)
            for index, pieces in enumerate(streams)
            if step < len(pieces)
        ]
    chunks += [chunk({}, choice=index, finish="stop") for index in count]
    return [*(event(data) for data in chunks), DONE]


def text_completion(*texts: str, **extra: Any) -> bytes:
    """A plain text completion with one choice for each text; `extra` as for `completion`."""
    choices = [
        {"text": text, "index": index, "logprobs": None, "finish_reason": "stop"}
        for index, text in enumerate(texts)
    ]
    head = {"id": "cmpl-fake1", "object": "text_completion", "created": CREATED, "model": MODEL}
    return encode(head | {"choices": choices, "usage": USAGE} | extra)


def text_chunk(text: str, *, choice: int = 0, finish: str | None = None) -> dict[str, Any]:
    """One event of a streamed text completion."""
    said = {"text": text, "index": choice, "logprobs": None, "finish_reason": finish}
    head = {"id": "cmpl-fake1", "object": "text_completion", "created": CREATED, "model": MODEL}
    return head | {"choices": [said]}


def text_completion_events(*pieces: str, choice: int = 0) -> list[bytes]:
    """A whole streamed text completion of one choice."""
    chunks = [text_chunk(piece, choice=choice) for piece in pieces]
    chunks.append(text_chunk("", choice=choice, finish="stop"))
    return [*(event(data) for data in chunks), DONE]


def error_body(text: str, *, kind: str = "server_error", code: str | None = None) -> bytes:
    """An upstream's own error in OpenAI's envelope."""
    return encode({"error": {"message": text, "type": kind, "param": None, "code": code}})
