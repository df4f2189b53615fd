"""What a scripted upstream says in Anthropic's format: bodies and events as bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.fakes.replies import encode

MESSAGE_ID = "msg_fake1"
MODEL = "claude-fake"
STARTED = {"input_tokens": 7, "cache_read_input_tokens": 2, "output_tokens": 1}
USAGE = {"input_tokens": 7, "output_tokens": 5}
PING = b'event: ping\ndata: {"type": "ping"}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def ask(content: Any = "Hello?", **fields: Any) -> dict[str, Any]:
    """A request of one user message."""
    messages = [{"role": "user", "content": content}]
    return {"model": MODEL, "max_tokens": 64, "messages": messages} | fields


def text(said: str, **fields: Any) -> dict[str, Any]:
    """A block of text."""
    return {"type": "text", "text": said} | fields


def tool_use(name: str, given: Any) -> dict[str, Any]:
    """A tool call."""
    return {"type": "tool_use", "id": "toolu_1", "name": name, "input": given}


def message(*blocks: Any, stop: str | None = "end_turn", **fields: Any) -> dict[str, Any]:
    """A plain reply; a block may be a text."""
    content = [text(block) if isinstance(block, str) else block for block in blocks]
    return {
        "id": MESSAGE_ID,
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": USAGE,
    } | fields


def plain(*blocks: Any, **fields: Any) -> bytes:
    """The same as bytes."""
    return encode(message(*blocks, **fields))


def event(kind: str, **fields: Any) -> bytes:
    """One named event."""
    return f"event: {kind}\n".encode() + b"data: " + encode({"type": kind} | fields) + b"\n\n"


def started(**fields: Any) -> bytes:
    """The start of a message."""
    return event("message_start", message=message(stop=None, usage=STARTED) | fields)


def finished(stop: str = "end_turn") -> list[bytes]:
    """The end of a message."""
    delta = {"stop_reason": stop, "stop_sequence": None}
    return [event("message_delta", delta=delta, usage={"output_tokens": 5}), STOP]


def block(index: int, start: dict[str, Any], deltas: Iterable[dict[str, Any]]) -> list[bytes]:
    """One whole block: its start, its deltas, its stop."""
    return [
        event("content_block_start", index=index, content_block=start),
        *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
        event("content_block_stop", index=index),
    ]


def text_block(index: int, *pieces: str) -> list[bytes]:
    """A block of text, piece by piece."""
    return block(index, text(""), ({"type": "text_delta", "text": piece} for piece in pieces))


def tool_block(index: int, name: str, *pieces: str) -> list[bytes]:
    """A tool call, its input piece by piece."""
    deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
    return block(index, tool_use(name, {}), deltas)


def thinking_block(index: int, *pieces: str) -> list[bytes]:
    """A block of thinking with its signature."""
    deltas: list[dict[str, Any]] = [{"type": "thinking_delta", "thinking": p} for p in pieces]
    deltas.append({"type": "signature_delta", "signature": "c2ln"})
    return block(index, {"type": "thinking", "thinking": "", "signature": ""}, deltas)


def stream(*blocks: list[bytes], stop: str = "end_turn") -> list[bytes]:
    """A whole streamed reply."""
    events = [started(), PING]
    for one in blocks:
        events += one
    return [*events, *finished(stop)]


def text_stream(*pieces: str) -> list[bytes]:
    """A whole streamed reply of one block of text."""
    return stream(text_block(0, *pieces))
