"""Chat completions: streams."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dialects.base import ReadLimits, VetoNote
from service.dialects.chat import Chat
from service.dialects.chat_stream import ChatStream
from service.errors import UpstreamCut, UpstreamMalformed
from service.exchange import Delta, Event
from service.sse import Splitter
from tests.fakes.replies import (
    CREATED,
    MODEL,
    REPLY_ID,
    USAGE,
    chunk,
    event,
    text_events,
    usage_chunk,
)

NOTE = VetoNote("Withheld.", {"id": "fl-1", "verdict": "veto"})
CHAT = Chat(now=lambda: 1234.5)


def begin(**fields: Any) -> ChatStream:
    """A stream that answers a request with these fields."""
    asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True} | fields
    return CHAT.stream(CHAT.parse(orjson.dumps(asked), CHAT.routes[0], limits=ReadLimits()))


def read(data: Any, stream: ChatStream | None = None) -> Event:
    """One event as the dialect reads it."""
    raw = event(data)
    [found] = Splitter(10_000_000).feed(raw)
    return (stream or begin()).read(found.raw, found.data)


def bodies(data: bytes) -> list[Any]:
    """The events of a stream, decoded; the end mark as it stands."""
    found = [event.data or b"" for event in Splitter(10_000_000).feed(data)]
    return [text.decode() if text == b"[DONE]" else orjson.loads(text) for text in found]


def test_a_field_beside_the_choices_is_said_once_by_each() -> None:
    """Servers repeat such a field in every event; only what is new waits for a score."""
    stream = begin(n=2)
    said = [
        read(chunk({}, choice=at, news=news), stream)
        for at, news in ((0, "a"), (0, "a"), (1, "a"), (0, "b"))
    ]

    assert [[(d.choice, d.channel, d.text) for d in found.deltas] for found in said] == [
        [(0, "other:news", "a\n")], [], [(1, "other:news", "a\n")], [(0, "other:news", "b\n")],
    ]  # fmt: skip


def test_a_vetoed_field_beside_the_choices_is_taken_out() -> None:
    """The usage is still told; where there is nothing else to tell the event is dropped."""
    stream = begin()
    counted = read(usage_chunk() | {"news": "x"}, stream)
    bare = read(chunk({}) | {"choices": [], "news": "x"}, stream)

    [kept] = bodies(stream.without(counted, frozenset({0})))
    assert kept == usage_chunk()
    assert stream.without(bare, frozenset({0})) == b""
    assert stream.without(bare, frozenset({1})) == bare.raw


def test_a_piece_of_content_is_a_delta() -> None:
    """Text comes out as one delta with its event's bytes."""
    found = read(chunk({"content": "Hi"}))
    assert found.raw == event(chunk({"content": "Hi"}))
    assert (found.deltas, found.finished) == ((Delta(0, "content", "Hi"),), ())
    assert found.body == chunk({"content": "Hi"})


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        ({}, []),
        ({"role": "assistant", "content": ""}, []),
        ({"content": None}, []),
        ({"content": ""}, []),
        ({"content": "a", "reasoning_content": "b"}, [("content", "a"), ("reasoning", "b")]),
        ({"refusal": "No."}, [("refusal", "No.")]),
        ({"novel": "psst", "id": "x"}, [("other:novel", "psst")]),
        ({"audio": {"transcript": "Hi"}}, [("audio", "Hi")]),
        ({"function_call": {"arguments": "{"}}, [("function:arguments", "{")]),
        (
            {"tool_calls": [{"index": 2, "id": "c", "function": {"name": "f", "arguments": ""}}]},
            [("tool:2:name", "f")],
        ),
        (
            {
                "tool_calls": [
                    {"index": 2, "function": {"arguments": "{}"}},
                    {"function": {"name": "g"}},
                ]
            },
            [("tool:2:arguments", "{}"), ("tool:1:name", "g")],
        ),
    ],
)
def test_every_text_of_a_delta_has_its_channel(delta: Any, expected: list[Any]) -> None:
    """Known and unknown text fields become deltas, empty and non-text ones do not."""
    deltas = [(found.channel, found.text) for found in read(chunk(delta)).deltas]
    assert deltas == expected


def test_several_choices_in_one_event() -> None:
    """Each choice of an event gives its own deltas and its own end."""
    one, two = chunk({"content": "a"}, choice=1), chunk({"content": "b"}, choice=3, finish="stop")
    found = read(one | {"choices": one["choices"] + two["choices"]})
    assert found.deltas == (Delta(1, "content", "a"), Delta(3, "content", "b"))
    assert found.finished == ((3, "stop"),)


