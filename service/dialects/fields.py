"""Fields that several request formats share; a wrong one is a `BadRequest` that names it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from service.dialects.base import ReadLimits
from service.dialects.body import encode
from service.dialects.conversation import Turn, sources
from service.dialects.extension import KEY, read_extension
from service.errors import BadRequest
from service.exchange import Extension


def text_or_none(value: Any) -> str | None:
    """A string as it is, anything else as None."""
    return value if isinstance(value, str) else None


def take_extension(
    asked: dict[str, Any], body: bytes, *, limits: ReadLimits
) -> tuple[Extension, bytes]:
    """Our own object, taken out of the request, and the bytes that go upstream."""
    if KEY not in asked:
        return Extension(), body
    extension = read_extension(asked.pop(KEY), limits)
    return extension, encode(asked)


def read_model(asked: dict[str, Any]) -> str:
    """The model's name."""
    model = asked.get("model")
    if isinstance(model, str) and model:
        return model
    raise BadRequest("`model` must be a string that names a model.", param="model")


def is_stream(asked: dict[str, Any]) -> bool:
    """Whether the reply is to be streamed."""
    stream = asked.get("stream")
    if isinstance(stream, bool | None):
        return bool(stream)
    raise BadRequest("`stream` must be true or false.", param="stream")


def wants_usage(asked: dict[str, Any]) -> bool:
    """Whether a streamed reply is to tell its usage."""
    options = asked.get("stream_options")
    if isinstance(options, dict | None):
        return (options or {}).get("include_usage") is True
    raise BadRequest("`stream_options` must be an object.", param="stream_options")


def read_n(asked: dict[str, Any], max_choices: int) -> int:
    """How many choices are wanted."""
    n = asked.get("n")
    if n is None:
        return 1
    if isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= max_choices:
        return n
    raise BadRequest(f"`n` must be a whole number from 1 to {max_choices}.", param="n")


def read_tools(asked: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The tools on offer."""
    tools = asked.get("tools")
    if tools is None:
        return None
    if isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools):
        return tools
    raise BadRequest("`tools` must be a list of tool objects.", param="tools")


def read_params(
    asked: dict[str, Any], structured: Collection[str], *, elsewhere: Collection[str]
) -> dict[str, Any]:
    """The settings that shape a reply: scalars, and the named structured ones.

    `elsewhere` names what the record keeps in another place.
    """
    return {
        name: value
        for name, value in asked.items()
        if name not in elsewhere
        and value is not None
        and (name in structured or isinstance(value, str | int | float))
    }


def read_context(
    extension: Extension, turns: Sequence[Turn], *, limits: ReadLimits
) -> tuple[tuple[str, ...], int]:
    """What the reply is held against: what was given, then the newest of what is found.

    Beside it stands how many older texts were left out.
    """
    found = sources(turns, limits.source_pattern)
    room = limits.max_context_items - len(extension.context)
    left_out = max(0, len(found) - room)
    return extension.context + tuple(found[left_out:]), left_out
