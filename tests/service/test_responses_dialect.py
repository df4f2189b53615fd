"""Responses: requests and plain replies."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dialects.base import ReadLimits, VetoNote
from service.dialects.responses import ROUTE, Responses
from service.errors import BadRequest, PromptVetoed, UpstreamMalformed
from service.exchange import Ask, Reply
from storage.exports.conversation import training_messages
from tests.fakes.responses import (
    call_item,
    custom_item,
    message_item,
    plain_response,
    reasoning_item,
)

NOTE = VetoNote("Withheld.", {"id": "fl-1", "verdict": "veto"})
RESPONSES = Responses(now=lambda: 1234.5)
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "Sunny."}
json = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**40) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def body(**fields: Any) -> bytes:
    """A request with these fields beside a model and an input."""
    return orjson.dumps({"model": "m", "input": "Hi"} | fields)


def parse(data: bytes, **limits: Any) -> Ask:
    """The request as the dialect reads it."""
    return RESPONSES.parse(data, ROUTE, limits=ReadLimits(**limits))


def said(role: str, content: Any) -> dict[str, Any]:
    """One message item, in its short form."""
    return {"role": role, "content": content}


def channels(*items: Any, **extra: Any) -> dict[str, str]:
    """The text that a plain response with these items carries, by channel."""
    return dict(RESPONSES.reply(plain_response(*items, **extra)).choices[0].channels)


def test_the_bytes_go_upstream_as_they_came() -> None:
    """A request without our own key is forwarded byte for byte."""
    data = b'{ "model":"m", "x": 1.50, "input":"\\u0048i" }'
    asked = parse(data)
    assert (asked.body, asked.prompt, asked.n, asked.is_stream) == (data, "Hi", 1, False)
    assert asked.messages == [said("user", "Hi")]


def test_the_fairlead_key_is_taken_out() -> None:
    """Our object is read and does not go upstream; the end user has two names."""
    asked = parse(body(fairlead={"context": ["a"]}, safety_identifier="u"))
    assert orjson.loads(asked.body) == orjson.loads(body(safety_identifier="u"))
    assert (asked.context, asked.extension.user) == (("a",), "u")


def test_instructions_and_items_are_one_conversation() -> None:
    """Items become the messages that a chat request would have, one for each turn."""
    items = [
        said("user", [{"type": "input_text", "text": "Weather?"}, {"type": "input_image"}]),
        reasoning_item("Let me see."),
        call_item("weather", "{}"),
        custom_item("note", "x"),
        OUTPUT,
        message_item("It is sunny."),
        said("developer", "Be brief."),
    ]
    asked = parse(body(input=items, instructions="Be kind."))
    assert [message["role"] for message in asked.messages] == [
        "system", "user", "assistant", "tool", "assistant", "developer",
    ]  # fmt: skip
    turn = asked.messages[2]
    assert (turn["reasoning"], [call["type"] for call in turn["tool_calls"]]) == (
        "Let me see.", ["function", "custom"],
    )  # fmt: skip
    assert asked.context == ("Sunny.",)
    assert asked.transcript == (
        "System: Be kind.\nUser: Weather?\nTool: Sunny.\nAssistant: It is sunny.\nSystem: Be brief."
    )


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (OUTPUT, "Sunny."),
        (OUTPUT | {"output": [{"type": "input_text", "text": "A"}, {"text": "B"}]}, "A\nB"),
        ({"type": "custom_tool_call_output", "output": "x"}, "x"),
        ({"type": "shell_call_output", "output": [{"stdout": "a", "stderr": "b"}]}, "a\nb"),
        ({"type": "mcp_call", "name": "f", "arguments": "{}", "output": "x"}, "x"),
        ({"type": "file_search_call", "results": [{"text": "x"}]}, "x"),
    ],
)
def test_what_tools_found_is_context_and_prompt(item: Any, text: str) -> None:
    """A tool's result is a source for the reply, and is scored as what was said last."""
    asked = parse(body(input=[said("user", "Go."), call_item("f", "{}"), item]))
    assert (asked.context, asked.prompt) == ((text,), text)


def test_an_item_that_is_not_known_is_the_user_s() -> None:
    """What it says is scored; without text it is a reference."""
    asked = parse(body(input=[{"type": "novel", "words": "psst"}, {"type": "item_reference"}]))
    assert asked.prompt == "psst"


@pytest.mark.parametrize(
    "fields",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": {"id": "conv_1"}},
        {"prompt": {"id": "pmpt_1"}, "model": None},
    ],
)
def test_what_the_upstream_remembers_is_part_of_the_record(fields: Any) -> None:
    """Equal inputs of different conversations are told apart, and none is taken for whole."""
    asked = parse(body(**fields))
    assert asked.messages != parse(body()).messages
    assert asked.prompt == "Hi"
    assert training_messages(asked.messages) is None
    assert training_messages(parse(body()).messages) is not None


