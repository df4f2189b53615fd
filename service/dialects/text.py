"""The text that a message or a delta carries, by channel.

Nothing that might be text is skipped: a field that is not known is a channel of
its own (`other:FIELD`), so that it cannot pass a veto unscored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from service.dialects.body import encode
from service.errors import UpstreamMalformed
from service.exchange import CONTENT

REFUSAL = "refusal"
REASONING = "reasoning"
AUDIO = "audio"

Texts = Iterator[tuple[str, str]]

# Names, ids and sealed values: never something that a model says to a reader.
_LABELS = frozenset(
    {"id", "type", "role", "object", "index", "name", "signature", "obfuscation"}
    | {"tool_call_id", "thought_signature", "encrypted_content", "created", "model"}
)
_INNER_LABELS = _LABELS | {
    "data",
    "url",
    "b64_json",
    "file_data",
    "format",
    "status",
    "mime_type",
    "media_type",
}
_LABEL_ENDS = ("_id", "_signature", "_url")
_MESSAGES = frozenset({"message", "delta"})
_CHOICE_LABELS = frozenset(
    {"index", "message", "delta", "logprobs", "finish_reason", "native_finish_reason"}
    | {"stop_reason", "matched_stop", "content_filter_results", "content_filter_result"}
    | {"content_filter_offsets"}
)
EVENT_LABELS = frozenset(
    {"id", "object", "created", "model", "usage", "system_fingerprint", "service_tier"}
    | {"choices", "error", "provider", "prompt_filter_results", "x_groq", "obfuscation"}
    | {"metadata", "prompt_logprobs", "prompt_token_ids", "kv_transfer_params", "fairlead"}
)
"""What a reply or an event of a stream has beside what it says; any other field counts as said."""


def message_texts(message: Mapping[str, Any]) -> Texts:
    """Channel and text of everything that a message or a delta says.

    `UpstreamMalformed` where a known field has the wrong type.
    """
    for key, value in message.items():
        if value is None or value == "" or key in _LABELS or _repeats(message, key):
            continue
        reader = _READERS.get(key)
        if reader is not None:
            yield from reader(value)
        else:
            yield from _other(key, value)


def choice_texts(choice: Mapping[str, Any], message: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The same for a choice: what its message says, and what stands beside it.

    A choice that has both a message and a delta says what is in both.
    """
    content = message.get("content")
    if len(message) == 1 and isinstance(content, str):
        texts = [(CONTENT, content)] if content else []
    else:
        texts = list(message_texts(message))
    for key, value in choice.items():
        if key in _MESSAGES and value is not message:
            texts.extend(message_texts(value) if isinstance(value, dict) else _other(key, value))
        elif key not in _CHOICE_LABELS and value and value != content:
            texts.extend(_other(key, value))
    return texts


def beside_texts(body: Mapping[str, Any]) -> Texts:
    """The text of a reply or an event beside its choices, in fields that are not known."""
    for key, value in body.items():
        if key not in EVENT_LABELS:
            yield from _other(key, value)


def known_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """A reply or an event without the fields that are not known."""
    return {key: value for key, value in body.items() if key in EVENT_LABELS}


def _repeats(message: Mapping[str, Any], key: str) -> bool:
    """Some servers write the reasoning twice, under its old and its new name."""
    return key == "reasoning" and message[key] == message.get("reasoning_content")


def _other(key: str, value: Any) -> Texts:
    if text := "\n".join(nested_texts(value)):
        yield f"other:{key}", text


def nested_texts(value: Any) -> Iterator[str]:
    """Every text below a value, without what only names, types or seals."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from nested_texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _INNER_LABELS and not key.endswith(_LABEL_ENDS):
                yield from nested_texts(item)


def _content(content: Any) -> Texts:
    if isinstance(content, str):
        yield CONTENT, content
        return
    for part in _list(content, "content"):
        if not isinstance(part, str | dict):
            raise UpstreamMalformed("The upstream sent a content part that is not an object.")
        kind = part.get("type") if isinstance(part, dict) else None
        channel = {"thinking": REASONING, "reasoning": REASONING, "refusal": REFUSAL}
        if text := "\n".join(nested_texts(part)):
            yield (channel.get(kind, CONTENT) if isinstance(kind, str) else CONTENT), text


def _under(channel: str) -> Callable[[Any], Texts]:
    def read(value: Any) -> Texts:
        if text := "\n".join(nested_texts(value)):
            yield channel, text

    return read


def _tool_calls(calls: Any) -> Texts:
    for position, call in enumerate(_list(calls, "tool_calls")):
        known = _dict(call, "tool_calls")
        index = known.get("index")
        channel = f"tool:{index if isinstance(index, int) else position}"
        for key, value in known.items():
            if key in {"function", "custom"}:
                yield from _called(channel, value)
            elif key not in _LABELS:
                yield from _other("tool_calls", value)


def _function_call(call: Any) -> Texts:
    yield from _called("function", call)


def _called(channel: str, called: Any) -> Texts:
    for key, value in _dict({} if called is None else called, "function").items():
        if value is None or value == "":
            continue
        text = value if isinstance(value, str) else encode(value).decode()
        yield f"{channel}:{'name' if key == 'name' else 'arguments'}", text


def _list(value: Any, field: str) -> list[Any]:
    if not isinstance(value, list):
        raise UpstreamMalformed(f"The upstream sent a `{field}` of a type that is not allowed.")
    return value


def _dict(value: Any, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UpstreamMalformed(f"The upstream sent a `{field}` of a type that is not allowed.")
    return value


_READERS: dict[str, Callable[[Any], Texts]] = {
    "content": _content,
    "refusal": _under(REFUSAL),
    "reasoning": _under(REASONING),
    "reasoning_content": _under(REASONING),
    "tool_calls": _tool_calls,
    "function_call": _function_call,
    "audio": _under(AUDIO),
}
