"""Responses: streams, event by event and through the driver."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dialects.base import ReadLimits, VetoNote
from service.dialects.responses import ROUTE, Responses
from service.dialects.responses_stream import ResponsesStream
from service.errors import UpstreamCut, UpstreamMalformed
from service.exchange import Delta, Event
from service.sse import Splitter
from tests.fakes.proxy import ENFORCE
from tests.fakes.responses import (
    call_events,
    custom_events,
    message_events,
    message_item,
    reasoning_events,
    response,
    response_events,
    text_part,
    typed,
)

NOTE = VetoNote("Withheld.", {"id": "fl-1", "verdict": "veto"})
RESPONSES = Responses(now=lambda: 1234.5)
REFUSAL = ENFORCE.refusal
TEXT_DELTAS = ("response.output_text.delta", "response.refusal.delta")


def begin(**fields: Any) -> ResponsesStream:
    """A stream that answers a request with these fields."""
    asked = orjson.dumps({"model": "m", "input": "Hi", "stream": True} | fields)
    return RESPONSES.stream(RESPONSES.parse(asked, ROUTE, limits=ReadLimits()))


def datas(raw: bytes) -> list[dict[str, Any]]:
    """The data of a stream's events."""
    return [orjson.loads(found.data or b"{}") for found in Splitter(10_000_000).feed(raw)]


def read(stream: ResponsesStream, body: Any, *, sends: bool = True) -> Event:
    """One event as the dialect reads it, sent to the client unless told otherwise."""
    raw = typed(0, body) if isinstance(body.get("type"), str) else b""
    found = stream.read(raw, orjson.dumps(body))
    if sends:
        stream.sent(found)
    return found


def played(stream: ResponsesStream, events: list[bytes]) -> list[Delta]:
    """What a stream of events says, all of it sent to the client."""
    deltas: list[Delta] = []
    for raw, body in zip(events, datas(b"".join(events)), strict=True):
        found = stream.read(raw, orjson.dumps(body))
        stream.sent(found)
        deltas += found.deltas
    return deltas


def test_each_text_is_said_once() -> None:
    """Deltas are text; what later events repeat of them is not; all kinds have a channel."""
    stream = begin()
    deltas = played(
        stream,
        response_events(
            reasoning_events("Let ", "me."),
            message_events("Pa", "ris."),
            call_events("f", "{", "}"),
            custom_events("note", "Hi"),
        ),
    )
    assert deltas == [
        Delta(0, "reasoning", "Let "),
        Delta(0, "reasoning", "me."),
        Delta(0, "content", "Pa"),
        Delta(0, "content", "ris."),
        Delta(0, "tool:2:name", "f"),
        Delta(0, "tool:2:arguments", "{"),
        Delta(0, "tool:2:arguments", "}"),
        Delta(0, "tool:3:name", "note"),
        Delta(0, "tool:3:arguments", "Hi"),
    ]
    [message] = stream.messages().values()
    assert (message["content"], message["reasoning"]) == ("Paris.", "Let me.")
    assert [call["type"] for call in message["tool_calls"]] == ["function", "custom"]


def test_half_a_stream_has_half_a_message() -> None:
    """What the model wrote before a cut is there."""
    stream = begin()
    played(stream, response_events(message_events("Pa", "ris."), call_events("f", "{", "}"))[:5])
    assert stream.messages()[0]["content"] == "Pa"
    assert begin().messages() == {}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"type": "response.refusal.delta", "delta": "No."}, [("refusal", "No.")]),
        ({"type": "response.reasoning_text.delta", "delta": "Hm"}, [("reasoning", "Hm")]),
        ({"type": "response.audio.delta", "delta": "AAAA"}, []),
        ({"type": "response.audio.transcript.delta", "delta": "Hi"}, [("audio", "Hi")]),
        (
            {"type": "response.mcp_call_arguments.delta", "delta": "{", "output_index": 4},
            [("tool:4:arguments", "{")],
        ),
        (
            {"type": "response.code_interpreter_call_code.done", "code": "x = 1"},
            [("tool:0:arguments", "x = 1")],
        ),
        (
            {"type": "response.function_call_arguments.done", "arguments": "{}", "name": "f"},
            [("tool:0:arguments", "{}"), ("tool:0:name", "f")],
        ),
        ({"type": "novel.delta", "delta": "psst"}, [("other:novel.delta", "psst")]),
        (
            {"type": "response.output_text.delta", "delta": "a", "beside": {"x": "b"}},
            [("content", "a"), ("other:response.output_text.delta", "b")],
        ),
        (
            {
                "type": "response.output_text.annotation.added",
                "annotation": {"type": "url_citation", "title": "T", "url": "u"},
            },
            [("other:response.output_text.annotation.added", "T")],
        ),
        ({"type": "response.content_part.added", "part": text_part("Hi")}, [("content", "Hi")]),
        (
            {"type": "response.content_part.done", "part": {"type": "novel", "words": "psst"}},
            [("other:content", "psst")],
        ),
        (
            {"type": "response.output_item.done", "item": {"type": "image_generation_call",
             "result": "AAAA", "revised_prompt": "A cat"}},
            [("other:image_generation_call", "A cat")],
        ),
        ({"type": "response.output_item.done", "item": "psst"}, [("other:item", "psst")]),
        (
            {"type": "response.completed", "response": response(message_item("a"), wild="b")},
            [("content", "a"), ("other:wild", "b")],
        ),
        (
            {"type": "response.completed", "response": response(output_text="b")},
            [("other:output_text", "b")],
        ),
        (
            {"type": "novel", "response": response(message_item("a"), output_text="a")},
            [("content", "a")],
        ),
        ({"type": "keepalive"}, []),
        ({"novel": "psst"}, [("other:", "psst")]),
    ],
)  # fmt: skip
def test_all_text_of_an_event_has_a_channel(body: Any, expected: list[tuple[str, str]]) -> None:
    """What a reader could see has a channel, known or not; ids and sound have none."""
    found = read(begin(), body)
    assert [(delta.channel, delta.text) for delta in found.deltas] == expected


