"""Anthropic's format, read and written without I/O."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service import errors
from service.dialects import by_route
from service.dialects.base import Dialect, ReadLimits, StreamDialect, VetoNote
from service.dialects.messages import Messages
from service.errors import BadRequest, FairleadError, UpstreamMalformed
from service.exchange import Ask, Event
from service.sse import Splitter
from tests.fakes.messages import (
    MESSAGE_ID,
    MODEL,
    PING,
    STARTED,
    STOP,
    ask,
    event,
    finished,
    message,
    plain,
    started,
    stream,
    text,
    text_block,
    text_stream,
    thinking_block,
    tool_block,
    tool_use,
)
from tests.fakes.replies import encode

ROUTE = "/v1/messages"
NOTE = VetoNote("Withheld.", {"id": "fl_1", "verdict": "veto", "scores": []})
DIALECT: Dialect = by_route()[ROUTE]


def parse(asked: Any, **limits: Any) -> Ask:
    """A request, parsed."""
    body = asked if isinstance(asked, bytes) else encode(asked)
    return DIALECT.parse(body, ROUTE, limits=ReadLimits(**limits))


def open_stream() -> StreamDialect:
    """A fresh stream."""
    return DIALECT.stream(parse(ask(stream=True)))


def read(raw: bytes, into: StreamDialect | None = None) -> Event:
    """One event, read."""
    [found] = Splitter(1_000_000).feed(raw)
    return (into or open_stream()).read(found.raw, found.data)


def texts(found: Event) -> list[tuple[str, str]]:
    """Channel and text of an event's deltas."""
    return [(delta.channel, delta.text) for delta in found.deltas]


def play(raws: list[bytes], into: StreamDialect) -> None:
    """Reads events and has them sent."""
    for raw in raws:
        into.sent(read(raw, into))


def datas(body: bytes) -> list[Any]:
    """The data of each event; every one is named by its type."""
    found = Splitter(1_000_000).feed(body)
    parsed = [json.loads(raw.data or b"") for raw in found]
    assert [raw.event for raw in found] == [data["type"] for data in parsed]
    return parsed


def test_the_request_goes_upstream_as_it_came() -> None:
    """The client's own bytes, unless the extension had to be taken out."""
    raw = encode(ask()) + b" "
    assert parse(raw).body == raw
    asked = parse(ask(fairlead={"context": ["c"], "user": "u"}, stream=True, temperature=0.5))
    assert json.loads(asked.body) == ask(stream=True, temperature=0.5)
    assert (asked.context, asked.extension.user, asked.is_stream) == (("c",), "u", True)
    assert asked.params == {"max_tokens": 64, "temperature": 0.5}
    assert (asked.model, asked.dialect, asked.route) == (MODEL, "messages", ROUTE)


def test_who_said_what() -> None:
    """System text, turns and tool results are told apart; the newest user content is the prompt."""
    asked = parse(
        {
            "model": "m",
            "system": [text("Be brief.")],
            "messages": [
                {"role": "user", "content": "Old."},
                {"role": "assistant", "content": [text("Let me see."), tool_use("t", {"a": 1})]},
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "x", "content": [text("Rain.")]},
                        {"type": "tool_result", "tool_use_id": "y", "content": "Sun."},
                        text("And now?"),
                    ],
                },
                {"role": "assistant", "content": "It"},
            ],
        }
    )
    assert asked.prompt == "Rain.\nSun.\nAnd now?"
    assert asked.context == ("Rain.", "Sun.")
    assert asked.transcript.split("\n") == [
        "System: Be brief.",
        "User: Old.",
        "Assistant: Let me see.",
        "Tool: Rain.",
        "Tool: Sun.",
        "User: And now?",
        "Assistant: It",
    ]
    assert asked.messages[0] == {"role": "system", "content": [text("Be brief.")]}


