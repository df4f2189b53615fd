"""OpenAI's file for preference fine-tuning: one line per pair, in chat's wire format.

https://developers.openai.com/api/docs/guides/direct-preference-optimization and the schema
`FineTunePreferenceRequestInput` of OpenAI's API description: text alone, one assistant message
for each output, which is the last of its conversation. Extra columns are not provided for, so
the rows carry no provenance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from storage import jsontext
from storage.exports.base import JSON_LINES, Label, Material, Message, Pair, Row
from storage.records import Json

MAX_TOOLS = 128
_FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SPEAKER_NAME = re.compile(r"[^\s<|\\/>]{1,64}")
_ROLES = frozenset({"system", "user", "assistant", "tool"})


class OpenAiDpo:
    """`{"input": {"messages", ...}, "preferred_output": [...], "non_preferred_output": [...]}`."""

    name = "openai-dpo"
    endings = JSON_LINES
    material: Material = "pairs"

    def row(self, example: Pair | Label) -> Row | str:
        """The row of a pair, or why OpenAI would refuse it."""
        assert isinstance(example, Pair)
        reason = _fault(example)
        if reason is not None:
            return reason
        messages = [_wire(message) for message in example.prompt]
        tools = {"tools": example.tools, "parallel_tool_calls": True} if example.tools else {}
        return {
            "input": {"messages": messages, **tools},
            "preferred_output": [_wire(example.chosen)],
            "non_preferred_output": [_wire(example.rejected)],
        }


def _fault(pair: Pair) -> str | None:
    messages = [*pair.prompt, pair.chosen, pair.rejected]
    if any(message["role"] not in _ROLES or not _is_named(message) for message in messages):
        return "openai_speaker"
    if not pair.prompt or pair.prompt[-1]["role"] not in ("user", "tool"):
        return "openai_last_turn"
    calls = [call for message in messages for call in message.get("tool_calls", ())]
    offered = _offered(pair.tools)
    is_callable = offered is not None and all(_is_call(call, offered) for call in calls)
    return None if is_callable and _are_answered(pair.prompt) else "openai_tools"


def _is_named(message: Message) -> bool:
    name = message.get("name")
    return name is None or message["role"] == "tool" or _fits(_SPEAKER_NAME, name)


def _offered(tools: list[Json] | None) -> set[Json] | None:
    """The names of the functions on offer, None where one is no function or they are too many."""
    functions = [tool.get("function") for tool in tools or () if isinstance(tool, dict)]
    names = [each.get("name") if isinstance(each, dict) else None for each in functions]
    fitting = {name for name in names if _fits(_FUNCTION_NAME, name)}
    is_whole = len(names) <= MAX_TOOLS and len(functions) == len(tools or ())
    return fitting if is_whole and fitting == set(names) else None


def _is_call(call: Json, offered: set[Json]) -> bool:
    return bool(call.get("id")) and call["function"]["name"] in offered


def _are_answered(prompt: list[Message]) -> bool:
    """Whether each call has its result before anybody else speaks, and no result is without."""
    waiting: set[str] = set()
    for message in prompt:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in waiting:
                return False
            waiting.discard(message["tool_call_id"])
        elif waiting:
            return False
        else:
            waiting = {call["id"] for call in message.get("tool_calls", ())}
    return not waiting


def _wire(message: Message) -> Message:
    calls = [_wire_call(call) for call in message.get("tool_calls", ())]
    content = {"content": message["content"]} if message["content"] or not calls else {}
    return {"role": message["role"], **content, **dict(_beside(message, calls))}


def _beside(message: Message, calls: Iterable[Json]) -> Iterator[tuple[str, Json]]:
    if message["role"] == "tool":
        yield "tool_call_id", message["tool_call_id"]
    elif "name" in message:
        yield "name", message["name"]
    if calls:
        yield "tool_calls", calls


def _wire_call(call: Json) -> Json:
    function = call["function"]
    arguments = jsontext.dumps(function["arguments"])
    named = {"name": function["name"], "arguments": arguments}
    return {"id": call["id"], "type": "function", "function": named}


def _fits(pattern: re.Pattern[str], name: Json) -> bool:
    return isinstance(name, str) and pattern.fullmatch(name) is not None
