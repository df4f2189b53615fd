"""The text that Anthropic's content blocks, deltas and events carry, by channel.

Blocks are read by their fields, not by their type: a type that is not known is
held as well. Only names, ids, seals and addresses are no text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from service.dialects.body import encode
from service.dialects.text import REASONING, REFUSAL
from service.errors import UpstreamMalformed
from service.exchange import CONTENT

CITATIONS = "citations"

Texts = Iterator[tuple[str, str]]

_LABELS = frozenset(
    {"type", "id", "index", "role", "model", "signature", "status", "error_code", "media_type"}
    | {"encrypted_content", "encrypted_index", "encrypted_stdout", "url", "expires_at"}
    | {"page_age", "retrieved_at", "cache_control", "caller", "category"}
)
_LABEL_ENDS = ("_id", "_url")
_SEALED = frozenset({"redacted_thinking", "base64"})
_MESSAGE_LABELS = _LABELS | {"content", "usage", "stop_reason", "stop_sequence", "stop_details"}
_EVENT_LABELS = _LABELS | {"message", "content_block", "delta", "usage", "error"}
_PLAIN = {"text": CONTENT, "thinking": REASONING}


def message_texts(message: Mapping[str, Any]) -> Texts:
    """Channel and text of everything that a message says; wrong types are `UpstreamMalformed`."""
    for index, block in enumerate(blocks_of(message)):
        yield from block_texts(block, index)
    yield from _under(REFUSAL, message.get("stop_details"))
    yield from _others(message, _MESSAGE_LABELS)


def block_texts(block: Any, index: int) -> Texts:
    """The same for one content block, or for the delta of one, at its index."""
    if not isinstance(block, dict):
        raise UpstreamMalformed(f"The upstream sent a block that is not an object: {index}.")
    is_tool = str(block.get("type", "")).endswith("tool_use")
    for key, value in block.items():
        if value is None or value == "" or _is_label(block, key):
            continue
        if key in _PLAIN:
            yield _PLAIN[key], _string(value, key)
        elif key == "partial_json":
            yield f"tool:{index}:arguments", _string(value, key)
        elif is_tool and key in {"name", "input"}:
            yield from _called(index, key, value)
        elif key in {"citation", CITATIONS}:
            yield from _under(CITATIONS, value, end="\n")
        else:
            yield from _under(f"other:{key}", value)


def event_texts(body: Mapping[str, Any]) -> Texts:
    """The text of a streamed event, whatever its type."""
    index = block_index(body)
    message, delta = body.get("message"), body.get("delta")
    if isinstance(message, dict) and body.get("type") == "message_start":
        yield from message_texts(message)
    elif message is not None:
        yield from _under("other:message", message)
    if body.get("content_block") is not None:
        yield from block_texts(body["content_block"], index)
    if isinstance(delta, dict) and body.get("type") == "message_delta":
        yield from message_texts(delta)
    elif delta is not None:
        yield from block_texts(delta, index)
    yield from _others(body, _EVENT_LABELS)


def blocks_of(message: Mapping[str, Any]) -> list[Any]:
    """The content blocks of a message; null counts as none."""
    content = message.get("content")
    if content is None:
        return []
    if not isinstance(content, list):
        raise UpstreamMalformed("The upstream sent a `content` that is not a list.")
    return content


def block_index(body: Mapping[str, Any]) -> int:
    """The index that an event names, 0 where it names none."""
    index = body.get("index", 0)
    if isinstance(index, int) and not isinstance(index, bool) and index >= 0:
        return index
    raise UpstreamMalformed("The upstream sent an event whose `index` is not a whole number.")


def nested_texts(value: Any) -> Iterator[str]:
    """Every text below a value, without what only names, addresses or seals."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from nested_texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not _is_label(value, key):
                yield from nested_texts(item)


def _is_label(block: Mapping[str, Any], key: str) -> bool:
    if key in _LABELS or key.endswith(_LABEL_ENDS):
        return True
    kind = block.get("type")
    return key == "data" and isinstance(kind, str) and kind in _SEALED


def _others(value: Mapping[str, Any], labels: frozenset[str]) -> Texts:
    for key, item in value.items():
        if key not in labels and not key.endswith(_LABEL_ENDS):
            yield from _under(f"other:{key}", item)


def _under(channel: str, value: Any, *, end: str = "") -> Texts:
    if text := "\n".join(nested_texts(value)):
        yield channel, text + end


def _called(index: int, key: str, value: Any) -> Texts:
    if key == "name":
        yield f"tool:{index}:name", _string(value, key)
    elif value != {}:
        yield f"tool:{index}:arguments", encode(value).decode()


def _string(value: Any, key: str) -> str:
    if isinstance(value, str):
        return value
    raise UpstreamMalformed(f"The upstream sent a `{key}` that is not a string.")
