"""Bodies that can be read in one way only and stored as they are."""

from __future__ import annotations

import json
from typing import Any

import orjson
from fastapi import Request

from service.dialects.body import has_twins
from service.errors import BadRequest


async def plain_body(request: Request) -> None:
    """A dependency: `BadRequest` for a body of which something would be lost or guessed.

    That is a name that stands twice in one object, a NUL character, half of a surrogate pair, and
    numbers that JSON has not. What is no JSON at all is told by whoever parses it.
    """
    source = await request.body()
    try:
        value = orjson.loads(source)
    except orjson.JSONDecodeError:
        if _is_lenient_json(source):
            raise BadRequest(
                "the body has something that JSON does not allow: half of a surrogate pair, or a "
                "number such as NaN"
            ) from None
        return
    if has_twins(value, source):
        raise BadRequest("the body gives a name twice in one object; which one counts is unclear")
    if b"\\u0000" in source and (path := nul_path(value)) is not None:
        raise BadRequest(
            f"{path}: has a NUL character (\\u0000), which cannot be stored; leave it out",
            param=path,
        )


def nul_path(value: Any, path: str = "") -> str | None:
    """Where the first text with a NUL character is, as `tags.0`; None where there is none."""
    if isinstance(value, str):
        return path if "\0" in value else None
    if isinstance(value, dict):
        children = [(str(name), child) for name, child in value.items()]
        if any("\0" in name for name in value):
            return path
    elif isinstance(value, list):
        children = [(str(at), child) for at, child in enumerate(value)]
    else:
        return None
    for name, child in children:
        found = nul_path(child, f"{path}.{name}" if path else name)
        if found is not None:
            return found
    return None


def _is_lenient_json(source: bytes) -> bool:
    try:
        json.loads(source)
    except (ValueError, RecursionError):
        return False
    return True