@pytest.mark.parametrize(
    ("block", "context"),
    [
        ({"type": "document", "source": {"type": "text", "data": "Fact."}}, ("Fact.",)),
        (
            {
                "type": "document",
                "source": {"type": "content", "content": [text("A."), text("B.")]},
            },
            ("A.\nB.",),
        ),
        ({"type": "document", "source": {"type": "content", "content": "Fact."}}, ("Fact.",)),
        ({"type": "document", "source": {"type": "base64", "data": "QUJD"}}, ()),
        ({"type": "document", "source": {"type": "url", "url": "https://x.test/a"}}, ()),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, ()),
        (
            {"type": "search_result", "source": "s", "title": "t", "content": [text("Found.")]},
            ("Found.",),
        ),
        (
            {
                "type": "tool_result",
                "content": [{"type": "search_result", "content": [text("In a tool.")]}],
            },
            ("In a tool.",),
        ),
        ({"type": "image", "source": {"type": "base64", "data": "QUJD"}}, ()),
        (
            {"type": "code_execution_tool_result", "content": {"type": "r", "stdout": "42"}},
            ("42",),
        ),
    ],
)
def test_context_comes_from_documents_and_results(block: Any, context: tuple[str, ...]) -> None:
    """Text sources are context and are looked at as prompt; references have no text."""
    asked = parse(ask([block, text("What?")]))
    assert asked.context == context
    assert asked.prompt == "\n".join([*context, "What?"])


def test_unknown_blocks_of_a_request_are_read() -> None:
    """What a block of a new type says belongs to whoever sent it."""
    assert parse(ask([{"type": "novel", "inner": {"words": "psst"}}])).prompt == "psst"


def test_the_pattern_marks_sources() -> None:
    """Text that the pattern marks is context here too, the newest where there is no room."""
    asked = parse(
        ask("<s>two</s>", system="<s>one</s>"), source_pattern="<s>(.*?)</s>", max_context_items=1
    )
    assert asked.context == ("two",)


def test_the_metadata_names_the_user() -> None:
    """`metadata.user_id` is the user where our own field is not given."""
    assert parse(ask(metadata={"user_id": "u"})).extension.user == "u"


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        (b"[]", None),
        (b"{", None),
        (ask(model=""), "model"),
        (ask(messages=[]), "messages"),
        (ask(messages=["x"]), "messages[0]"),
        (ask(messages=[{"content": "x"}]), "messages[0].role"),
        (ask(5), "messages[0].content"),
        (ask([5]), "messages[0].content[0]"),
        (ask([{"type": "text"}]), "messages[0].content[0].text"),
        (ask([{"type": "tool_result", "content": 5}]), "messages[0].content[0].content"),
        (ask(system=5), "system"),
        (ask(stream="yes"), "stream"),
        (ask(tools={}), "tools"),
        (ask(fairlead={"novel": 1}), "fairlead"),
    ],
)
def test_a_wrong_request_names_its_field(asked: Any, param: str | None) -> None:
    """Each is a bad request that says where."""
    with pytest.raises(BadRequest) as caught:
        parse(asked)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (text("a"), {"content": "a"}),
        (
            text(
                "a", citations=[{"type": "char_location", "cited_text": "b", "document_index": 0}]
            ),
            {"content": "a", "citations": "b\n"},
        ),
        ({"type": "thinking", "thinking": "hm", "signature": "x"}, {"reasoning": "hm"}),
        ({"type": "redacted_thinking", "data": "x"}, {}),
        (tool_use("f", {}), {"tool:0:name": "f"}),
        (tool_use("f", {"a": "é"}), {"tool:0:name": "f", "tool:0:arguments": '{"a":"é"}'}),
        (
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
            {"tool:0:name": "web_search", "tool:0:arguments": '{"query":"q"}'},
        ),
        (
            {
                "type": "web_search_tool_result",
                "tool_use_id": "s",
                "content": [{"type": "r", "title": "T", "url": "u", "encrypted_content": "e"}],
            },
            {"other:content": "T"},
        ),
        ({"type": "novel", "data": "psst", "name": "n"}, {"other:data": "psst", "other:name": "n"}),
    ],
)
def test_every_text_of_a_reply_has_its_channel(block: Any, expected: dict[str, str]) -> None:
    """Whatever a block says is text to be scored; labels and seals are not."""
    reply = DIALECT.reply(plain(block))
    assert dict(reply.choices[0].channels) == expected


