from __future__ import annotations

from typing import Any

import pytest

from storage.exports.conversation import plain_text, training_message, training_messages

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


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [("", {}), ("{broken", "{broken"), ({"a": 1}, {"a": 1}), (None, None)],
)
def test_arguments_are_objects_where_they_can_be(arguments: Any, expected: Any) -> None:
    """Arguments that are not JSON stay as they are."""
    call = {"function": {"name": "f", "arguments": arguments}}

    message = training_message({"role": "assistant", "content": "", "tool_calls": [call]})

    assert message is not None
    assert expected == message["tool_calls"][0]["function"]["arguments"]


@pytest.mark.parametrize("call", ["text", {"type": "custom"}])
def test_other_tool_calls_stay(call: Any) -> None:
    """A tool call of an unknown kind is kept as it is."""
    message = training_message({"role": "assistant", "content": "", "tool_calls": [call]})

    assert message is not None
    assert [call] == message["tool_calls"]


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
