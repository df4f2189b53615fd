"""Stored messages as training messages: what a chat template reads, nothing else."""

from __future__ import annotations

from storage import jsontext
from storage.exports.base import Message
from storage.records import Json

_KEPT = ("name", "tool_call_id")


def training_messages(messages: Json) -> list[Message] | None:
    """The conversation for a trainer, None when it is not one of text alone."""
    if not isinstance(messages, list) or not messages:
        return None
    converted = [training_message(message) for message in messages]
    kept = [message for message in converted if message is not None]
    return kept if len(kept) == len(converted) else None


def training_message(message: Json) -> Message | None:
    """One message with `role`, `content` and tool fields; None when it is not text.

    OpenAI's "developer" is the "system" of every chat template; arguments of tool calls are
    objects here, where the wire has them as JSON text.
    """
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        return None
    content = plain_text(message.get("content"))
    if content is None:
        return None
    role = "system" if message["role"] == "developer" else message["role"]
    kept = {name: message[name] for name in _KEPT if message.get(name) is not None}
    calls = [_tool_call(call) for call in message.get("tool_calls") or ()]
    return {"role": role, "content": content, **kept, **({"tool_calls": calls} if calls else {})}


def plain_text(content: Json) -> str | None:
    """The text of a message's content ("" for null), None when it holds more than text."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts = [part.get("text") if isinstance(part, dict) else part for part in content]
    texts = [part for part in parts if isinstance(part, str)]
    return "\n".join(texts) if len(texts) == len(parts) else None


def _tool_call(call: Json) -> Json:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return call
    return {**call, "function": {**function, "arguments": _arguments(function.get("arguments"))}}


def _arguments(arguments: Json) -> Json:
    if not isinstance(arguments, str):
        return arguments
    try:
        return jsontext.loads(arguments or "{}")
    except ValueError:
        return arguments