def test_text_beside_the_blocks_is_held_too() -> None:
    """An explanation and an unknown field of the message are text."""
    details = {"type": "refusal", "category": "bio", "explanation": "No."}
    reply = DIALECT.reply(plain("a", "b", stop="refusal", stop_details=details, novel="psst"))
    assert reply.choices[0].channels == {"content": "ab", "refusal": "No.", "other:novel": "psst"}
    assert (reply.id, reply.model, reply.choices[0].finish_reason) == (MESSAGE_ID, MODEL, "refusal")


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"{}", plain(5), plain(content="x"), plain(text(5)), plain("a", stop=5)],  # type: ignore[arg-type]
)
def test_what_is_no_reply_is_malformed(body: bytes) -> None:
    """Nothing is guessed where the bytes are not the format's."""
    with pytest.raises(UpstreamMalformed):
        DIALECT.reply(body)


def test_a_vetoed_reply_keeps_only_its_head() -> None:
    """Same id, model and usage, one block of text, and why it stopped."""
    sent = message("bad", tool_use("f", {}), stop="tool_use", stop_details={"x": "y"}, novel="bad")
    body = json.loads(DIALECT.vetoed(DIALECT.reply(encode(sent)), {0: NOTE}, NOTE.fairlead))
    kept = {name: sent[name] for name in ("id", "type", "role", "model", "usage")}
    assert body == kept | {
        "content": [text("Withheld.")],
        "stop_reason": "refusal",
        "stop_sequence": None,
        "fairlead": NOTE.fairlead,
    }


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        ({"type": "text_delta", "text": "a"}, [("content", "a")]),
        ({"type": "text_delta", "text": ""}, []),
        ({"type": "thinking_delta", "thinking": "a"}, [("reasoning", "a")]),
        ({"type": "signature_delta", "signature": "a"}, []),
        ({"type": "input_json_delta", "partial_json": '{"'}, [("tool:3:arguments", '{"')]),
        (
            {"type": "citations_delta", "citation": {"type": "c", "cited_text": "a"}},
            [("citations", "a\n")],
        ),
        ({"type": "novel_delta", "words": "psst"}, [("other:words", "psst")]),
    ],
)
def test_every_text_of_a_delta_has_its_channel(delta: Any, expected: Any) -> None:
    """Known and unknown deltas are held as text, signatures are not."""
    assert texts(read(event("content_block_delta", index=3, delta=delta))) == expected


def test_every_text_of_a_start_has_its_channel() -> None:
    """A block may begin with text, a tool call with its name; unknown events may say things."""
    begun = event("content_block_start", index=1, content_block=tool_use("f", {}))
    assert texts(read(begun)) == [("tool:1:name", "f")]
    assert texts(read(started(content=[text("a")]))) == [("content", "a")]
    assert texts(read(started())) == []
    assert texts(read(event("novel", words=["psst"]))) == [("other:words", "psst")]
    assert texts(read(event("ping", words="psst"))) == [("other:words", "psst")]
    assert texts(read(event("message_start", message="psst"))) == [("other:message", "psst")]


def test_the_course_of_a_stream_is_seen() -> None:
    """Head, usage, finish, end and errors are where the format has them."""
    into = open_stream()
    begun = read(started(), into)
    assert begun.head is not None
    assert (begun.head["id"], begun.head["model"], begun.usage) == (MESSAGE_ID, MODEL, STARTED)
    assert read(PING, into) == Event(PING)
    stop, end = (read(raw, into) for raw in finished("max_tokens"))
    assert stop.finished == ((0, "max_tokens"),)
    assert stop.usage == STARTED | {"output_tokens": 5}
    assert end.is_done
    assert not stop.is_done
    failed = read(event("error", error={"type": "overloaded_error", "message": "Busy"}))
    assert failed.error == {"type": "overloaded_error", "message": "Busy"}
    assert read(b"data: [DONE]\n\n").is_done


@pytest.mark.parametrize(
    "raw",
    [
        b"data: {\n\n",
        b"data: 5\n\n",
        event("content_block_delta", index="x", delta={"text": "a"}),
        event("content_block_delta", index=-1, delta={"text": "a"}),
        event("content_block_delta", index=0, delta="a"),
        event("content_block_delta", index=0, delta={"text": 5}),
        event("content_block_start", index=0, content_block=5),
        event("message_delta", delta={"stop_reason": 5}),
    ],
)
def test_a_wrong_event_is_malformed(raw: bytes) -> None:
    """What cannot be read is never passed as if it were."""
    with pytest.raises(UpstreamMalformed):
        read(raw)


