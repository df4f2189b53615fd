"""Anthropic's messages as training messages."""

from __future__ import annotations

from typing import Any

import pytest

from storage.exports.conversation import training_message, training_messages

CALL = {"type": "tool_use", "id": "toolu_1", "name": "tide", "input": {"at": "Kiel"}}
CHAT_CALL = {
    "id": "toolu_1",
    "type": "function",
    "function": {"name": "tide", "arguments": {"at": "Kiel"}},
}


def text(said: str) -> dict[str, Any]:
    """A block of text."""
    return {"type": "text", "text": said}


def result(content: Any, ident: str = "toolu_1") -> dict[str, Any]:
    """A tool's result."""
    return {"type": "tool_result", "tool_use_id": ident, "content": content}


def test_calls_and_results_are_messages_of_a_chat() -> None:
    """A call stands with what was said beside it, each result by itself, before the user."""
    asked = [
        {"role": "system", "content": [text("Be brief.")]},
        {"role": "user", "content": "High tide?"},
        {"role": "assistant", "content": [text("I look."), CALL, CALL | {"id": "toolu_2"}]},
        {"role": "user", "content": [result("12:30"), result([text("a"), text("b")], "toolu_2")]},
        {"role": "assistant", "content": "At half past twelve."},
        {"role": "user", "content": [result(None), text("And"), text("low?")]},
    ]

    assert training_messages(asked) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "High tide?"},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [CHAT_CALL, CHAT_CALL | {"id": "toolu_2"}],
        },
        {"role": "tool", "content": "12:30", "tool_call_id": "toolu_1"},
        {"role": "tool", "content": "a\nb", "tool_call_id": "toolu_2"},
        {"role": "assistant", "content": "At half past twelve."},
        {"role": "tool", "content": "", "tool_call_id": "toolu_1"},
        {"role": "user", "content": "And\nlow?"},
    ]


def test_thinking_is_not_said() -> None:
    """What the model thought is left out, its text is in one piece."""
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
        text("At "),
        text("noon."),
    ]

    message = training_message({"role": "assistant", "content": content})

    assert message == {"role": "assistant", "content": "At noon."}


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (
            {"type": "document", "source": {"type": "text", "data": "Tides."}, "title": "Book"},
            "Book\nTides.",
        ),
        ({"type": "document", "source": {"type": "content", "content": [text("T")]}}, "T"),
        ({"type": "search_result", "source": "https://x", "content": [text("Found.")]}, "Found."),
    ],
)
def test_documents_are_their_text(block: dict[str, Any], expected: str) -> None:
    """What the model read is part of the prompt."""
    message = training_message({"role": "user", "content": [block, text("When?")]})

    assert message == {"role": "user", "content": f"{expected}\nWhen?"}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "base64"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf"}},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "tool_use", "id": "t", "name": "f", "input": "{broken"},
        {"type": "tool_use", "id": "t", "input": {}},
        result([{"type": "image", "source": {}}]),
        {"type": "tool_result", "content": "no id"},
        7,
    ],
)
def test_what_is_no_text_is_none(block: Any) -> None:
    """A message with a picture, a file or a broken call is none, alone or beside a call."""
    assert training_messages([{"role": "assistant", "content": [CALL, block]}]) is None