def test_a_whole_message_in_a_stream_is_read() -> None:
    """Servers that only pretend to stream send a message in place of a delta."""
    found = read(chunk({}) | {"choices": [{"message": {"content": "Hi"}}, {"text": "Ho"}]})
    assert found.deltas == (Delta(0, "content", "Hi"), Delta(1, "other:text", "Ho"))


def test_the_end_mark_is_seen() -> None:
    """`[DONE]` ends the stream."""
    assert read("[DONE]").is_done
    assert not read(chunk({}, finish="stop")).is_done


@pytest.mark.parametrize("raw", [b": ping\n\n", b"data:\n\n", b"retry: 1\n\n"])
def test_events_without_data_pass(raw: bytes) -> None:
    """Comments and keep-alives carry nothing."""
    assert read(raw) == Event(raw)


def test_usage_and_events_without_choices() -> None:
    """An event may have no choices; usage is taken from wherever it stands."""
    found = read(usage_chunk())
    assert (found.usage, found.deltas) == (USAGE, ())
    assert read(chunk({}) | {"choices": None, "prompt_filter_results": [{"x": "y"}]}).deltas == ()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": {"message": "Boom", "code": 1}}, {"message": "Boom", "code": 1}),
        ({"error": "Boom"}, {"message": "Boom"}),
        ({"object": "error", "message": "Boom"}, {"object": "error", "message": "Boom"}),
        ({"error": None, "choices": []}, None),
    ],
)
def test_an_error_frame_is_read(body: Any, error: Any) -> None:
    """The upstream's own error object comes out, in each of its usual shapes."""
    assert read(body).error == error


def test_an_event_of_an_unknown_shape_is_text() -> None:
    """What has no choices may not carry text past the veto."""
    found = read({"id": "x", "response": "psst", "created": 1})
    assert found.deltas == (Delta(0, "other:response", "psst"),)
    stream = begin()
    assert stream.without(found, frozenset({1})) == found.raw
    assert stream.without(found, frozenset({0})) == b""


@pytest.mark.parametrize(
    "data",
    [
        *("{", "[1]", "nonsense", {"choices": 1}, {"choices": [1]}),
        {"choices": [{"delta": "x"}]},
        {"choices": [{"index": True, "delta": {}}]},
        {"choices": [{"delta": {}, "finish_reason": 1}]},
        {"choices": [{"delta": {"content": 1}}]},
        {"choices": [{"delta": {"tool_calls": 1}}]},
    ],
)
def test_what_is_no_event_is_malformed(data: Any) -> None:
    """Data that the format does not allow raises the error for that."""
    with pytest.raises(UpstreamMalformed, match="The upstream sent"):
        read(data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-3, 99) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["choices", "delta", "content", "tool_calls", "index", "x", "error"]
                ),
                inner,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_an_event_or_malformed(value: Any) -> None:
    """No JSON makes the reader fail in another way, and what it reads it can thin out."""
    stream = begin()
    with contextlib.suppress(UpstreamMalformed):
        found = read(orjson.dumps(value).decode(), stream)
        assert found.raw.startswith(stream.without(found, frozenset()))
        assert isinstance(stream.without(found, frozenset({0})), bytes)


def test_without_nothing_is_the_event_itself() -> None:
    """An event that holds none of the choices keeps its bytes."""
    stream, found = begin(), read(chunk({"content": "a"}, choice=1))
    assert stream.without(found, frozenset()) == found.raw
    assert stream.without(found, frozenset({0})) == found.raw
    assert stream.without(read(b": ping\n\n"), frozenset({0})) == b": ping\n\n"


def test_without_takes_out_only_the_choices_named() -> None:
    """The other choices and every other field stay."""
    one, two = chunk({"content": "a"}, choice=0), chunk({"content": "b"}, choice=1, wild="w")
    found = read(two | {"choices": one["choices"] + two["choices"]})
    assert bodies(begin().without(found, frozenset({0}))) == [two]


def test_without_all_choices_only_usage_is_left() -> None:
    """An event whose choices are all gone vanishes, unless it counts tokens."""
    stream = begin()
    assert stream.without(read(chunk({"content": "a"})), frozenset({0})) == b""
    counted = read(chunk({"content": "a"}, usage=USAGE))
    assert bodies(stream.without(counted, frozenset({0}))) == [
        chunk({}, usage=USAGE) | {"choices": []}
    ]


