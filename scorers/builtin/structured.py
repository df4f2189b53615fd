"""Structured context (JSON, Python literals) as lines of text: pure."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

_LONGEST = 200_000
_DEEPEST = 12
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_FIELD = re.compile(r"^\s*[\[{]\s*(?:[\[{]\s*)*(?:[\"'][^\"']{1,80}[\"']\s*:|[\[\]{}]|[\"'\d])")


def readable(text: str) -> str:
    """A context as the encoder should read it: a JSON or Python record as one line a field.

    Each line is the path of names to a value, then the value: `business parking garage: yes`.
    Anything that is not such a record comes back unchanged.
    """
    if len(text) > _LONGEST or not _FIELD.match(text):
        return text
    value = _parsed(text)
    if not isinstance(value, dict | list):
        return text
    lines = [line for line in _lines(value, (), 0) if line]
    return "\n".join(lines) or text


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _lines(value: Any, path: tuple[str, ...], depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        yield _line(path, str(value))
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _lines(part, (*path, _name(name)), depth + 1)
    elif isinstance(value, list | tuple):
        if all(isinstance(part, str | int | float) and len(str(part)) < 60 for part in value):
            yield _line(path, ", ".join(_plain(part) for part in value))
            return
        for at, part in enumerate(value, start=1):
            own = path if isinstance(part, str) else (*path, str(at))
            yield from _lines(part, own, depth + 1)
    else:
        yield _line(path, _plain(value))


def _line(path: tuple[str, ...], value: str) -> str:
    return f"{' '.join(path)}: {value}" if path else value


def _name(name: object) -> str:
    return _CAMEL.sub(" ", str(name)).replace("_", " ").lower()


def _plain(value: object) -> str:
    if value is True:
        return "yes"
    if value is False:
        return "no"
    if value is None:
        return "unknown"
    return str(value)
