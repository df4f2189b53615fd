"""JSON bodies and events: bytes to dicts with limits, and back."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from service.errors import BadRequest, UpstreamMalformed

DONE = b"data: [DONE]\n\n"
"""The end mark of OpenAI's streams."""

_NAME_END = re.compile(rb'"\s*:')
_LISTS = ("messages", "input", "system", "content")
_READ = frozenset(
    {"messages", "input", "system", "instructions", "prompt", "suffix", "content", "text"}
    | {"role", "type", "model", "stream", "n", "echo", "tools", "output", "source", "data"}
)

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
    if has_twins(value, body):
        raise BadRequest("The body gives a name twice in one object; which one counts is unclear.")
    if name := misread_name(value):
        raise BadRequest(f"`{name[:40]}` is written in small letters; servers differ on others.")
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


def has_twins(value: Any, source: bytes) -> bool:
    """Whether an object in `source`, of which `value` was read, names a field twice.

    We read the last of them, and an upstream may read the first.
    """
    # What a client library wrote reads back as it was; else names are counted, and only where
    # more look like one than were read is the source read again.
    if orjson.dumps(value) == source or len(_NAME_END.findall(source)) == _count_names(value):
        return False
    try:
        json.loads(source.decode(), object_pairs_hook=_untwinned, parse_int=float)
    except _TwinError:
        return True
    return False


def misread_name(asked: dict[str, Any]) -> str | None:
    """A name that we do not read and that servers which ignore case do, such as `Content`."""
    nodes: list[Any] = [asked]
    for _ in range(3):
        for node in nodes:
            for name in node:
                if not (name.islower() and name.isascii()) and name.casefold() in _READ:
                    return str(name)
        nodes = [
            item
            for node in nodes
            for listing in (node.get(name) for name in _LISTS)
            for item in (listing if isinstance(listing, list) else ())
            if isinstance(item, dict)
        ]
    return None


class _TwinError(ValueError):
    """An object names a field twice."""


def _untwinned(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _TwinError
    return found


def _count_names(value: Any) -> int:
    count, nodes = 0, [value]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            count += len(node)
            nodes.extend(node.values())
        elif isinstance(node, list):
            nodes.extend(node)
    return count


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
