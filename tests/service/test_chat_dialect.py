"""Chat completions: requests and plain replies."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import dialects
from service.dialects.base import Dialect, ReadLimits, StreamDialect, VetoNote
from service.dialects.chat import Chat
from service.errors import BadRequest, PromptVetoed, UpstreamMalformed
from service.exchange import Ask, Extension, Reply
from tests.fakes.replies import completion, message, tool_call

ROUTE = "/v1/chat/completions"
NOTE = VetoNote("Withheld.", {"id": "fl-1", "verdict": "veto"})
HI = {"role": "user", "content": "Hi"}
CHAT = Chat(now=lambda: 1234.5)


def body(**fields: Any) -> bytes:
    """A request with these fields beside a model and one message."""
    return orjson.dumps({"model": "m", "messages": [HI]} | fields)


def parse(data: bytes, **limits: Any) -> Ask:
    """The request as the dialect reads it."""
    return CHAT.parse(data, ROUTE, limits=ReadLimits(**limits))


def said(role: str, content: Any, **fields: Any) -> dict[str, Any]:
    """One message."""
    return {"role": role, "content": content} | fields


def channels(**fields: Any) -> dict[str, str]:
    """The text that a plain message with these fields carries, by channel."""
    return dict(CHAT.reply(completion(message(None) | fields)).choices[0].channels)


def test_the_dialect_is_found_by_its_route() -> None:
    """The built-in dialects come in by name and answer their routes."""
    found: Dialect = dialects.by_route()[ROUTE]
    stream: StreamDialect = found.stream(found.parse(body(), ROUTE, limits=ReadLimits()))
    assert (found.name, found.upstream_paths[ROUTE]) == ("chat", "/chat/completions")
    assert stream.done() == b"data: [DONE]\n\n"


def test_a_dialect_that_nobody_announces_is_an_error() -> None:
    """A wrong name says which there are."""
    with pytest.raises(LookupError, match="there are chat"):
        dialects.load(["chta"])


def test_the_bytes_go_upstream_as_they_came() -> None:
    """A request without our own key is forwarded byte for byte."""
    data = b'{ "model":"m", "x": 1.50, "messages":[{"role":"user","content":"\\u0048i"}] }'
    asked = parse(data)
    assert asked.body == data
    assert (asked.prompt, asked.transcript, asked.n, asked.is_stream) == (
        "Hi",
        "User: Hi",
        1,
        False,
    )


def test_the_fairlead_key_is_taken_out() -> None:
    """Our object is read and does not go upstream; what is not known stays."""
    extension = {"context": ["a", "b"], "user": "u", "policy": "p", "tags": ["t"]}
    asked = parse(body(fairlead=extension | {"conversation": "c"}, wild={"x": [1]}))
    assert orjson.loads(asked.body) == orjson.loads(body(wild={"x": [1]}))
    assert asked.extension == Extension(("a", "b"), "u", "c", "p", ("t",))
    assert asked.context == ("a", "b")


def test_an_empty_fairlead_key_is_taken_out() -> None:
    """Null stands for an object without fields."""
    asked = parse(body(fairlead=None))
    assert (asked.extension, b"fairlead" in asked.body) == (Extension(), False)


def test_the_end_user_is_taken_from_the_request() -> None:
    """OpenAI's `user` field stands in for our own."""
    assert parse(body(user="u")).extension.user == "u"
    assert parse(body(user="u", fairlead={"user": "v"})).extension.user == "v"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": ["Hi"]}, "messages[0]"),
        ({"messages": [HI, {"content": "x"}]}, "messages[1].role"),
        ({"messages": [said("user", 1)]}, "messages[0].content"),
        ({"messages": [said("user", [1])]}, "messages[0].content[0]"),
        ({"messages": [said("user", [{"type": "text"}])]}, "messages[0].content[0].text"),
        ({"messages": [said("user", [{"type": "x", "text": 1}])]}, "messages[0].content[0].text"),
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": ["m"]}, "model"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"n": True}, "n"),
        ({"n": 1.5}, "n"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": True}, "stream_options"),
        ({"tools": {}}, "tools"),
        ({"tools": ["x"]}, "tools"),
        ({"fairlead": []}, "fairlead"),
        ({"fairlead": {"contxt": []}}, "fairlead"),
        ({"fairlead": {"user": 1}}, "fairlead.user"),
        ({"fairlead": {"context": "a"}}, "fairlead.context"),
        ({"fairlead": {"tags": [1]}}, "fairlead.tags"),
        ({"fairlead": {"context": ["a"] * 1001}}, "fairlead.context"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    """A field of a wrong type is a bad request that names it."""
    with pytest.raises(BadRequest) as caught:
        parse(body(**fields))
    assert caught.value.param == param
    assert re.split(r"[.\[]", param)[0] in caught.value.message


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{", b"[]", b"null", b"\xff", b'{"a":NaN}', b'{"a":1e999}', b'"\\ud800"'),
        *(b"[" * 2000, b"[" * 2000 + b"]" * 2000, b'{"a":' * 300 + b"1" + b"}" * 300),
    ],
)
def test_what_is_no_json_object_is_a_bad_request(data: bytes) -> None:
    """Bytes that cannot be read are refused with a reason."""
    with pytest.raises(BadRequest, match="body"):
        parse(data)


def test_nesting_has_a_limit() -> None:
    """Depth counts, not the number of brackets."""
    flat = {"flat": [[]] * 50}
    assert parse(body(**flat), max_depth=5).model == "m"
    with pytest.raises(BadRequest, match="more than 5 levels"):
        parse(body(deep=[[[[[[1]]]]]]), max_depth=5)


json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
roles = st.sampled_from(["user", "assistant", "system", "tool", "developer", "odd"])
parts = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url"])}, optional={"text": json}
)
contents = st.text() | st.none() | st.lists(parts | json, max_size=3) | json
messages = st.lists(st.fixed_dictionaries({"role": roles | json, "content": contents}) | json)
extensions = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(["context", "user", "conversation", "policy", "tags"], json)
)
requests = st.fixed_dictionaries(
    {"model": st.text() | json, "messages": messages | json},
    optional={
        "n": json,
        "stream": json,
        "stream_options": json,
        "tools": json,
        "fairlead": extensions | json,
        "user": json,
        "x": json,
    },
)


