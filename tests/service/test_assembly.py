"""A streamed message, put together again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dialects.assembly import Assembly


def joined(*deltas: dict[str, Any]) -> dict[str, Any]:
    """The message that these deltas of one choice make."""
    assembly = Assembly()
    for delta in deltas:
        assembly.add(0, delta)
    return assembly.messages()[0]


def test_pieces_of_text_are_joined() -> None:
    """Each field's pieces come together, the role is taken once."""
    deltas = [{"role": "assistant", "content": ""}, {"content": "a"}, {"content": "b"}, {}]
    assert joined(*deltas, {"role": "assistant", "refusal": "r", "content": None}) == {
        "role": "assistant",
        "content": "ab",
        "refusal": "r",
    }


def test_choices_are_kept_apart() -> None:
    """Each choice is a message of its own; one that said nothing is none."""
    assembly = Assembly()
    for choice, text in ((1, "a"), (0, "b"), (1, "c")):
        assembly.add(choice, {"content": text})
    assembly.add(2, {})
    contents = {choice: message["content"] for choice, message in assembly.messages().items()}
    assert contents == {0: "b", 1: "ac"}


def test_tool_calls_are_joined_by_their_index() -> None:
    """Names and arguments come together, ids are taken once, and the index goes."""
    function = {"name": "f", "arguments": ""}
    message = joined(
        {"tool_calls": [{"index": 1, "id": "b", "function": {"name": "g"}}]},
        {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": function}]},
        {"tool_calls": [{"index": 0, "id": "a", "function": {"arguments": "{"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]},
    )
    assert message == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "b", "function": {"name": "g"}},
        ],
    }


def test_items_without_index_follow_each_other() -> None:
    """Content parts of several deltas are one list."""
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert joined({"content": parts[:1]}, {"content": parts[1:]})["content"] == parts


@pytest.mark.parametrize("pair", [("a", ["b"]), (["b"], "a"), ("a", {"b": 1}), ({"b": 1}, 2)])
def test_the_later_type_counts(pair: tuple[Any, Any]) -> None:
    """A field that changes its type on the way starts again."""
    assert joined({"x": pair[0]}, {"x": pair[1]})["x"] == pair[1]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["content", "tool_calls", "index", "role"]), inner)
    ),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from(["content", "tool_calls", "role", "x"]), values)))
def test_any_json_can_be_put_together(deltas: list[dict[str, Any]]) -> None:
    """Whatever comes, the result is JSON and the deltas are as they were."""
    before = json.dumps(deltas)
    assembly = Assembly()
    for delta in deltas:
        assembly.add(0, delta)
    assert isinstance(json.dumps(assembly.messages()), str)
    assert json.dumps(deltas) == before