def test_the_message_is_put_together() -> None:
    """The record has the blocks as the model wrote them, tool inputs decoded."""
    into = open_stream()
    citation = {"type": "char_location", "cited_text": "c"}
    cited = event("content_block_delta", index=1, delta={"citation": citation})
    said = text_block(1, "a", "b")
    blocks = [
        *thinking_block(0, "h", "m"),
        *said[:-1],
        cited,
        said[-1],
        *tool_block(2, "f", "", '{"a"', ": [1]}"),
        *tool_block(3, "g", '{"a"'),
        *tool_block(4, "h", ""),
    ]
    for raw in [started(), *blocks]:
        read(raw, into)
    assert into.messages()[0] == {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            text("ab", citations=[citation]),
            tool_use("f", {"a": [1]}),
            tool_use("g", '{"a"'),
            tool_use("h", {}),
        ],
    }


def refused(*sent: bytes) -> list[Any]:
    """The events of a refusal after what the client has seen."""
    into = open_stream()
    play(list(sent), into)
    return datas(into.refusal(0, NOTE, has_begun=bool(sent)))


def kinds(events: list[Any]) -> list[tuple[str, int | None]]:
    """Type and index of each event."""
    return [(data["type"].removeprefix("content_block_"), data.get("index")) for data in events]


def test_a_refusal_before_anything_is_a_whole_message() -> None:
    """Start, one block, end; the model is the one that was asked for."""
    events = refused()
    assert kinds(events) == [
        ("message_start", None), ("start", 0), ("delta", 0), ("stop", 0), ("message_delta", None),
    ]  # fmt: skip
    assert events[0]["message"]["model"] == MODEL
    assert events[0]["message"]["content"] == []
    assert events[2]["delta"] == {"type": "text_delta", "text": "Withheld."}
    assert events[-1]["delta"] == {"stop_reason": "refusal", "stop_sequence": None}
    assert events[-1]["usage"]["output_tokens"] == 0
    assert events[-1]["fairlead"] == NOTE.fairlead


def test_a_refusal_goes_on_in_an_open_text_block() -> None:
    """No empty block is left, and the usage is what the upstream has told."""
    events = refused(started(), *text_block(0, "Good. ")[:-1])
    assert kinds(events) == [("delta", 0), ("stop", 0), ("message_delta", None)]
    assert events[-1]["usage"] == STARTED


def test_a_refusal_after_a_block_has_one_of_its_own() -> None:
    """A block that was closed stands; an open one that is not text is closed first."""
    after = [("start", 1), ("delta", 1), ("stop", 1), ("message_delta", None)]
    assert kinds(refused(started(), *text_block(0, "Good."))) == after
    assert kinds(refused(started(), *thinking_block(0, "Hm")[:-2])) == [("stop", 0), *after]


def test_a_cut_tool_call_does_not_look_complete() -> None:
    """What was sent of its input stays cut; where nothing was, an opening brace says so."""
    begun, cut, *_ = tool_block(0, "f", '{"a": "b')
    after = [("start", 1), ("delta", 1), ("stop", 1), ("message_delta", None)]
    assert kinds(refused(started(), begun, cut)) == [("stop", 0), *after]
    events = refused(started(), begun)
    assert kinds(events) == [("delta", 0), ("stop", 0), *after]
    assert events[0]["delta"] == {"type": "input_json_delta", "partial_json": "{"}


def test_of_a_vetoed_stream_the_start_and_the_stop_are_kept() -> None:
    """What lies between is the refusal's; a start with text is not kept."""
    into = open_stream()
    events = [read(raw, into) for raw in text_stream("a")]
    kept = [into.without(found, frozenset({0})) for found in events]
    assert [raw for raw in kept if raw] == [started(), PING, STOP]
    assert [into.without(found, frozenset()) for found in events] == text_stream("a")
    assert into.without(read(started(content=[text("a")])), frozenset({0})) == b""
    assert into.without(read(b"data: [DONE]\n\n"), frozenset({0})) == STOP


