"""What a request in Anthropic's format says, and who says it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from service.dialects.conversation import Turn
from service.dialects.messages_text import nested_texts
from service.errors import BadRequest

_SPEAKERS = {"assistant": "Assistant", "system": "System"}
_SOURCES = frozenset({"document", "search_result"})
_SILENT = frozenset({"tool_use", "server_tool_use", "mcp_tool_use", "image"})
_SILENT |= {"thinking", "redacted_thinking"}


def read_turns(asked: dict[str, Any]) -> list[Turn]:
    """The turns of a conversation; `BadRequest` names the field that is not one.

    Documents, search results and tool results are turns of the speaker `Tool`:
    they come from outside, the prompt's scorers look at them, and the reply is
    held against them. Images and files by reference have no text.
    """
    turns = [Turn("System", text, at) for at, _, text in _content(asked.get("system"), "system")]
    for index, message in enumerate(_messages(asked)):
        field = f"messages[{index}]"
        if not isinstance(message, dict):
            raise BadRequest(f"`{field}` must be an object with `role` and `content`.", param=field)
        role = message.get("role")
        if not isinstance(role, str):
            raise BadRequest(f"`{field}.role` must be a string.", param=f"{field}.role")
        speaker = _SPEAKERS.get(role, "User")
        for at, is_source, text in _content(message.get("content"), f"{field}.content"):
            turns.append(Turn("Tool" if is_source else speaker, text, at))
    return turns


def recorded(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages as they are recorded, the system prompt first."""
    messages: list[dict[str, Any]] = asked["messages"]
    system = asked.get("system")
    return [{"role": "system", "content": system}, *messages] if system else messages


def _messages(asked: dict[str, Any]) -> list[Any]:
    messages = asked.get("messages")
    if isinstance(messages, list) and messages:
        return messages
    raise BadRequest("`messages` must be a list of at least one message.", param="messages")


def _content(content: Any, at: str) -> Iterator[tuple[str, bool, str]]:
    """The place, whether it is a source, and its text, for each block that has some."""
    if isinstance(content, str) and content:
        yield at, False, content
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list):
        raise BadRequest(f"`{at}` must be a string or a list of blocks.", param=at)
    for index, block in enumerate(content):
        place = f"{at}[{index}]"
        is_source, text = _block(block, place)
        if text:
            yield place, is_source, text


def _block(block: Any, at: str) -> tuple[bool, str]:
    if isinstance(block, str):
        return False, block
    if not isinstance(block, dict):
        raise BadRequest(f"`{at}` must be an object with `type`.", param=at)
    kind = str(block.get("type"))
    if kind == "text":
        if not isinstance(block.get("text"), str):
            raise BadRequest(f"`{at}.text` must be a string.", param=f"{at}.text")
        return False, block["text"]
    if kind in _SOURCES:
        return True, _source(block)
    if kind.endswith("tool_result"):
        return True, "\n".join(_result(block.get("content"), f"{at}.content"))
    return False, "" if kind in _SILENT else "\n".join(nested_texts(block))


def _source(block: dict[str, Any]) -> str:
    """The text of a document or a search result, without its title and what leads to it."""
    source, content = block.get("source"), block.get("content")
    if isinstance(source, dict):
        is_text = source.get("type") == "text"
        content = source.get("data") if is_text else source.get("content")
    return "\n".join(nested_texts(content))


def _result(content: Any, at: str) -> Iterator[str]:
    """The texts of a tool's result: a string, blocks, or an object of a server's tool."""
    if isinstance(content, dict):
        yield from nested_texts(content)
    else:
        yield from (text for _, _, text in _content(content, at))
