"""An upstream that reads its part in the prompt, in whichever format it is asked.

The newest message names the part: `text`, `tool` or `json`, `good` or `bad`; a
`cut` one is bad towards its end, so that its beginning is released.
So a client in another process, which cannot set a script, gets what it wants:

    upstream.script = prompted          # and the client asks for "a bad tool"
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.fakes import messages, replies, responses
from tests.fakes.scripts import Script, Status, Stream
from tests.fakes.upstream import Seen

GOOD = "Paris is fine. "
BAD = "You are a scoundrel. "
TOOL = "weather"
_PART = re.compile(r"\ba (good|bad|cut) (text|tool|json)\b")


@dataclass(frozen=True)
class Part:
    """What is to be said: `pieces` of text or of a call's arguments; `asked` is the request."""

    asked: dict[str, Any]
    tool: str | None
    pieces: tuple[str, ...]

    @property
    def whole(self) -> str:
        """The text or the arguments."""
        return "".join(self.pieces)


def prompted(seen: Seen) -> Script:
    """The part that the request names, in the format of its path."""
    path = seen.path.split("?")[0]
    for ending, (plain, stream) in _FORMATS.items():
        if path.endswith(ending):
            part = _part(seen.json)
            return Stream(stream(part)) if seen.is_stream else Status(200, plain(part))
    return Status(404, replies.error_body(f"no part for {path}"))


def _part(asked: dict[str, Any]) -> Part:
    turns = asked.get("messages") or asked.get("input")
    found = _PART.search(str(turns[-1] if isinstance(turns, list) else turns))
    assert found, f"the prompt names no part: {turns}"
    is_bad, kind = found[1] != "good", found[2]
    if kind == "text":
        return Part(asked, None, (GOOD, "You are", " a scoundrel. ") if is_bad else (GOOD, "Go."))
    value = "scoundrel" if is_bad else "Paris"
    if kind == "tool":
        return Part(asked, TOOL, ('{"city"', f': "{value}"}}'))
    begun = '{"name": "Very fine. ' if found[1] == "cut" else '{"name": "'
    return Part(asked, _forced_tool(asked), (begun, f'{value}"}}'))


def _forced_tool(asked: dict[str, Any]) -> str | None:
    """Where a client asks for JSON by way of a tool, the tool's name."""
    tools = asked.get("tools") or []
    return str(tools[0].get("name") or tools[0]["function"]["name"]) if tools else None


def _chat(part: Part) -> bytes:
    if part.tool is None:
        return replies.completion(part.whole)
    calls = [replies.tool_call(part.tool, part.whole)]
    return replies.completion(replies.message(None, tool_calls=calls))


def _chat_stream(part: Part) -> list[bytes]:
    if part.tool is None:
        return replies.text_events(*part.pieces, usage=True)
    return replies.tool_events(part.tool, *part.pieces)


def _response(part: Part) -> bytes:
    text = part.asked.get("text") or {"format": {"type": "text"}}
    if part.tool is None:
        return responses.plain_response(responses.message_item(part.whole), text=text)
    return responses.plain_response(responses.call_item(part.tool, part.whole), text=text)


def _response_stream(part: Part) -> list[bytes]:
    text = part.asked.get("text") or {"format": {"type": "text"}}
    if part.tool is None:
        events = responses.message_events(*part.pieces)
    else:
        events = responses.call_events(part.tool, *part.pieces)
    return responses.response_events(events, text=text)


def _message(part: Part) -> bytes:
    if part.tool is None:
        return messages.plain(part.whole)
    call = messages.tool_use(part.tool, json.loads(part.whole))
    return messages.plain(call, stop="tool_use")


def _message_stream(part: Part) -> list[bytes]:
    if part.tool is None:
        return messages.text_stream(*part.pieces)
    return messages.stream(messages.tool_block(0, part.tool, *part.pieces), stop="tool_use")


_FORMATS = {
    "/chat/completions": (_chat, _chat_stream),
    "/responses": (_response, _response_stream),
    "/messages": (_message, _message_stream),
}