def test_a_refused_prompt_can_be_a_message() -> None:
    """Plain and streamed, it is a whole message that was refused."""
    asked = parse(ask())
    body = json.loads(DIALECT.prompt_refused(asked, NOTE))
    assert (body["content"], body["stop_reason"]) == ([text("Withheld.")], "refusal")
    events = datas(DIALECT.prompt_refused_stream(asked, NOTE))
    assert (events[0]["type"], events[-1]["type"]) == ("message_start", "message_stop")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.BadRequest("m", param="p"), "invalid_request_error"),
        (errors.Unauthorized("m"), "authentication_error"),
        (errors.Forbidden("m"), "permission_error"),
        (errors.NotFound("m"), "not_found_error"),
        (errors.Conflict("m"), "conflict_error"),
        (errors.BodyTooLarge("m"), "request_too_large"),
        (errors.Overloaded("m"), "rate_limit_error"),
        (errors.FairleadError("m"), "api_error"),
        (errors.UpstreamCut("m"), "api_error"),
        (errors.StoreUnavailable("m"), "overloaded_error"),
        (errors.UpstreamTimeout("m"), "timeout_error"),
    ],
)
def test_errors_are_told_in_the_format_own_envelope(error: FairleadError, kind: str) -> None:
    """The type goes with the status, plain and streamed; our own fields stand beside it."""
    body = json.loads(DIALECT.error(error))
    assert (body["type"], body["error"]) == ("error", {"type": kind, "message": "m"})
    assert body["code"] == error.code
    assert body.get("param") == error.param
    assert datas(open_stream().failure(error)) == [body]


def test_the_annotation_is_a_ping() -> None:
    """Clients skip pings, so that the note disturbs nobody."""
    assert datas(open_stream().annotation(NOTE)) == [{"type": "ping", "fairlead": NOTE.fairlead}]


FIELDS = (
    "type", "index", "text", "thinking", "partial_json", "citation", "input", "name",
    "stop_reason", "content", "usage", "novel", "id", "data",
)  # fmt: skip
KINDS = (
    "message_start", "content_block_start", "content_block_delta", "content_block_stop",
    "message_delta", "message_stop", "ping", "error", "novel",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "text", "tool_use"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "index",
                    "text",
                    "thinking",
                    "partial_json",
                    "citation",
                    "input",
                    "name",
                    "stop_reason",
                    "content",
                    "usage",
                    "novel",
                    "id",
                    "data",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
EVENTS = st.builds(
    lambda kind, fields: {"type": kind} | fields,
    st.sampled_from(
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
            "ping",
            "error",
            "novel",
        ]
    ),
    st.dictionaries(
        st.sampled_from(["index", "delta", "content_block", "message", "usage", "error", "novel"]),
        JSON,
    ),
)


@settings(max_examples=150)
@given(st.lists(EVENTS, max_size=6), JSON)
def test_any_json_is_read_or_malformed(events: list[dict[str, Any]], body: Any) -> None:
    """Whatever an upstream sends, nothing but `UpstreamMalformed` comes of it."""
    into = open_stream()
    for one in events:
        try:
            found = read(b"data: " + encode(one) + b"\n\n", into)
        except UpstreamMalformed:
            break
        into.sent(found)
        into.without(found, frozenset({0}))
    into.messages()
    datas(into.refusal(0, NOTE, has_begun=True))
    for asked in (body, message(body), ask(body), ask(system=body)):
        with suppress(UpstreamMalformed):
            Messages().reply(encode(asked))
        with suppress(BadRequest):
            parse(asked)


def test_a_whole_stream_without_a_veto_is_only_read() -> None:
    """A stream of every kind of block has its texts by channel."""
    into = open_stream()
    raws = stream(thinking_block(0, "hm"), text_block(1, "Hi."), tool_block(2, "f", "{}"))
    found = [pair for raw in raws for pair in texts(read(raw, into))]
    assert found == [
        ("reasoning", "hm"), ("content", "Hi."), ("tool:2:name", "f"), ("tool:2:arguments", "{}"),
    ]  # fmt: skip