def is_read_or_refused(data: bytes) -> bool:
    """Whether the dialect gives an `Ask` or a `BadRequest`, and nothing else."""
    try:
        return isinstance(parse(data, source_pattern=r"<doc>(.*?)</doc>|#(.)"), Ask)
    except BadRequest as error:
        return bool(error.message)


@given(requests | json)
def test_any_json_is_read_or_refused(value: Any) -> None:
    """No JSON at all makes the parser fail in another way."""
    assert is_read_or_refused(orjson.dumps(value))


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """No bytes at all make the parser fail in another way."""
    assert is_read_or_refused(data)


@given(requests | json, st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255))))
def test_damaged_bytes_are_read_or_refused(value: Any, damage: list[tuple[int, int]]) -> None:
    """Neither does a request that was damaged on its way."""
    data = bytearray(orjson.dumps(value))
    for at, byte in damage:
        data[at % len(data)] = byte
    assert is_read_or_refused(bytes(data))


@pytest.mark.parametrize(
    ("conversation", "prompt"),
    [
        ([said("system", "s"), HI], "Hi"),
        ([HI, said("assistant", "a"), said("user", "b"), said("user", "c")], "b\nc"),
        ([HI, said("assistant", None), said("tool", "t")], "t"),
        ([HI, said("assistant", "a"), said("user", "b"), said("assistant", "pre")], "b"),
        ([HI, said("assistant", None), said("tool", None), said("tool", "")], "Hi"),
        ([said("system", "s")], "s"),
        ([said("developer", "s"), said("odd", "o")], "o"),
        ([said("assistant", "a")], ""),
    ],
)
def test_the_prompt_is_what_was_said_last(conversation: list[Any], prompt: str) -> None:
    """The prompt is what the user and tools said since the assistant spoke."""
    assert parse(body(messages=conversation)).prompt == prompt


def test_the_transcript_holds_every_turn() -> None:
    """The conversation is kept as one line for each speaker that said something."""
    turns = [said("system", "s"), HI, said("assistant", "a"), said("tool", "t"), said("user", None)]
    assert parse(body(messages=turns)).transcript == "System: s\nUser: Hi\nAssistant: a\nTool: t"