def test_a_template_s_variables_are_the_user_s() -> None:
    """What fills a stored prompt is scored, where there is no other input too."""
    asked = parse(orjson.dumps({"prompt": {"id": "p", "variables": {"x": "psst", "id": 1}}}))
    assert (asked.prompt, asked.model) == ("psst", "")


def test_tools_and_settings_are_recorded() -> None:
    """Function tools in chat's form, others as they are; the settings beside."""
    tools = [{"type": "function", "name": "f", "parameters": {}}, {"type": "web_search"}]
    asked = parse(body(tools=tools, temperature=0.5, text={"format": {"type": "text"}}))
    assert asked.tools == [
        {"type": "function", "function": {"name": "f", "parameters": {}}},
        {"type": "web_search"},
    ]
    assert asked.params == {"temperature": 0.5, "text": {"format": {"type": "text"}}}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 1}, "input"),
        ({"input": ["x"]}, "input[0]"),
        ({"input": [{"type": 1}]}, "input[0].type"),
        ({"input": [{"content": "x"}]}, "input[0].role"),
        ({"input": [said("user", 1)]}, "input[0].content"),
        ({"input": [said("user", [1])]}, "input[0].content[0]"),
        ({"input": [said("user", [{"type": "input_text"}])]}, "input[0].content[0].text"),
        ({"instructions": 1}, "instructions"),
        ({"instructions": [1]}, "instructions[0]"),
        ({"previous_response_id": 1}, "previous_response_id"),
        ({"prompt": "p"}, "prompt"),
        ({"model": None}, "model"),
        ({"stream": 1}, "stream"),
        ({"tools": [1]}, "tools"),
    ],
)
def test_a_wrong_field_is_named(fields: Any, param: str) -> None:
    """A request that cannot be read says which field is at fault."""
    with pytest.raises(BadRequest) as caught:
        parse(body(**fields))
    assert caught.value.param == param


kinds = st.sampled_from(
    ["message", "function_call", "function_call_output", "reasoning", "mcp_call", "novel", "text"]
)
items = st.fixed_dictionaries(
    {},
    optional={
        "type": kinds | json,
        "role": st.sampled_from(["user", "assistant", "tool"]) | json,
        "content": st.lists(st.fixed_dictionaries({"type": json, "text": json}) | json) | json,
        "output": json,
        "summary": json,
    },
)
requests = st.fixed_dictionaries(
    {"model": st.just("m"), "input": st.lists(items | json, max_size=4) | json},
    optional={"instructions": json, "previous_response_id": json, "prompt": json, "tools": json},
)


@given(st.binary() | requests.map(orjson.dumps))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    """Whatever a client sends is read or is a `BadRequest`."""
    with contextlib.suppress(BadRequest):
        assert isinstance(parse(data), Ask)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (message_item("a", "b"), {"content": "ab"}),
        (message_item(content=[{"type": "refusal", "refusal": "No."}]), {"refusal": "No."}),
        (message_item(content="a"), {"content": "a"}),
        (reasoning_item("Hm"), {"reasoning": "Hm"}),
        (
            {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm"}]},
            {"reasoning": "Hm"},
        ),
        (call_item("f", "{}"), {"tool:0:name": "f", "tool:0:arguments": "{}"}),
        (custom_item("note", "x"), {"tool:0:name": "note", "tool:0:arguments": "x"}),
        (
            {"type": "mcp_call", "name": "f", "arguments": "{}", "output": "x"},
            {"tool:0:name": "f", "tool:0:arguments": "{}", "other:mcp_call": "x"},
        ),
        (
            {"type": "code_interpreter_call", "code": "1", "outputs": [{"logs": "x"}]},
            {"tool:0:arguments": "1", "other:code_interpreter_call": "x"},
        ),
        ({"type": "image_generation_call", "result": "AAAA"}, {}),
        ({"type": "new", "name": "n", "deep": [["psst"]], "result": "x"}, {"other:new": "psstx"}),
        ({"type": "new_call", "name": "n", "id": "x"}, {"tool:0:name": "n"}),
        ({"words": "psst"}, {"other:item": "psst"}),
    ],
)  # fmt: skip
def test_all_text_of_an_item_has_a_channel(item: Any, expected: dict[str, str]) -> None:
    """What a reader could see has a channel, known or not; ids and images have none."""
    assert channels(item) == expected


def test_text_beside_the_output_has_a_channel() -> None:
    """An unknown field is not passed over, unless it repeats the content."""
    assert channels(message_item("a"), output_text="a", novel=["b"]) == {
        "content": "a",
        "other:novel": "b",
    }
    assert channels(message_item("a"), output_text="b")["other:output_text"] == "b"


