"""A request with one more instruction, where each format has its place for one.

It goes to what the system says, never between the turns: many chat templates take no system
message later than the first. The request itself is not changed.
"""

from __future__ import annotations

from typing import Any

_SYSTEM = frozenset({"system", "developer"})

Body = dict[str, Any]


def added(said: Any, text: str) -> Any:
    """A text, or a list of parts, with the instruction behind it."""
    if isinstance(said, list):
        return [*said, {"type": "text", "text": text}]
    return f"{said}\n\n{text}" if said else text


def in_messages(asked: Body, text: str) -> Body:
    """A chat request: in the last of its leading system messages, else in a new first one."""
    messages = asked["messages"]
    lead = 0
    while lead < len(messages) and messages[lead].get("role") in _SYSTEM:
        lead += 1
    if not lead:
        return asked | {"messages": [{"role": "system", "content": text}, *messages]}
    told = messages[lead - 1] | {"content": added(messages[lead - 1].get("content"), text)}
    return asked | {"messages": [*messages[: lead - 1], told, *messages[lead:]]}


def in_prompt(asked: Body, text: str) -> Body:
    """A text completion: before each prompt.

    Unchanged where the prompt is to be filled in or echoed, and where it is token ids.
    """
    prompt = asked.get("prompt")
    if asked.get("suffix") or asked.get("echo"):
        return asked
    if isinstance(prompt, list):
        return asked | {"prompt": [_before(one, text) for one in prompt]}
    return asked | {"prompt": _before(prompt, text)}


def _before(prompt: Any, text: str) -> Any:
    return f"{text}\n\n{prompt}" if isinstance(prompt, str) else prompt


def in_response(asked: Body, text: str) -> Body:
    """A Responses request: in `instructions`, which no later turn remembers.

    A stored prompt has instructions of its own, which these would replace: there it is a message
    before the input.
    """
    told, items = asked.get("instructions"), asked.get("input") or []
    message = {"type": "message", "role": "developer", "content": text}
    if asked.get("prompt") and not told:
        items = [{"role": "user", "content": items}] if isinstance(items, str) else items
        return asked | {"input": [message, *items]}
    if isinstance(told, list):
        return asked | {"instructions": [*told, message]}
    return asked | {"instructions": added(told, text)}