def test_content_parts_give_their_text() -> None:
    """Text parts are joined; images, audio and files have no text."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    content = [{"type": "text", "text": "Look:"}, image, "and", {"type": "refusal", "refusal": "r"}]
    assert parse(body(messages=[said("user", content)])).prompt == "Look:\nand\nr"


def test_context_comes_from_tools_and_marked_text() -> None:
    """Tool results and what the pattern marks are sources; the newest are kept."""
    turns = [
        said("system", "<doc>one</doc>"),
        said("user", "<doc>two</doc> ?"),
        said("tool", "three"),
    ]
    data = body(messages=turns, fairlead={"context": ["zero"]})
    assert parse(data).context == ("zero", "three")
    marked = r"<doc>(.*?)</doc>"
    assert parse(data, source_pattern=marked).context == ("zero", "one", "two", "three")
    assert parse(data, source_pattern=marked, max_context_items=2).context == ("zero", "three")
    assert parse(data, source_pattern=marked, max_context_items=1).context == ("zero",)


def test_a_pattern_without_group_marks_its_whole_match() -> None:
    """The group is optional."""
    asked = parse(body(messages=[said("user", "Source: x\nWhy?")]), source_pattern="Source: .*")
    assert asked.context == ("Source: x",)


def test_a_group_that_did_not_match_marks_nothing() -> None:
    """A pattern of alternatives marks only what its group holds."""
    asked = parse(body(messages=[said("user", "a #b")]), source_pattern="a|#(.)")
    assert asked.context == ("b",)


def test_settings_are_kept_for_the_record() -> None:
    """Scalars and the structured settings are recorded, content is not."""
    settings = {"temperature": 0.5, "seed": 1, "stop": ["x"], "response_format": {"type": "text"}}
    tools = [{"type": "function", "function": {"name": "f"}}]
    asked = parse(
        body(
            **settings,
            tools=tools,
            stream=True,
            n=2,
            stream_options={"include_usage": True},
            odd=[],
        )
    )
    assert (asked.params, asked.tools) == (settings, tools)
    assert (asked.is_stream, asked.wants_usage, asked.n) == (True, True, 2)


def test_a_plain_reply_is_read() -> None:
    """Id, model, usage and each choice's text come out."""
    reply = CHAT.reply(completion("One.", "Two."))
    assert (reply.id, reply.model) == ("chatcmpl-fake1", "fake-model")
    assert reply.usage == {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    assert [(c.index, dict(c.channels), c.finish_reason) for c in reply.choices] == [
        (0, {"content": "One."}, "stop"),
        (1, {"content": "Two."}, "stop"),
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"content": ""}, {}),
        ({"refusal": "No."}, {"refusal": "No."}),
        ({"reasoning_content": "Hm"}, {"reasoning": "Hm"}),
        ({"reasoning": "Hm", "reasoning_content": "Hm"}, {"reasoning": "Hm"}),
        ({"reasoning": "A", "reasoning_content": "B"}, {"reasoning": "AB"}),
        ({"tool_calls": [tool_call("f", "{}")]}, {"tool:0:name": "f", "tool:0:arguments": "{}"}),
        (
            {"tool_calls": [{"type": "custom", "custom": {"name": "c", "input": "x"}, "odd": "y"}]},
            {"tool:0:name": "c", "tool:0:arguments": "x", "other:tool_calls": "y"},
        ),
        (
            {
                "tool_calls": [
                    {"function": {"name": None, "arguments": {"a": 1}}},
                    {"function": None},
                ]
            },
            {"tool:0:arguments": '{"a":1}'},
        ),
        (
            {"function_call": {"name": "f", "arguments": "{}"}},
            {"function:name": "f", "function:arguments": "{}"},
        ),
        ({"audio": {"id": "a", "data": "AAAA", "transcript": "Hi"}}, {"audio": "Hi"}),
        ({"audio": {"id": "a", "data": "AAAA"}}, {}),
        (
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}, "Hi"]},
            {"reasoning": "Hm", "content": "Hi"},
        ),
        ({"content": [{"type": ["odd"], "text": "Hi"}, {"type": "image"}]}, {"content": "Hi"}),
        (
            {"novel": {"deep": [{"note": "psst", "id": "x", "seal_id": "y"}]}},
            {"other:novel": "psst"},
        ),
        ({"count": 3, "name": "x", "signature": "y"}, {}),
    ],
)
def test_all_text_of_a_message_has_a_channel(fields: Any, expected: dict[str, str]) -> None:
    """What a reader could see has a channel, known or not; ids and seals have none."""
    assert channels(**fields) == expected


def test_text_beside_the_message_has_a_channel() -> None:
    """A choice's own text field is not passed over, unless it repeats the content."""
    choices = [{"message": message("a"), "text": "b"}, {"message": message("a"), "text": "a"}]
    reply = CHAT.reply(completion(choices=choices))
    assert [dict(choice.channels) for choice in reply.choices] == [
        {"content": "a", "other:text": "b"},
        {"content": "a"},
    ]
    assert [choice.index for choice in reply.choices] == [0, 1]


