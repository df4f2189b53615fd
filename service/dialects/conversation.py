"""What a list of chat messages says, and who says it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from service.errors import BadRequest
from service.exchange import Piece

MAX_NEW_PIECES = 64
"""So many new texts are scored each by itself; those before them are scored as one."""

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
    """One message's text. `speaker` is `System`, `User`, `Assistant` or `Tool`.

    `at` is its place in the request, such as `messages[2]`.
    """

    speaker: str
    text: str
    at: str = ""


def read_turns(messages: Sequence[dict[str, Any]]) -> list[Turn]:
    """The turns of a conversation; `BadRequest` names the message that is not one."""
    return [_turn(message, f"messages[{at}]") for at, message in enumerate(messages)]


def newest(turns: Sequence[Turn]) -> str:
    """What was said to the assistant last: by the user and by tools, since it spoke.

    An answer that the client has begun for the assistant (a prefill) does not
    count as the assistant having spoken. Where that is nothing, the last text
    that is not the assistant's stands in.
    """
    return "\n".join(turn.text for turn in _newest_turns(turns))


def pieces(turns: Sequence[Turn]) -> tuple[Piece, ...]:
    """The texts that the prompt side looks at, the newest first.

    Of what was said between two answers of the model, the user's messages are one text, and
    each tool result is one by itself, so that what hides in it stands beside nothing else. A
    text is cut out in the same way when it is new and when it comes again.
    """
    newest_turns = _newest_turns(turns)
    new = _pieces(newest_turns, is_new=True)
    if len(new) > MAX_NEW_PIECES:
        rest = new[MAX_NEW_PIECES - 1 :]
        new[MAX_NEW_PIECES - 1 :] = [
            Piece("\n".join(piece.text for piece in reversed(rest)), rest[0].at)
        ]
    first = next((at for at, turn in enumerate(turns) if turn is newest_turns[0]), 0) if new else 0
    return (*new, *_earlier(turns[:first]))


def _newest_turns(turns: Sequence[Turn]) -> list[Turn]:
    """The turns since the assistant spoke, those without text and the system's left out."""
    end = len(turns)
    while end and turns[end - 1].speaker == "Assistant":
        end -= 1
    start = end
    while start and turns[start - 1].speaker != "Assistant":
        start -= 1
    said = [turn for turn in turns[start:end] if turn.text and turn.speaker != "System"]
    return (
        said or [turn for turn in reversed(turns) if turn.text and turn.speaker != "Assistant"][:1]
    )


def _earlier(turns: Sequence[Turn]) -> list[Piece]:
    """What was said before, newest first, cut as it was when it was new."""
    found: list[Piece] = []
    said: list[Turn] = []
    for turn in reversed((Turn("Assistant", ""), *turns)):
        if turn.speaker == "Assistant":
            found += _pieces(said[::-1], is_new=False)
            said = []
        elif turn.text and turn.speaker != "System":
            said.append(turn)
    return found


def _pieces(turns: Sequence[Turn], *, is_new: bool) -> list[Piece]:
    own = [turn for turn in turns if turn.speaker != "Tool"]
    found = [Piece(turn.text, turn.at, is_new) for turn in turns if turn.speaker == "Tool"]
    if own:
        found.append(Piece("\n".join(turn.text for turn in own), own[-1].at, is_new))
    return found[::-1]


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
    text = _content(message.get("content"), f"{at}.content")
    return Turn(_SPEAKERS.get(role, "User"), text, at)


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
