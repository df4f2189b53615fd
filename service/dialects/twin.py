"""A request asked in other words: where each format keeps what its user said last.

What is asked is for one reply of which no tool is called and that the upstream does not store.
All else is as the client sent it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from service.dialects.body import encode, request_object

Body = dict[str, Any]

_TEXTS = frozenset({"text", "input_text", "output_text"})
_STREAMED = frozenset({"stream", "stream_options"})
_NOT_AGAIN = frozenset({"store", "web_search_options", "background", "best_of"})


@dataclass(frozen=True, slots=True)
class LastWords:
    """The texts that the user said since the assistant spoke, and its answer before them."""

    texts: tuple[str, ...]
    before: str = ""


def last_words(messages: Sequence[Any]) -> LastWords | None:
    """What was said last in a list of messages or items; None where that was nothing."""
    places = _users(messages)
    texts = tuple(text for at in places for text in _texts(messages[at]))
    if not any(text.strip() for text in texts):
        return None
    earlier = (_texts(message) for message in reversed(messages[: places[0]]) if _is_own(message))
    return LastWords(texts, "\n".join(next(earlier, ())))


def with_words(messages: Sequence[Any], texts: Sequence[str]) -> list[Any]:
    """The messages with these texts in the place of those; what is left empty goes."""
    left = iter(texts)
    places = set(_users(messages))
    made = [_with(m, left) if at in places else m for at, m in enumerate(messages)]
    return [message for message in made if message is not None]


def once(asked: Body) -> Body:
    """The request for one reply, without tools, that is not stored."""
    made = {name: value for name, value in asked.items() if name not in _NOT_AGAIN}
    if "n" in made:
        made["n"] = 1
    if made.get("functions"):
        made["function_call"] = "none"
    if made.get("tools"):
        made["tool_choice"] = "none"
    return made


def plain(body: bytes) -> bytes:
    """The request for a reply in one piece."""
    asked = request_object(body)
    return encode({name: asked[name] for name in asked if name not in _STREAMED})


def _users(messages: Sequence[Any]) -> list[int]:
    """The user's messages since the assistant spoke; what it is to begin with does not count."""
    end = len(messages)
    while end and _is_own(messages[end - 1]):
        end -= 1
    start = end
    while start and not _is_own(messages[start - 1]):
        start -= 1
    return [
        at
        for at in range(start, end)
        if isinstance(messages[at], dict) and messages[at].get("role") == "user"
    ]


def _is_own(message: Any) -> bool:
    """Whether the assistant said or did it; an item without a role is its call or reasoning."""
    if not isinstance(message, dict):
        return False
    kind = str(message.get("type", "message"))
    role = message.get("role")
    return role == "assistant" or (role is None and not kind.endswith("_output"))


def _texts(message: Any) -> list[str]:
    content = message.get("content")
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content or () if _has_text(part)]


def _has_text(part: Any) -> bool:
    is_part = isinstance(part, dict) and part.get("type") in _TEXTS
    return is_part and isinstance(part.get("text"), str)


def _with(message: Body, texts: Iterator[str]) -> Body | None:
    content = message.get("content")
    if isinstance(content, str):
        text = next(texts)
        return message | {"content": text} if text else None
    parts = [part | {"text": next(texts)} if _has_text(part) else part for part in content or ()]
    left = [part for part in parts if not _has_text(part) or part["text"]]
    return message | {"content": left} if left else None
