"""The text of a response's output items and events, each piece with its place.

Events repeat what was said before (a `done` event the text of its deltas, an item
its parts, the last event the whole response), so each text has a *place*: its path
in the response's output. A text that was read at its place once is not read again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from service.dialects.text import AUDIO, REASONING, REFUSAL
from service.exchange import CONTENT

Place = tuple[int | str, ...]

MAX_INDEX = 2**53
"""Numbers from here on are not whole in every client's JSON."""


@dataclass(frozen=True, slots=True)
class Said:
    """A text at its place; `is_delta` where it continues what was said there."""

    place: Place
    channel: str
    text: str
    is_delta: bool = False


# Names, ids, sealed values and bytes: never something that a model says to a reader.
_LABELS = frozenset(
    {"id", "type", "role", "object", "status", "phase", "call_id", "index", "logprobs"}
    | {"encrypted_content", "signature", "obfuscation", "format", "mime_type", "media_type"}
    | {"url", "image_url", "file_url", "b64_json", "data", "partial_image_b64", "file_data"}
    | {"namespace", "server_label", "filename"}
)
_LABEL_ENDS = ("_id", "_ids", "_url", "_signature", "_b64")
_EVENT_LABELS = _LABELS | {"item_id", "response", "item", "part", "sequence_number", "error"}
_NAMED_ENDS = ("_call", "mcp_approval_request")
_ARGUMENTS = frozenset({"arguments", "input", "code"})

RESPONSE_LABELS = frozenset(
    {"id", "object", "created_at", "completed_at", "status", "error", "incomplete_details"}
    | {"instructions", "metadata", "model", "output", "parallel_tool_calls", "temperature"}
    | {"tool_choice", "tools", "top_p", "background", "conversation", "max_output_tokens"}
    | {"max_tool_calls", "moderation", "previous_response_id", "prompt", "prompt_cache_key"}
    | {"prompt_cache_options", "prompt_cache_retention", "prompt_cache_diagnostics"}
    | {"reasoning", "safety_identifier", "service_tier", "store", "text", "tool_usage"}
    | {"top_logprobs", "truncation", "usage", "user", "billing", "access_programs"}
    | {"frequency_penalty", "presence_penalty", "min_p", "top_k", "seed", "system_fingerprint"}
)
"""What a response says of itself or repeats of its request; anything else counts as said."""

_SETTINGS = frozenset({"text", "reasoning"})

PLACES = {
    "response.output_text": ("content", "text"),
    "response.refusal": ("content", "refusal"),
    "response.reasoning_text": ("content", "text"),
    "response.reasoning": ("content", "text"),
    "response.reasoning_summary_text": ("summary", "text"),
    "response.reasoning_summary": ("summary", "text"),
    "response.function_call_arguments": ("", "arguments"),
    "response.mcp_call_arguments": ("", "arguments"),
    "response.custom_tool_call_input": ("", "input"),
    "response.code_interpreter_call_code": ("", "code"),
    "response.audio.transcript": ("audio", "transcript"),
    "response.audio_transcript": ("audio", "transcript"),
}
"""Stem of a text event -> the list of parts it belongs to ("" for the item) and its field."""

_CHANNELS = {"output_text": CONTENT, "refusal": REFUSAL, "audio": AUDIO}
_SOUND = "response.audio."


def response_texts(response: Any) -> Iterator[Said]:
    """Everything that a response says: its output, and what stands beside it."""
    if not isinstance(response, dict):
        for place, text in _walk(response, ("response",)):
            yield Said(place, "other:response", text)
        return
    output = response.get("output")
    for at, item in enumerate(output if isinstance(output, list) else [output]):
        yield from item_texts(item, at)
    for key, value in response.items():
        if not is_label(key, value) and key != "output_text":
            for place, text in _walk(value, (key,)):
                yield Said(place, f"other:{key}", text)


def is_label(key: str, value: Any) -> bool:
    """Whether a field of a response is one of its labels; settings are objects, never text."""
    is_setting = key not in _SETTINGS or not isinstance(value, str | list)
    return key in RESPONSE_LABELS and is_setting


def repeated_text(response: Mapping[str, Any]) -> str:
    """The `output_text` that some servers write beside the output, "" where there is none."""
    text = response.get("output_text")
    return text if isinstance(text, str) else ""


