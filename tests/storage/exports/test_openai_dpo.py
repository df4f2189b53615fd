"""OpenAI's preference files, held against OpenAI's own types and published rules."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import (
    ChatCompletionAssistantMessageParam,
    ChatCompletionMessageParam,
    ChatCompletionToolUnionParam,
)
from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from storage.exports.base import Pair, Provenance
from storage.exports.openai_dpo import MAX_TOOLS, OpenAiDpo

TOOL = {"type": "function", "function": {"name": "tide", "parameters": {"type": "object"}}}
CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "tide", "arguments": {"at": "Kiel"}},
}
AGAIN = CALL | {"id": "c2"}
WIRE_CALL = CALL | {"function": {"name": "tide", "arguments": '{"at":"Kiel"}'}}
ASKED = {"role": "user", "content": "High tide?"}
CALLED = {"role": "assistant", "content": "", "tool_calls": [CALL]}
ANSWERED = {"role": "tool", "content": "12:30", "tool_call_id": "c1"}


class Input(TypedDict, total=False):
    """`input` of the API description's FineTunePreferenceRequestInput."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
    messages: list[ChatCompletionMessageParam]
    tools: list[ChatCompletionToolUnionParam]
    parallel_tool_calls: bool


class Line(TypedDict):
    """One line of the file; both outputs hold at most one message there."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
    input: Input
    preferred_output: list[ChatCompletionAssistantMessageParam]
    non_preferred_output: list[ChatCompletionAssistantMessageParam]


LINE = TypeAdapter(Line)


def pair(*prompt: dict[str, Any], tools: Any = None, chosen: Any = "Noon.") -> Pair:
    """A pair whose chosen reply is a text or a message."""
    message = {"role": "assistant", "content": chosen} if isinstance(chosen, str) else chosen
    return Pair(
        prompt=list(prompt),
        tools=tools,
        chosen=message,
        rejected={"role": "assistant", "content": "No idea."},
        provenance=Provenance(
            source="thumbs", margin=1.0, difficulty=0.0, interaction_ids=("fl_1",), split="train"
        ),
    )


def row(example: Pair) -> dict[str, Any]:
    """The line of a pair, accepted by OpenAI's types."""
    made = OpenAiDpo().row(example)
    assert isinstance(made, dict), made
    LINE.validate_python(made, strict=True)
    assert all(len(made[name]) == 1 for name in ("preferred_output", "non_preferred_output"))
    return made


def test_a_line_is_exactly_so() -> None:
    """The guide's three fields and nothing else: extra columns are not provided for."""
    system = {"role": "system", "content": "Be brief.", "name": "house"}

    assert row(pair(system, ASKED)) == {
        "input": {"messages": [system, ASKED]},
        "preferred_output": [{"role": "assistant", "content": "Noon."}],
        "non_preferred_output": [{"role": "assistant", "content": "No idea."}],
    }


def test_tools_are_as_on_the_wire() -> None:
    """Arguments are JSON text again, and a message that only calls has no content."""
    made = row(pair(ASKED, CALLED, ANSWERED, ASKED, tools=[TOOL], chosen=CALLED))

    called = {"role": "assistant", "tool_calls": [WIRE_CALL]}
    assert made["input"] == {
        "messages": [ASKED, called, ANSWERED, ASKED],
        "tools": [TOOL],
        "parallel_tool_calls": True,
    }
    assert made["preferred_output"] == [called]


@pytest.mark.parametrize(
    ("example", "reason"),
    [
        (pair(ASKED, {"role": "assistant", "content": "At"}), "openai_last_turn"),
        (pair({"role": "system", "content": "Be brief."}), "openai_last_turn"),
        (pair({"role": "oracle", "content": "?"}, ASKED), "openai_speaker"),
        (pair(ASKED | {"name": "Ann Lee"}), "openai_speaker"),
        (pair(ASKED, chosen=CALLED), "openai_tools"),
        (pair(ASKED, tools=[TOOL] * (MAX_TOOLS + 1)), "openai_tools"),
        (pair(ASKED, tools=[{"type": "function", "function": {"name": "a b"}}]), "openai_tools"),
        (pair(ASKED, CALLED, ASKED, tools=[TOOL]), "openai_tools"),
        (pair(ASKED, ANSWERED, tools=[TOOL]), "openai_tools"),
        (
            pair(
                ASKED, CALLED | {"tool_calls": [CALL, CALL | {"id": "c2"}]}, ANSWERED, tools=[TOOL]
            ),
            "openai_tools",
        ),
        (
            pair(ASKED, tools=[TOOL], chosen=CALLED | {"tool_calls": [CALL | {"id": ""}]}),
            "openai_tools",
        ),
    ],
)
def test_what_openai_refuses_is_left_out(example: Pair, reason: str) -> None:
    """A pair that does not fit says why."""
    assert OpenAiDpo().row(example) == reason


def test_the_types_can_refuse() -> None:
    """The check of these tests sees a wrong role, a missing call id and a column too many."""
    good = row(pair(ASKED))
    for wrong in (
        good | {"split": "train"},
        good | {"preferred_output": [ASKED]},
        good | {"input": {"messages": [{"role": "tool", "content": "x"}]}},
    ):
        with pytest.raises(ValidationError):
            LINE.validate_python(wrong, strict=True)
