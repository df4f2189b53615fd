"""Streams gone wrong: well-formed ones with some of their events changed, in any format."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from tests.fakes.engine import BAD
from tests.fakes.replies import encode
from tests.wire.base import Json, Wire, sent_events
from tests.wire.texts import HOLE, RAW_PIECE

Events = list[bytes]
Draw = st.DrawFn

_JUNK: tuple[Any, ...] = (None, True, 0, 5, -1, 2**70, 0.5, "", "x", [], [[]], {}, {"x": {}})
_FIELDS = (
    *("text", "content", "delta", "refusal", "thinking", "message", "reasoning", "arguments"),
    *("input", "item", "part", "output", "partial_json", "content_block", "citation", "summary"),
    *("choices", "tool_calls", "function", "function_call", "response", "transcript", "novel"),
)
_STRAY = (
    *(b": comment\n\n", b": \xff\n\n", b"\n\n", b"data:\n\n", b"data\n\n", b"event: x\n\n"),
    *(b"id: 3\nretry: 5\n\n", b"data: {\n\n", b"data: null\n\n", b"data: [1]\n\n", b"data: 5\n\n"),
    *(b"data: [DONE]\n\n", b"data: [DONE] \n\n", b"data: \xff\n\n", b'data: "\xed\xa0\x80"\n\n'),
    *(f'data: "{BAD}{HOLE}"\n\n'.encode(), f"event: {BAD}\ndata: {{\n\n".encode()),
    *(b'data: {"type":\ndata: "ping"}\n\n', b'data: {"choices":null}\n\n', b"data: {}\n\n"),
    b'event: error\ndata: {"type":"error","error":{"message":"Busy"}}\n\n',
    b'data: {"error":{"message":"Busy"}}\n\n',
)


def mutated(wire: Wire) -> st.SearchStrategy[tuple[Json, bytes]]:
    """What is asked, and the bytes of a stream that went wrong in some ways."""

    @st.composite
    def stream(draw: Draw) -> tuple[Json, bytes]:
        asked, events = draw(wire.streams)
        for _ in range(draw(st.integers(1, 6))):
            events = draw(st.sampled_from(_CHANGES))(draw, wire, events)
        return asked, _filled(draw(line_ends(b"".join(events))))

    return stream()


def line_ends(body: bytes) -> st.SearchStrategy[bytes]:
    """The same stream with other line ends, or with comments between its events."""
    ways = [body, body.replace(b"\n", b"\r\n"), body.replace(b"\n", b"\r")]
    ways += [b": hi\n\n" + body, body.replace(b"\ndata: ", b"\n: hi\ndata:")]
    return st.sampled_from(ways)


def _drop(draw: Draw, wire: Wire, events: Events) -> Events:
    at = draw(st.integers(0, len(events)))
    return events[:at] + events[at + 1 :]


def _double(draw: Draw, wire: Wire, events: Events) -> Events:
    return [*events, draw(st.sampled_from(events))] if events else events


def _move(draw: Draw, wire: Wire, events: Events) -> Events:
    if not events:
        return events
    one = draw(st.sampled_from(events))
    rest = list(events)
    rest.remove(one)
    at = draw(st.integers(0, len(rest)))
    return [*rest[:at], one, *rest[at:]]


def _stray(draw: Draw, wire: Wire, events: Events) -> Events:
    at = draw(st.integers(0, len(events)))
    novel = {"type": draw(st.sampled_from(["novel", "response.novel.delta"]))}
    novel |= {draw(st.sampled_from(_FIELDS)): draw(_hostile)}
    told = _event(novel["type"], novel)
    return [*events[:at], draw(st.sampled_from([*_STRAY, told])), *events[at:]]


def _edit(draw: Draw, wire: Wire, events: Events) -> Events:
    """One event with one of its values changed."""
    if not events:
        return events
    at = draw(st.integers(0, len(events) - 1))
    body = _body(events[at])
    if not isinstance(body, dict):
        return events
    draw(st.sampled_from(_EDITS))(draw, wire, body)
    return [*events[:at], _event(body.get("type"), body), *events[at + 1 :]]


def _remove(draw: Draw, wire: Wire, body: Json) -> None:
    node = draw(st.sampled_from(list(_nodes(body, frozenset()))))
    if node:
        del node[draw(st.sampled_from(sorted(node)))]


def _spoil(draw: Draw, wire: Wire, body: Json) -> None:
    node = draw(st.sampled_from(list(_nodes(body, frozenset()))))
    if node:
        node[draw(st.sampled_from(sorted(node)))] = draw(st.sampled_from(_JUNK))


def _say(draw: Draw, wire: Wire, body: Json) -> None:
    """Text at any place that is no label's."""
    node = draw(st.sampled_from(list(_nodes(body, wire.labels))))
    known = sorted(key for key in node if key not in wire.labels)
    key, said = draw(st.sampled_from([*known, *_FIELDS])), draw(_hostile)
    if not _is_setting(key, said):
        node[key] = said


def _copy(draw: Draw, wire: Wire, body: Json) -> None:
    """A value under another field's name, too."""
    node = draw(st.sampled_from(list(_nodes(body, wire.labels))))
    known = sorted(key for key in node if key not in wire.labels)
    if known:
        key, value = draw(st.sampled_from(_FIELDS)), node[draw(st.sampled_from(known))]
        if not _is_setting(key, value):
            node[key] = value


def _renumber(draw: Draw, wire: Wire, body: Json) -> None:
    """Another index, type or id."""
    nodes = _nodes(body, frozenset())
    found = [(n, k) for n in nodes for k in n if k.endswith(("index", "type", "id"))]
    if found:
        node, key = draw(st.sampled_from(found))
        node[key] = draw(st.sampled_from([0, 1, 2, 7, "message", "output_text", "novel", "text"]))


_hostile = st.one_of(
    RAW_PIECE,
    RAW_PIECE.map(lambda said: {"text": said}),
    RAW_PIECE.map(lambda said: [said]),
    RAW_PIECE.map(lambda said: [{"type": "text", "text": said}]),
    RAW_PIECE.map(lambda said: {"novel": [{"words": said}]}),
    RAW_PIECE.map(lambda said: said * 500),
)
_CHANGES: tuple[Callable[[Draw, Wire, Events], Events], ...] = (
    *(_drop, _double, _move, _stray, _edit, _edit, _edit),
)
_EDITS: tuple[Callable[[Draw, Wire, Json], None], ...] = (_remove, _spoil, _say, _copy, _renumber)


def _nodes(value: Any, labels: frozenset[str]) -> Iterator[Json]:
    """Every object of a body that is below none of the given fields."""
    if isinstance(value, dict):
        yield value
        for key, inner in value.items():
            if key not in labels and not _is_setting(key, inner):
                yield from _nodes(inner, labels)
    elif isinstance(value, list):
        for inner in value:
            yield from _nodes(inner, labels)


def _is_setting(key: str, value: Any) -> bool:
    """A response repeats the settings of its text and its reasoning as objects."""
    return key in {"text", "reasoning"} and isinstance(value, dict)


def _body(event: bytes) -> Any:
    try:
        [sent] = sent_events(event)
        return json.loads(sent.data or "")
    except ValueError:
        return None


def _event(kind: Any, body: Json) -> bytes:
    name = f"event: {kind}\n".encode() if isinstance(kind, str) else b""
    return name + b"data: " + encode(body) + b"\n\n"


def _filled(body: bytes) -> bytes:
    """The holes filled with marks, no two alike."""
    count = itertools.count(10_000)
    return re.sub(HOLE.encode(), lambda _: f"Q{next(count)}Z".encode(), body)
