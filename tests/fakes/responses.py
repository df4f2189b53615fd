"""What a scripted upstream says on `/v1/responses`: whole responses and typed events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.fakes.replies import CREATED, MODEL, encode

RESPONSE_ID = "resp_fake1"
USAGE = {
    "input_tokens": 7,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 12,
}

Json = dict[str, Any]


def text_part(text: str) -> Json:
    """A message's part."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def message_item(*texts: str, **extra: Any) -> Json:
    """A message with one part for each text."""
    item = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant"}
    return item | {"content": [text_part(text) for text in texts]} | extra


def call_item(name: str, arguments: str) -> Json:
    """A function call."""
    item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed"}
    return item | {"name": name, "arguments": arguments}


def custom_item(name: str, text: str) -> Json:
    """A custom tool call."""
    item = {"type": "custom_tool_call", "id": "ct_1", "call_id": "call_2", "name": name}
    return item | {"input": text}


def reasoning_item(summary: str) -> Json:
    """A reasoning item with one summary part."""
    part = {"type": "summary_text", "text": summary}
    return {"type": "reasoning", "id": "rs_1", "summary": [part]}


def response(*items: Json, status: str = "completed", **extra: Any) -> Json:
    """A response object with these items."""
    body = {
        "id": RESPONSE_ID,
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": MODEL,
        "output": list(items),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "text": {"format": {"type": "text"}},
        "usage": USAGE,
    }
    return body | extra


def plain_response(*items: Json, **extra: Any) -> bytes:
    """A plain reply."""
    return encode(response(*items, **extra))


def typed(number: int, body: Json) -> bytes:
    """One event as OpenAI writes it: its name, and its number in the data."""
    data = encode(body | {"sequence_number": number})
    return b"event: " + body["type"].encode() + b"\ndata: " + data + b"\n\n"


def typed_events(bodies: Sequence[Json]) -> list[bytes]:
    """Events in order."""
    return [typed(number, body) for number, body in enumerate(bodies)]


def response_events(*items: Sequence[Json], end: str = "completed", **extra: Any) -> list[bytes]:
    """A whole stream: its head, the given items' events, its end with the whole response."""
    begun = response(status="in_progress", usage=None, **extra)
    bodies: list[Json] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for at, events in enumerate(items):
        bodies += [event | {"output_index": at} for event in events]
    done = [events[-1]["item"] for events in items]
    last = response(*done, status=end, **extra)
    return typed_events([*bodies, {"type": f"response.{end}", "response": last}])


def message_events(*pieces: str) -> list[Json]:
    """The events of one message."""
    whole, at = text_part("".join(pieces)), {"item_id": "msg_1", "content_index": 0}
    begun = message_item() | {"status": "in_progress"}
    return [
        {"type": "response.output_item.added", "item": begun},
        {"type": "response.content_part.added", "part": text_part("")} | at,
        *(
            {"type": "response.output_text.delta", "delta": piece, "logprobs": []} | at
            for piece in pieces
        ),
        {"type": "response.output_text.done", "text": whole["text"], "logprobs": []} | at,
        {"type": "response.content_part.done", "part": whole} | at,
        {"type": "response.output_item.done", "item": message_item(whole["text"])},
    ]


def call_events(name: str, *pieces: str) -> list[Json]:
    """The events of one function call."""
    whole = "".join(pieces)
    stem, at = "response.function_call_arguments", {"item_id": "fc_1"}
    return [
        {"type": "response.output_item.added", "item": call_item(name, "")},
        *({"type": f"{stem}.delta", "delta": piece} | at for piece in pieces),
        {"type": f"{stem}.done", "arguments": whole, "name": name} | at,
        {"type": "response.output_item.done", "item": call_item(name, whole)},
    ]


def custom_events(name: str, *pieces: str) -> list[Json]:
    """The events of one custom tool call."""
    whole = "".join(pieces)
    stem, at = "response.custom_tool_call_input", {"item_id": "ct_1"}
    return [
        {"type": "response.output_item.added", "item": custom_item(name, "")},
        *({"type": f"{stem}.delta", "delta": piece} | at for piece in pieces),
        {"type": f"{stem}.done", "input": whole} | at,
        {"type": "response.output_item.done", "item": custom_item(name, whole)},
    ]


def reasoning_events(*pieces: str) -> list[Json]:
    """The events of one reasoning item with a summary."""
    whole, at = "".join(pieces), {"item_id": "rs_1", "summary_index": 0}
    stem, begun = "response.reasoning_summary", {"type": "summary_text", "text": ""}
    return [
        {"type": "response.output_item.added", "item": reasoning_item("") | {"summary": []}},
        {"type": f"{stem}_part.added", "part": begun} | at,
        *({"type": f"{stem}_text.delta", "delta": piece} | at for piece in pieces),
        {"type": f"{stem}_text.done", "text": whole} | at,
        {"type": f"{stem}_part.done", "part": begun | {"text": whole}} | at,
        {"type": "response.output_item.done", "item": reasoning_item(whole)},
    ]