def item_texts(item: Any, at: int) -> Iterator[Said]:
    """What one output item says."""
    kind = _kind(item)
    for place, text in _walk(item, (at,), kind):
        yield Said(place, _channel(item, kind, place), text)


def part_texts(part: Any, place: Place, *, is_reasoning: bool) -> Iterator[Said]:
    """What one content or summary part says."""
    for at, text in _walk(part, place):
        yield Said(at, REASONING if is_reasoning else _part_channel(part, at[len(place) :]), text)


def event_texts(body: Mapping[str, Any]) -> Iterator[Said]:
    """Everything that one event says beside the item, part or response that it may carry."""
    kind = _kind(body)
    stem, _, step = kind.rpartition(".")
    known = PLACES.get(stem) if step in ("delta", "done") else None
    read = set()
    if known is not None:
        field = "delta" if step == "delta" else known[1]
        place = text_place(body, *known)
        for _, text in _walk(body.get(field), ()):
            yield Said(place, text_channel(stem, place), text, is_delta=step == "delta")
        read.add(field)
    if stem.endswith("_call_arguments") and isinstance(name := body.get("name"), str) and name:
        yield Said((place_index(body), "name"), f"tool:{place_index(body)}:name", name)
        read.add("name")
    if kind.startswith(_SOUND) and known is None:
        read.add("delta")
    yield from _others(body, kind, read)


def text_place(body: Mapping[str, Any], parts: str, field: str) -> Place:
    """Where the text of an event stands."""
    at = place_index(body)
    return (at, parts, place_index(body, f"{parts}_index"), field) if parts else (at, field)


def text_channel(stem: str, place: Place) -> str:
    """The channel of a text event."""
    if place[1] == "audio":
        return AUDIO
    if "reasoning" in stem:
        return REASONING
    if len(place) == 2:
        return f"tool:{place[0]}:arguments"
    return REFUSAL if place[-1] == "refusal" else CONTENT


def place_index(body: Mapping[str, Any], name: str = "output_index") -> int:
    """An index of an event, 0 where it has none."""
    value = body.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_INDEX:
        return value
    return 0


def _others(body: Mapping[str, Any], kind: str, read: set[str]) -> Iterator[Said]:
    for key, value in body.items():
        if key in read or key in _EVENT_LABELS or key.endswith((*_LABEL_ENDS, "_index")):
            continue
        is_delta = key == "delta"
        at: Place = (place_index(body), kind.removesuffix(".delta").removesuffix(".done"), key)
        for place, text in _walk(value, at):
            yield Said(place, f"other:{kind}", text, is_delta=is_delta)


def _walk(value: Any, place: Place, kind: str = "") -> Iterator[tuple[Place, str]]:
    """Every text below a value, with its place."""
    if isinstance(value, str):
        if value:
            yield place, value
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _walk(item, (*place, at))
    elif isinstance(value, dict):
        for key, item in value.items():
            if _is_label(key, kind):
                continue
            yield from _walk(item, (*place, key))


def _is_label(key: str, kind: str) -> bool:
    """Whether a field is no text; `kind` is that of the item whose field it is, if any."""
    if key == "name":
        return not kind.endswith(_NAMED_ENDS)
    if key == "result":
        return kind == "image_generation_call"
    return key in _LABELS or key.endswith(_LABEL_ENDS)


def _channel(item: Any, kind: str, place: Place) -> str:
    path = place[1:]
    if kind == "reasoning":
        return REASONING
    if kind == "message" and path[:1] == ("content",) and len(path) > 2:
        parts = item["content"]
        part = parts[path[1]] if isinstance(parts, list) and isinstance(path[1], int) else None
        return _part_channel(part, path[2:])
    if kind == "message" and path == ("content",):
        return CONTENT
    if kind.endswith(_NAMED_ENDS) and path == ("name",):
        return f"tool:{place[0]}:name"
    if len(path) == 1 and path[0] in _ARGUMENTS:
        return f"tool:{place[0]}:arguments"
    return f"other:{kind or 'item'}"


def _part_channel(part: Any, path: Place) -> str:
    kind = _kind(part)
    if path in (("text",), ("refusal",), ("transcript",)) or not path:
        return _CHANNELS.get(kind, CONTENT)
    return "other:content"


def _kind(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else ""