def test_a_reply_is_one_choice() -> None:
    """Its message has the text, the calls and the reasoning; its end is the status."""
    reply = RESPONSES.reply(
        plain_response(reasoning_item("Hm"), message_item("Hi"), call_item("f", "{}"))
    )
    [choice] = reply.choices
    assert (choice.message["content"], choice.message["reasoning"]) == ("Hi", "Hm")
    assert choice.message["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
    assert (choice.finish_reason, reply.id, reply.model) == (
        "completed", "resp_fake1", "fake-model",
    )  # fmt: skip
    assert channels(output=None) == {}


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"output":{}}', b'{"output":["x"]}'])
def test_what_is_no_reply_is_malformed(data: bytes) -> None:
    """An upstream's bytes that are not a response raise the error for that."""
    with pytest.raises(UpstreamMalformed):
        RESPONSES.reply(data)


outputs = st.fixed_dictionaries({"output": st.lists(items, max_size=3)}, optional={"text": json})


@given(outputs | json)
def test_any_json_is_a_reply_or_malformed(value: Any) -> None:
    """No JSON makes the reader or the veto fail in another way."""
    with contextlib.suppress(UpstreamMalformed):
        reply = RESPONSES.reply(orjson.dumps(value))
        assert isinstance(reply, Reply)
        vetoed = orjson.loads(RESPONSES.vetoed(reply, {0: NOTE}, NOTE.fairlead))
        assert vetoed["status"] == "incomplete"


def test_a_vetoed_output_is_replaced() -> None:
    """One message is left; id, model, usage and settings stay; other text does not."""
    extra = {"output_text": "Bad.", "novel": "Bad.", "completed_at": 5}
    reply = RESPONSES.reply(plain_response(message_item("Bad."), call_item("f", "{}"), **extra))
    vetoed = orjson.loads(RESPONSES.vetoed(reply, {0: NOTE}, NOTE.fairlead))
    changed = ("status", "incomplete_details", "output", "output_text", "novel", "completed_at")
    kept = {name: value for name, value in reply.body.items() if name not in changed}
    assert kept.items() <= vetoed.items()
    assert (vetoed["status"], vetoed["completed_at"]) == ("incomplete", None)
    assert vetoed["incomplete_details"] == {"reason": "content_filter"}
    assert vetoed["output_text"] == "Withheld."
    assert "novel" not in vetoed
    [message] = vetoed["output"]
    assert (message["type"], message["role"]) == ("message", "assistant")
    assert [part["text"] for part in message["content"]] == ["Withheld."]
    assert vetoed["fairlead"] == NOTE.fairlead


def test_without_a_veto_only_our_object_is_added() -> None:
    """An annotated reply is otherwise unchanged."""
    reply = RESPONSES.reply(plain_response(message_item("Good.")))
    expected = reply.body | {"fairlead": {"id": "f"}}
    assert orjson.loads(RESPONSES.annotated(reply, {"id": "f"})) == expected
    assert orjson.loads(RESPONSES.vetoed(reply, {}, {"id": "f"})) == expected


@pytest.mark.parametrize(
    ("text", "format_", "kind"),
    [
        ("Bad.", {"type": "text"}, "output_text"),
        ("[Bad.", None, "output_text"),
        ("Bad.", {"type": "json_schema"}, "refusal"),
        ('{"a": 1}', None, "refusal"),
    ],
)
def test_a_structured_reply_is_refused_as_a_refusal(text: str, format_: Any, kind: str) -> None:
    """Text that is not JSON would break whoever parses it."""
    reply = RESPONSES.reply(plain_response(message_item(text), text={"format": format_}))
    vetoed = orjson.loads(RESPONSES.vetoed(reply, {0: NOTE}, {}))
    assert vetoed["output"][0]["content"][0]["type"] == kind


def test_a_refused_prompt_is_a_response_of_our_own() -> None:
    """It ends like a vetoed reply, under an id of ours and without usage."""
    refused = orjson.loads(RESPONSES.prompt_refused(parse(body()), NOTE))
    assert (refused["id"], refused["object"], refused["created_at"]) == (
        "resp_fl-1", "response", 1234,
    )  # fmt: skip
    assert (refused["status"], refused["usage"]["total_tokens"]) == ("incomplete", 0)
    assert b"response.incomplete" in RESPONSES.prompt_refused_stream(parse(body()), NOTE)


def test_a_vetoed_prompt_names_its_field() -> None:
    """The envelope is OpenAI's, its `param` the field that held the prompt."""
    told = orjson.loads(RESPONSES.error(PromptVetoed("no", param="messages")))
    assert (told["error"]["param"], told["error"]["code"]) == ("input", "content_filter")
    assert orjson.loads(RESPONSES.error(BadRequest("x", param="n")))["error"]["param"] == "n"
