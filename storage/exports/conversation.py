"""Stored messages as training messages: what a chat template reads, nothing else.

Chat, text completions and Responses are recorded as chat messages; Anthropic's messages as they
came, with content blocks (`blocks.py`).
"""

from __future__ import annotations

from storage import jsontext
from storage.exports import blocks
from storage.exports.base import Message
from storage.records import Json

_KEPT = ("name", "tool_call_id")
_ROLES = {"developer": "system", "function": "tool"}


def training_messages(messages: Json) -> list[Message] | None:
    """The conversation for a trainer, None when it is not one of text and function calls."""
    if not isinstance(messages, list) or not messages:
        return None
    found: list[Message] = []
    for message in messages:
        turn = _turn(message)
        if turn is None:
            return None
        found.extend(turn)
    return found


def training_message(message: Json) -> Message | None:
    """One message with `role`, `content` and tool fields; None when it is not just one of text.

    OpenAI's "developer" is the "system" of every chat template; arguments of tool calls are
    objects here, where the wire has them as JSON text. Reasoning is left out.
    """
    turn = _turn(message)
    return turn[0] if turn is not None and len(turn) == 1 else None


def training_tools(tools: Json) -> list[Json] | None:
    """The functions that a model could call, in the form of chat requests; None without any."""
    functions = [_function(tool) for tool in tools] if isinstance(tools, list) else []
    return [each for each in functions if each is not None] or None


def plain_text(content: Json, between: str = "\n") -> str | None:
    """The text of a message's content ("" for null), None when it holds more than text."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts = [part.get("text") if isinstance(part, dict) else part for part in content]
    texts = [part for part in parts if isinstance(part, str)]
    return between.join(texts) if len(texts) == len(parts) else None


def written_text(content: Json) -> str | None:
    """What a client reads of a reply's content, whatever stands beside it; None without content."""
    parts = blocks.texts(content) if isinstance(content, list) else content
    return plain_text(parts, between="")


def _turn(message: Json) -> list[Message] | None:
    """A message, or the several that one of Anthropic's makes; None when it cannot be one."""
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        return None
    if blocks.are_blocks(message.get("content")):
        return blocks.messages_of(message["role"], message["content"])
    content = plain_text(message.get("content"))
    calls = [_tool_call(call) for call in _calls(message)]
    if content is None or None in calls:
        return None
    role = _ROLES.get(message["role"], message["role"])
    kept = {name: message[name] for name in _KEPT if message.get(name) is not None}
    return [{"role": role, "content": content, **kept, **({"tool_calls": calls} if calls else {})}]


def _calls(message: Message) -> list[Json]:
    """The calls of a message; older clients have one alone, without an id."""
    calls = message.get("tool_calls") or ()
    alone = message.get("function_call")
    return [*calls, *([{"type": "function", "function": alone}] if alone else ())]


def identity(message: Message) -> str:
    """A reply as one text: what it says and the tools that it calls."""
    calls = message.get("tool_calls")
    text = str(message["content"]).strip()
    return f"{text}\n{jsontext.dumps(calls)}" if calls else text


def _tool_call(call: Json) -> Json:
    """A call of a function; None for what no chat template can show as one."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return None
    arguments = _arguments(function.get("arguments"))
    named = {"id": call["id"]} if isinstance(call.get("id"), str) else {}
    called = {"name": function["name"], "arguments": arguments}
    is_whole = isinstance(arguments, dict)
    return {**named, "type": "function", "function": called} if is_whole else None


def _arguments(arguments: Json) -> Json:
    if arguments is None:
        return {}
    if not isinstance(arguments, str):
        return arguments
    try:
        return jsontext.loads(arguments or "{}")
    except ValueError:
        return arguments


def _function(tool: Json) -> Json:
    if not isinstance(tool, dict):
        return None
    if isinstance(tool.get("function"), dict):
        return {"type": "function", "function": tool["function"]}
    return blocks.function_of(tool)