def test_text_that_changes_is_said_again() -> None:
    """A repeated text that goes on adds its rest; one that differs is new as a whole."""
    stream = begin()
    kind = "response.output_text"
    read(stream, {"type": f"{kind}.delta", "delta": "Pa"})
    assert read(stream, {"type": f"{kind}.done", "text": "Paris"}).deltas[0].text == "ris"
    part = {"type": "response.content_part.done", "part": text_part("London")}
    assert read(stream, part).deltas[0].text == "London"


def test_the_end_of_a_response() -> None:
    """Its finish, usage, id and model come from the last event."""
    found = read(begin(), {"type": "response.completed", "response": response()})
    assert found.finished == ((0, "completed"),)
    assert found.usage == response()["usage"]
    assert (found.head or {})["id"] == "resp_fake1"
    details = {"incomplete_details": {"reason": "max_output_tokens"}}
    ended = {"type": "response.incomplete", "response": response(**details)}
    assert read(begin(), ended).finished == ((0, "max_output_tokens"),)


def test_comments_and_marks() -> None:
    """An event without data says nothing; chat's end mark ends a stream too."""
    assert begin().read(b": hi\n\n", None) == Event(b": hi\n\n")
    assert begin().read(b"data: [DONE]\n\n", b"[DONE]").is_done
    begin().sent(Event(b": hi\n\n"))
    with pytest.raises(UpstreamMalformed):
        begin().read(b"data: [\n\n", b"[")


def test_nothing_of_a_vetoed_response_is_left() -> None:
    """Every event is taken out, comments stay."""
    found = begin().read(b"x", b'{"type":"response.novel"}')
    assert begin().without(found, frozenset({0})) == b""
    assert begin().without(found, frozenset()) == b"x"
    assert begin().without(Event(b": hi\n\n"), frozenset({0})) == b": hi\n\n"


def test_a_refusal_goes_on_where_the_client_is() -> None:
    """Only what was sent counts: numbers, open parts and items follow from that."""
    stream = begin()
    events = response_events(reasoning_events("Hm."), message_events("One. ", "Bad."))
    played(stream, events[:11])
    for raw, body in zip(events[11:], datas(b"".join(events[11:])), strict=True):
        stream.read(raw, orjson.dumps(body))
    bodies = datas(stream.refusal(0, NOTE, has_begun=True))
    assert [body["type"].removeprefix("response.") for body in bodies] == [
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "incomplete",
    ]
    assert [body["sequence_number"] for body in bodies] == [11, 12, 13, 14, 15]
    assert {body["output_index"] for body in bodies[:-1]} == {1}
    assert bodies[1]["text"] == "One. Withheld."
    last = bodies[-1]["response"]
    assert (last["status"], last["usage"]) == ("incomplete", response()["usage"])
    assert (last["fairlead"], last["incomplete_details"]) == (
        NOTE.fairlead,
        {"reason": "content_filter"},
    )
    assert last["output"][1]["content"][0]["text"] == "One. Withheld."


def test_open_reasoning_is_closed_before_a_refusal() -> None:
    """Where no message is open, what is open is closed and a message of our own follows."""
    stream = begin()
    played(stream, response_events(reasoning_events("Hm. ", "Bad."))[:5])
    bodies = datas(stream.refusal(0, NOTE, has_begun=True))
    assert [body["type"].removeprefix("response.") for body in bodies] == [
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "incomplete",
    ]
    assert bodies[0]["text"] == "Hm. "
    assert bodies[3]["output_index"] == 1


