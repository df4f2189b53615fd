"""What a list of chat messages says, and who says it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from service.errors import BadRequest

# Roles that are not known are read as the user's: what they say is then scored.
_SPEAKERS = {
    "system": "System",
    "developer": "System",
    "assistant": "Assistant",
    "tool": "Tool",
    "function": "Tool",
}
_SAYS = {"System", "User"}


@dataclass(frozen=True, slots=True)
class Turn:
    """One message's text. `speaker` is `System`, `User`, `Assistant` or `Tool`."""

    speaker: str
    text: str


def read_turns(messages: Sequence[dict[str, Any]]) -> list[Turn]:
    """The turns of a conversation; `BadRequest` names the message that is not one."""
    return [_turn(message, f"messages[{at}]") for at, message in enumerate(messages)]


def newest(turns: Sequence[Turn]) -> str:
    """What was said to the assistant last: by the user and by tools, since it spoke.

    An answer that the client has begun for the assistant (a prefill) does not
    count as the assistant having spoken. Where that is nothing, the last text
    that is not the assistant's stands in.
    """
    end = len(turns)
    while end and turns[end - 1].speaker == "Assistant":
        end -= 1
    start = end
    while start and turns[start - 1].speaker != "Assistant":
        start -= 1
    said = [turn.text for turn in turns[start:end] if turn.text and turn.speaker != "System"]
    return "\n".join(said) or next(
        (turn.text for turn in reversed(turns) if turn.text and turn.speaker != "Assistant"), ""
    )


def transcript(turns: Sequence[Turn]) -> str:
    """The whole conversation, one `Speaker: text` for each turn that has text."""
    return "\n".join(f"{turn.speaker}: {turn.text}" for turn in turns if turn.text)


def sources(turns: Sequence[Turn], pattern: str | None) -> list[str]:
    """What the reply can be held against: tool results, and text that the pattern marks."""
    found: list[str] = []
    for turn in turns:
        if turn.speaker == "Tool" and turn.text:
            found.append(turn.text)
        elif pattern is not None and turn.speaker in _SAYS:
            found.extend(_marked(pattern, turn.text))
    return found


def _marked(pattern: str, text: str) -> Iterator[str]:
    for match in re.finditer(pattern, text):
        marked = match[1] if match.re.groups else match[0]
        if marked:
            yield marked


def _turn(message: Any, at: str) -> Turn:
    if not isinstance(message, dict):
        raise BadRequest(f"`{at}` must be an object with `role` and `content`.", param=at)
    role = message.get("role")
    if not isinstance(role, str):
        raise BadRequest(f"`{at}.role` must be a string such as `user`.", param=f"{at}.role")
    return Turn(_SPEAKERS.get(role, "User"), _content(message.get("content"), f"{at}.content"))


def _content(content: Any, at: str) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise BadRequest(f"`{at}` must be a string, a list of parts, or null.", param=at)
    texts = (_part(part, f"{at}[{index}]") for index, part in enumerate(content))
    return "\n".join(text for text in texts if text)


def _part(part: Any, at: str) -> str:
    """A part's text; images, audio and files have none."""
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        raise BadRequest(f"`{at}` must be an object with `type`.", param=at)
    text = part.get("text", part.get("refusal"))
    if text is None and part.get("type") != "text":
        return ""
    if not isinstance(text, str):
        raise BadRequest(f"`{at}.text` must be a string.", param=f"{at}.text")
    return text
