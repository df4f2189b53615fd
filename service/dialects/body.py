"""JSON bodies and events: bytes to dicts with limits, and back."""

from __future__ import annotations

from typing import Any

import orjson

from service.errors import BadRequest, UpstreamMalformed

DONE = b"data: [DONE]\n\n"
"""The end mark of OpenAI's streams."""

MAX_DEPTH = 250
"""Deeper values cannot be written again by orjson."""


def request_object(body: bytes, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """The client's JSON object; `BadRequest` for anything else."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not valid JSON: {error}. Send a JSON object.") from error
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object, with `model` and `messages`.")
    if is_deeper(value, body, min(max_depth, MAX_DEPTH)):
        raise BadRequest(f"The body is nested more than {max_depth} levels deep; flatten it.")
    return value


def upstream_object(data: bytes) -> dict[str, Any]:
    """The upstream's JSON object; `UpstreamMalformed` for anything else."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UpstreamMalformed(f"The upstream sent data that is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise UpstreamMalformed("The upstream sent JSON that is not an object.")
    if is_deeper(value, data, MAX_DEPTH):
        raise UpstreamMalformed(f"The upstream sent JSON of more than {MAX_DEPTH} levels.")
    return value


def is_deeper(value: Any, source: bytes, max_depth: int) -> bool:
    """Whether a value, read from `source`, has more than `max_depth` levels of nesting."""
    # Fewer brackets than levels is the usual case and far cheaper than walking.
    if source.count(b"{") + source.count(b"[") <= max_depth:
        return False
    level = [value]
    for _ in range(max_depth):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: Any) -> list[Any]:
    values = node.values() if isinstance(node, dict) else node
    return [child for child in values if isinstance(child, dict | list)]


def encode(value: Any) -> bytes:
    """A value as compact JSON."""
    return orjson.dumps(value)


def encode_event(value: Any) -> bytes:
    """A value as one server-sent event."""
    return b"data: " + orjson.dumps(value) + b"\n\n"