def test_a_text_that_is_done_is_not_gone_on_with() -> None:
    """Between a text's end and its part's, the refusal is a part of its own."""
    stream = begin()
    played(stream, response_events(message_events("One."))[:6])
    bodies = datas(stream.refusal(0, NOTE, has_begun=True))
    assert [body["type"].removeprefix("response.") for body in bodies[:3]] == [
        "content_part.done",
        "content_part.added",
        "output_text.delta",
    ]
    assert [body["content_index"] for body in bodies[:3]] == [0, 1, 1]


def test_a_refusal_alone_is_a_whole_stream() -> None:
    """Where nothing was sent, the response begins first, under the upstream's id if known."""
    bodies = datas(begin().refusal(0, NOTE, has_begun=False))
    assert [body["type"] for body in bodies[:2]] == ["response.created", "response.in_progress"]
    assert (bodies[0]["response"]["id"], bodies[0]["response"]["model"]) == ("resp_fl-1", "m")
    stream = begin()
    read(stream, {"type": "response.created", "response": response(wild="x")}, sends=False)
    bodies = datas(stream.refusal(0, NOTE, has_begun=False))
    assert (bodies[0]["response"]["id"], bodies[0]["response"]["output"]) == ("resp_fake1", [])
    assert b"wild" not in orjson.dumps(bodies)


def test_a_structured_refusal_is_a_part_of_its_own() -> None:
    """Where JSON is wanted, the refusal does not mix with it."""
    stream = begin(text={"format": {"type": "json_object"}})
    played(stream, response_events(message_events('{"a": 1'))[:5])
    bodies = datas(stream.refusal(0, NOTE, has_begun=True))
    assert [body["type"].removeprefix("response.") for body in bodies] == [
        "content_part.done",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
        "incomplete",
    ]
    parts = bodies[-1]["response"]["output"][0]["content"]
    assert [part["type"] for part in parts] == ["output_text", "refusal"]


def test_our_own_events() -> None:
    """Failures are typed and numbered, a note is typed alone; there is no end mark."""
    stream = begin()
    read(stream, {"type": "response.created", "response": response(), "sequence_number": 4})
    [failure] = datas(stream.failure(UpstreamCut("cut")))
    assert (failure["type"], failure["code"], failure["sequence_number"]) == (
        "error", "upstream_cut", 5,
    )  # fmt: skip
    assert failure["error"]["message"] == "cut"
    [note] = datas(stream.annotation(NOTE))
    assert note == {"type": "response.fairlead", "fairlead": NOTE.fairlead}
    assert stream.done() == b""


json = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.just(2**64 - 1) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
kinds = st.sampled_from(
    [
        *("response.output_text.delta", "response.output_text.done", "response.refusal.delta"),
        *("response.content_part.added", "response.content_part.done", "response.created"),
        *("response.output_item.added", "response.output_item.done", "response.completed"),
        *("response.reasoning_summary_part.added", "response.function_call_arguments.delta"),
        *("error", "novel"),
    ]
)
parts = st.fixed_dictionaries({"type": st.sampled_from(["output_text", "refusal", "x"])}) | json
items = st.fixed_dictionaries(
    {"type": st.sampled_from(["message", "reasoning", "function_call"])},
    optional={"content": st.lists(parts, max_size=2) | json, "summary": json, "id": json},
)
wild = st.fixed_dictionaries(
    {"type": kinds | json},
    optional={
        "item": items | json,
        "part": parts,
        "delta": json,
        "text": json,
        "output_index": json,
        "content_index": json,
        "sequence_number": json,
        "response": st.fixed_dictionaries({"output": st.lists(items | json, max_size=2)}) | json,
        "error": json,
    },
)


@given(st.lists(wild | json, max_size=8), st.integers(0, 8), st.booleans())
def test_any_events_are_read_or_malformed(bodies: Any, seen: int, is_structured: bool) -> None:
    """No sequence of events makes reading or refusing fail in another way."""
    kind = "json_object" if is_structured else "text"
    stream = begin(text={"format": {"type": kind}})
    for at, body in enumerate(bodies):
        with contextlib.suppress(UpstreamMalformed):
            found = stream.read(b"", orjson.dumps(body))
            if at < seen:
                stream.sent(found)
    stream.messages()
    told = datas(stream.refusal(0, NOTE, has_begun=True))
    assert told[-1]["type"] == "response.incomplete"
    numbers = [body["sequence_number"] for body in told]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
