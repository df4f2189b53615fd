from __future__ import annotations

from typing import Any

import pytest

from storage.exports.conversation import (
    plain_text,
    training_message,
    training_messages,
    training_tools,
    written_text,
)

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"role": "user", "content": "Hi", "extra": 1}, {"role": "user", "content": "Hi"}),
        ({"role": "developer", "content": "Be"}, {"role": "system", "content": "Be"}),
        (
            {"role": "user", "content": [{"type": "text", "text": "a"}, "b"]},
            {"role": "user", "content": "a\nb"},
        ),
        (
            {"role": "tool", "content": "1", "tool_call_id": "c1", "name": "f"},
            {"role": "tool", "content": "1", "name": "f", "tool_call_id": "c1"},
        ),
        (
            {"role": "assistant", "content": None, "refusal": None, "tool_calls": [CALL]},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [CALL | {"function": {"name": "f", "arguments": {"a": 1}}}],
            },
        ),
    ],
)
def test_message_becomes_what_a_template_reads(
    message: dict[str, Any], expected: dict[str, Any]
) -> None:
    """A message keeps role, text and tool fields, arguments as objects."""
    assert expected == training_message(message)


@pytest.mark.parametrize("arguments", ["", "{}", {}, None])
def test_no_arguments_are_an_empty_object(arguments: Any) -> None:
    """A call without arguments has an empty object of them."""
    call = {"function": {"name": "f", "arguments": arguments}}

    message = training_message({"role": "assistant", "content": "", "tool_calls": [call]})

    assert message is not None
    assert message["tool_calls"][0] == {
        "type": "function",
        "function": {"name": "f", "arguments": {}},
    }


@pytest.mark.parametrize(
    "call",
    [
        "text",
        {"type": "custom", "custom": {"name": "f", "input": "x"}},
        {"type": "web_search_call", "id": "ws_1"},
        {"function": {"name": "f", "arguments": "{broken"}},
        {"function": {"name": "f", "arguments": "[1]"}},
        {"function": {"arguments": "{}"}},
    ],
)
def test_what_no_template_shows_as_a_call_is_none(call: Any) -> None:
    """A call of something else than a function, or without readable arguments, is left out."""
    assert training_message({"role": "assistant", "content": "", "tool_calls": [call]}) is None


def test_the_one_call_of_older_clients_is_a_tool_call() -> None:
    """`function_call` and the role `function` become what templates read."""
    called = {"role": "assistant", "function_call": {"name": "f", "arguments": '{"a": 1}'}}
    result = {"role": "function", "name": "f", "content": "7"}

    assert training_messages([called, result]) == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"type": "function", "function": {"name": "f", "arguments": {"a": 1}}},
            ],
        },
        {"role": "tool", "name": "f", "content": "7"},
    ]


@pytest.mark.parametrize(
    ("tools", "expected"),
    [
        (None, None),
        ([], None),
        ("odd", None),
        ([{"type": "web_search"}, "odd"], None),
        (
            [{"type": "function", "function": {"name": "f"}, "strict": True}],
            [{"type": "function", "function": {"name": "f"}}],
        ),
        (
            [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
            [
                {
                    "type": "function",
                    "function": {
                        "name": "f",
                        "description": "d",
                        "parameters": {"type": "object"},
                    },
                }
            ],
        ),
    ],
)
def test_tools_are_functions_in_chat_s_form(tools: Any, expected: Any) -> None:
    """OpenAI's and Anthropic's functions are kept, what an upstream runs itself is not."""
    assert training_tools(tools) == expected


@pytest.mark.parametrize(
    "message",
    [
        "text",
        {"content": "no role"},
        {"role": 1, "content": "x"},
        {"role": "user", "content": 5},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "user", "content": [7]},
    ],
)
def test_what_is_not_text_is_none(message: Any) -> None:
    """A message that is not text alone is no training message, nor is a talk that holds one."""
    assert training_message(message) is None
    assert training_messages([{"role": "user", "content": "Hi"}, message]) is None


@pytest.mark.parametrize("messages", [None, [], "text", {}])
def test_no_conversation_is_none(messages: Any) -> None:
    """Without messages there is no conversation."""
    assert training_messages(messages) is None


def test_null_content_is_empty_text() -> None:
    """A message without content has the empty text."""
    assert plain_text(None) == ""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, ""),
        ("a", "a"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "thinking", "thinking": "x"}, {"type": "text", "text": "a"}], "a"),
        ([{"type": "tool_use", "name": "f", "input": {}}], ""),
    ],
)
def test_written_text_is_what_a_client_reads(content: Any, expected: str) -> None:
    """The texts of a reply in one piece, without what stands beside them."""
    assert written_text(content) == expected
