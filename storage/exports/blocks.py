"""Anthropic's content blocks as chat messages. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from storage.exports.base import Message
from storage.records import Json

# What a model thinks before it speaks is not what it is to say.
_UNSAID = frozenset({"thinking", "redacted_thinking"})
_TEXTS = frozenset({"text", "output_text", ""})
_KINDS = _UNSAID | {"tool_use", "tool_result", "document", "search_result"}


def are_blocks(content: Json) -> bool:
    """Whether a content holds blocks that chat does not know."""
    return isinstance(content, list) and any(_kind(block) in _KINDS for block in content)


def texts(content: list[Json]) -> list[Json]:
    """The parts of a reply's content that are text."""
    return [part for part in content if isinstance(part, str) or _kind(part) in _TEXTS]


def messages_of(role: str, content: list[Json]) -> list[Message] | None:
    """The chat messages of one message's blocks, in their order.

    A tool's result is a message by itself, a document is its text with its title above. None
    when a block is none of these: an image, a file, a server's own tool.
    """
    found: list[Message] = []
    for block in content:
        if _kind(block) in _UNSAID:
            continue
        message = _message(role, block)
        if message is None:
            return None
        _append(found, message)
    return found or [{"role": role, "content": ""}]


def function_of(tool: dict[str, Json]) -> Json:
    """Anthropic's description of a tool in chat's form; None where a server runs the tool."""
    if not isinstance(tool.get("input_schema"), dict) or not isinstance(tool.get("name"), str):
        return None
    told = {"description": tool["description"]} if tool.get("description") else {}
    function = {"name": tool["name"], **told, "parameters": tool["input_schema"]}
    return {"type": "function", "function": function}


def _message(role: str, block: Json) -> Message | None:
    if _kind(block) == "tool_use":
        return _called(role, block)
    if _kind(block) == "tool_result":
        result = _joined(block.get("content"))
        ident = block.get("tool_use_id")
        is_whole = result is not None and isinstance(ident, str)
        return {"role": "tool", "content": result, "tool_call_id": ident} if is_whole else None
    text = _text(block)
    return None if text is None else {"role": role, "content": text}


def _called(role: str, block: dict[str, Json]) -> Message | None:
    given, name = block.get("input"), block.get("name")
    if not isinstance(given, dict) or not isinstance(name, str):
        return None
    named = {"id": block["id"]} if isinstance(block.get("id"), str) else {}
    call = {**named, "type": "function", "function": {"name": name, "arguments": given}}
    return {"role": role, "content": "", "tool_calls": [call]}


def _append(found: list[Message], message: Message) -> None:
    """Adds a message; what one speaker says and calls in one turn is one message."""
    last = found[-1] if found else None
    if last is None or last["role"] != message["role"] or message["role"] == "tool":
        found.append(message)
        return
    between = "" if message["role"] == "assistant" else "\n"
    said = [text for text in (last["content"], message["content"]) if text]
    calls = [*last.get("tool_calls", ()), *message.get("tool_calls", ())]
    last["content"] = between.join(said)
    if calls:
        last["tool_calls"] = calls


def _text(block: Json) -> str | None:
    if isinstance(block, str):
        return block
    if not isinstance(block, dict):
        return None
    if _kind(block) in ("document", "search_result"):
        return _document(block)
    return block["text"] if isinstance(block.get("text"), str) else None


def _document(block: dict[str, Json]) -> str | None:
    source, content = block.get("source"), block.get("content")
    if isinstance(source, dict):
        content = source.get("data") if source.get("type") == "text" else source.get("content")
    text = _joined(content)
    title = block.get("title")
    is_titled = bool(text) and isinstance(title, str) and bool(title)
    return (f"{title}\n{text}" if is_titled else text) or None


def _joined(content: Json) -> str | None:
    """The texts of a content, None where it holds anything else."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        return None
    return "\n".join(parts) if None not in (parts := list(_parts(content))) else None  # type: ignore[arg-type]


def _parts(content: list[Json]) -> Iterator[str | None]:
    for part in content:
        yield _text(part)


def _kind(block: Json) -> str:
    kind = block.get("type", "") if isinstance(block, dict) else None
    return kind if isinstance(kind, str) else "?"