def test_a_refusal_looks_like_the_running_stream() -> None:
    """Id, model and the like are taken over; the refusal ends its choice once."""
    stream = begin()
    read(chunk({"role": "assistant"}, system_fingerprint="fp", service_tier="x"), stream)
    said, ended = bodies(stream.refusal(1, NOTE, has_begun=True))
    for body in (said, ended):
        assert (body["id"], body["model"], body["created"]) == (REPLY_ID, MODEL, CREATED)
        assert (body["system_fingerprint"], body["service_tier"]) == ("fp", "x")
        assert body["object"] == "chat.completion.chunk"
        assert [choice["index"] for choice in body["choices"]] == [1]
    assert (said["choices"][0]["delta"], said["choices"][0]["finish_reason"]) == (
        {"content": "Withheld."},
        None,
    )
    assert (ended["choices"][0]["delta"], ended["choices"][0]["finish_reason"]) == (
        {},
        "content_filter",
    )
    assert ended["fairlead"] == NOTE.fairlead


def test_a_refusal_before_anything_was_sent_has_the_role() -> None:
    """A choice that begins with its refusal names its role, and its id is our own."""
    said, _ = bodies(begin().refusal(0, NOTE, has_begun=False))
    assert said["choices"][0]["delta"] == {"role": "assistant", "content": "Withheld."}
    assert (said["id"], said["model"], said["created"]) == ("chatcmpl-fl-1", "m", 1234)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ("json_schema", "refusal"),
        ("json_object", "refusal"),
        ("text", "content"),
        (None, "content"),
    ],
)
def test_a_refusal_does_not_break_structured_replies(wanted: str | None, field: str) -> None:
    """Where JSON was asked for the refusal stands beside the content, not in it."""
    stream = begin(response_format={"type": wanted} if wanted else "odd")
    said, _ = bodies(stream.refusal(0, NOTE, has_begun=True))
    assert said["choices"][0]["delta"] == {field: "Withheld."}


def test_an_annotation_has_no_choices() -> None:
    """The object comes in an event that says nothing."""
    [body] = bodies(begin().annotation(NOTE))
    assert (body["choices"], body["fairlead"]) == ([], NOTE.fairlead)


def test_a_failure_is_an_error_frame_and_the_end() -> None:
    """A client is told and the stream is closed properly."""
    [error, done] = bodies(begin().failure(UpstreamCut("It broke off.")))
    assert (error["error"]["message"], error["error"]["code"]) == ("It broke off.", "upstream_cut")
    assert done == "[DONE]"


@pytest.mark.parametrize("wants_usage", [True, False])
def test_a_refused_prompt_is_a_whole_stream(wants_usage: bool) -> None:
    """Each choice is refused and ended, usage comes where it was asked for, then the end mark."""
    fields = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "n": 2}
    options = {"stream_options": {"include_usage": wants_usage}}
    asked = CHAT.parse(orjson.dumps(fields | options), CHAT.routes[0], limits=ReadLimits())
    *chunks, done = bodies(CHAT.prompt_refused_stream(asked, NOTE))
    assert done == "[DONE]"
    assert [len(body["choices"]) for body in chunks] == [1, 1, 1, 1] + [0] * wants_usage
    assert [body["usage"]["total_tokens"] for body in chunks if "usage" in body] == [
        0
    ] * wants_usage
    assert len({body["id"] for body in chunks}) == 1


def test_the_message_is_put_together_for_the_record() -> None:
    """What came in pieces is there as a message, whatever was sent on."""
    stream = begin()
    for delta in ({"role": "assistant", "content": "a"}, {"content": "b"}):
        read(chunk(delta, choice=1), stream)
    assert stream.messages() == {1: {"role": "assistant", "content": "ab"}}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_stream_cut_at_every_byte_reads_the_same(end: str) -> None:
    """One cut, wherever it falls, changes no event, and a byte at a time neither."""
    whole = b"".join(text_events("Grüße", ' 🙂, "Welt"', "\r\n.", usage=True, ends=end))

    def events(chunks: list[bytes]) -> list[Event]:
        stream, splitter = begin(), Splitter(10_000)
        raws = [raw for chunk in chunks for raw in splitter.feed(chunk)]
        return [stream.read(raw.raw, raw.data) for raw in [*raws, *splitter.close()]]

    expected = events([whole])
    text = "".join(delta.text for found in expected for delta in found.deltas)
    assert text == 'Grüße 🙂, "Welt"\r\n.'
    assert expected[-1].is_done
    for at in range(len(whole)):
        assert events([whole[:at], whole[at:]]) == expected
    assert events([whole[at : at + 1] for at in range(len(whole))]) == expected
