"""What a Responses request says, as the messages of a conversation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from service.dialects.text import nested_texts
from service.errors import BadRequest

Message = dict[str, Any]

_ELSEWHERE = ("previous_response_id", "conversation")
_ATTACHED = frozenset({"image_url", "file_data", "file_url", "file_id", "filename"})
_RESULTS = ("output", "outputs", "results")
_CALLED = {"function_call": ("function", "arguments"), "custom_tool_call": ("custom", "input")}


def read_messages(asked: dict[str, Any]) -> list[Message]:
    """The request as chat messages: what it continues, its instructions, its input.

    A conversation that the upstream remembers is a system message whose only part
    refers to it: it tells requests apart, and it has no text.
    """
    messages = [*_references(asked), *_instructions(asked.get("instructions"))]
    for message in _input(asked):
        _append(messages, message)
    if messages:
        return messages
    raise BadRequest("`input` must be a string or a list of items.", param="input")


def _references(asked: dict[str, Any]) -> Iterator[Message]:
    for name in _ELSEWHERE:
        value = asked.get(name)
        if not isinstance(value, str | dict | None):
            raise BadRequest(f"`{name}` must be a string.", param=name)
        if value:
            yield {"role": "system", "content": [{"type": name, "id": value}]}
    template = asked.get("prompt")
    if not isinstance(template, dict | None):
        raise BadRequest("`prompt` must be an object.", param="prompt")
    if template:
        named = {key: value for key, value in template.items() if key != "variables"}
        yield {"role": "system", "content": [{"type": "prompt", "prompt": named}]}
        if text := "\n".join(nested_texts(template.get("variables"))):
            yield {"role": "user", "content": text}


def _instructions(value: Any) -> Iterator[Message]:
    if isinstance(value, list):
        for at, item in enumerate(value):
            yield from _item(item, f"instructions[{at}]")
    elif isinstance(value, str | None):
        if value:
            yield {"role": "system", "content": value}
    else:
        raise BadRequest("`instructions` must be a string.", param="instructions")


def _input(asked: dict[str, Any]) -> Iterator[Message]:
    value = asked.get("input")
    if isinstance(value, str):
        yield {"role": "user", "content": value}
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _item(item, f"input[{at}]")
    elif value is not None:
        raise BadRequest("`input` must be a string or a list of items.", param="input")


def _item(item: Any, at: str) -> Iterator[Message]:
    if not isinstance(item, dict):
        raise BadRequest(f"`{at}` must be an object with `type` or `role`.", param=at)
    kind = item.get("type", "message")
    if not isinstance(kind, str):
        raise BadRequest(f"`{at}.type` must be a string such as `message`.", param=f"{at}.type")
    if kind == "message":
        yield _message(item, at)
    elif kind in _CALLED:
        yield {"role": "assistant", "content": None, "tool_calls": [chat_call(item)]}
    elif kind.endswith("_output"):
        yield _output(item)
    elif kind == "reasoning":
        text = "\n".join(nested_texts([item.get("summary"), item.get("content")]))
        yield {"role": "assistant", "content": None} | ({"reasoning": text} if text else {})
    else:
        yield from _other(item, kind)


def _message(item: dict[str, Any], at: str) -> Message:
    role = item.get("role")
    if not isinstance(role, str):
        raise BadRequest(f"`{at}.role` must be a string such as `user`.", param=f"{at}.role")
    content = item.get("content")
    if not isinstance(content, str | list | None):
        where = f"{at}.content"
        raise BadRequest(f"`{where}` must be a string or a list of parts.", param=where)
    for index, part in enumerate(content if isinstance(content, list) else ()):
        _check_part(part, f"{at}.content[{index}]")
    return {"role": role, "content": content}


def _check_part(part: Any, at: str) -> None:
    if not isinstance(part, str | dict):
        raise BadRequest(f"`{at}` must be an object with `type`.", param=at)
    text = part.get("text", part.get("refusal")) if isinstance(part, dict) else part
    if isinstance(text, str):
        return
    is_textual = isinstance(part, dict) and str(part.get("type", "")).endswith("text")
    if text is not None or is_textual:
        raise BadRequest(f"`{at}.text` must be a string.", param=f"{at}.text")


def _output(item: dict[str, Any]) -> Message:
    """A tool's result; its text is what the reply is held against, its attachments are kept."""
    output = item.get("output")
    text = "\n".join(nested_texts(output))
    parts = output if isinstance(output, list) else [output]
    attached = [
        {"type": "attachment"} | {name: part[name] for name in part if name in _ATTACHED}
        for part in parts
        if isinstance(part, dict) and not _ATTACHED.isdisjoint(part)
    ]
    content = [{"type": "text", "text": text}, *attached] if attached else text
    return {"role": "tool", "tool_call_id": item.get("call_id"), "content": content}


def _other(item: dict[str, Any], kind: str) -> Iterator[Message]:
    """A call that the upstream made and answered itself, or an item that is not known.

    What is not known is read as the user's: what it says is then scored.
    """
    if not kind.endswith("_call"):
        text = "\n".join(nested_texts(item))
        reference = [{"type": kind, "id": item.get("id")}]
        yield {"role": "user", "content": text or reference}
        return
    yield {"role": "assistant", "content": None, "tool_calls": [item]}
    if text := "\n".join(nested_texts([item.get(name) for name in _RESULTS])):
        yield {"role": "tool", "tool_call_id": item.get("id"), "content": text}


def chat_call(item: dict[str, Any]) -> dict[str, Any]:
    """A function call or a custom tool call in the form that chat messages have."""
    kind, argument = _CALLED.get(str(item.get("type")), ("function", "arguments"))
    called = {"name": item.get("name"), argument: item.get(argument)}
    return {"id": item.get("call_id"), "type": kind, kind: called}


def chat_tools(tools: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """The function tools in the form that chat requests have; the others as they are."""
    return None if tools is None else [_chat_tool(tool) for tool in tools]


def _chat_tool(tool: dict[str, Any]) -> dict[str, Any]:
    if tool.get("type") != "function" or "function" in tool:
        return tool
    function = {name: value for name, value in tool.items() if name != "type"}
    return {"type": "function", "function": function}


def _append(messages: list[Message], message: Message) -> None:
    """Adds a message; reasoning and calls of one turn are one message."""
    last = messages[-1] if messages else None
    is_same = (
        last is not None
        and (last["role"], message["role"]) == ("assistant", "assistant")
        and last["content"] is None
    )
    if last is None or not is_same:
        messages.append(message)
        return
    calls = [*last.get("tool_calls", ()), *message.get("tool_calls", ())]
    messages[-1] = last | message | ({"tool_calls": calls} if calls else {})