@pytest.mark.parametrize("choices", [[], None])
def test_a_reply_may_have_no_choices(choices: Any) -> None:
    """An empty list or null is a reply that says nothing."""
    reply = CHAT.reply(completion(choices=choices, id=1, model=None, usage=[]))
    assert (reply.choices, reply.id, reply.model, reply.usage) == ((), None, None, None)
    assert orjson.loads(CHAT.vetoed(reply, {}, {}))["choices"] == []


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"<html>", b"[]", b"{}", b'{"a":' * 300 + b"1" + b"}" * 300),
        *(b'{"choices":{}}', b'{"choices":[1]}', b'{"choices":[{}]}'),
        b'{"choices":[{"index":-1,"message":{}}]}',
        b'{"choices":[{"index":"0","message":{}}]}',
        b'{"choices":[{"message":{},"finish_reason":1}]}',
        b'{"choices":[{"message":"x"}]}',
        b'{"choices":[{"message":{"content":1}}]}',
        b'{"choices":[{"message":{"content":[1]}}]}',
        b'{"choices":[{"message":{"tool_calls":{}}}]}',
        b'{"choices":[{"message":{"tool_calls":[1]}}]}',
        b'{"choices":[{"message":{"tool_calls":[{"function":"f"}]}}]}',
        b'{"choices":[{"message":{"function_call":"f"}}]}',
    ],
)
def test_what_is_no_reply_is_malformed(data: bytes) -> None:
    """An upstream's bytes that are not a reply raise the error for that."""
    with pytest.raises(UpstreamMalformed, match="The upstream sent"):
        CHAT.reply(data)


replies = st.fixed_dictionaries(
    {"choices": st.lists(st.fixed_dictionaries({"message": json}, optional={"index": json}) | json)}
)


@given(replies | json)
def test_any_json_is_a_reply_or_malformed(value: Any) -> None:
    """No JSON makes the reply's reader fail in another way."""
    with contextlib.suppress(UpstreamMalformed):
        assert isinstance(CHAT.reply(orjson.dumps(value)), Reply)


def test_a_vetoed_choice_is_replaced() -> None:
    """Of a vetoed choice nothing is left but its refusal; all else stays."""
    bad = message(
        "Bad.", tool_calls=[tool_call("f", "{}")], reasoning="x", annotations=[{"a": "b"}]
    )
    reply = CHAT.reply(completion("Good.", bad, wild={"x": 1}))
    vetoed = orjson.loads(CHAT.vetoed(reply, {1: NOTE}, {"id": "fl-1"}))
    refused = {
        "index": 1,
        "message": {"role": "assistant", "content": "Withheld."},
        "logprobs": None,
        "finish_reason": "content_filter",
    }
    choices = [reply.body["choices"][0], refused]
    assert vetoed == reply.body | {"choices": choices, "fairlead": {"id": "fl-1"}}
    assert reply.choices[1].message == bad


def test_an_annotated_reply_is_unchanged_otherwise() -> None:
    """Annotating adds one top-level object."""
    reply = CHAT.reply(completion("Good."))
    assert orjson.loads(CHAT.annotated(reply, {"id": "f"})) == reply.body | {
        "fairlead": {"id": "f"}
    }


def test_a_refused_prompt_is_answered_in_every_choice() -> None:
    """The refusal looks like a reply of the model that was asked for."""
    refused = orjson.loads(CHAT.prompt_refused(parse(body(n=2)), NOTE))
    assert (refused["id"], refused["object"]) == ("chatcmpl-fl-1", "chat.completion")
    assert (refused["model"], refused["created"]) == ("m", 1234)
    assert refused["fairlead"] == NOTE.fairlead
    assert [choice["message"]["content"] for choice in refused["choices"]] == ["Withheld."] * 2
    assert {choice["finish_reason"] for choice in refused["choices"]} == {"content_filter"}
    assert refused["usage"]["total_tokens"] == 0


def test_an_error_has_openais_envelope() -> None:
    """The error object carries message, type, param, code and what is added."""
    error = PromptVetoed("No.", param="messages", extra={"fairlead": {"id": "f"}})
    assert orjson.loads(CHAT.error(error)) == {
        "error": {
            "message": "No.",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "content_filter",
            "fairlead": {"id": "f"},
        }
    }
