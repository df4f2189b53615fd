"""Selectors of exchanges on the command line: `model=NAME,since=TIME,tag=NAME`."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime
from typing import Any

from storage.repositories.watched import Selection

KEYS = ("model", "route", "policy", "tag", "since", "until")
_TIMES = ("since", "until")


class SelectorError(ValueError):
    """A selector that cannot be read; the message says what one looks like."""


def selection(text: str) -> Selection:
    """The exchanges that a selector names.

    Its parts are separated by commas and have to hold together; a comma inside a value is written
    twice. Times are ISO 8601, in UTC where no zone is given; `until` is exclusive.
    """
    found: dict[str, Any] = {}
    for part in _parts(text):
        name, mark, value = part.partition("=")
        name = name.strip()
        if name not in KEYS or not mark:
            raise SelectorError(_complaint(text, name))
        key = f"{name}_us" if name in _TIMES else name
        if key in found:
            raise SelectorError(
                f"{text!r} names `{name}` twice; give two selectors, or one of them"
            )
        if not value.strip():
            raise SelectorError(f"{text!r}: `{name}` has no value")
        found[key] = _time_us(name, value.strip()) if name in _TIMES else value.strip()
    if not found:
        raise SelectorError(f"an empty selector would take everything; name one of {_keys()}")
    return Selection(**found)


def _parts(text: str) -> list[str]:
    joined = text.replace(",,", "\0").split(",")
    return [part.replace("\0", ",") for part in joined if part.strip()]


def _time_us(name: str, value: str) -> int:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise SelectorError(f"{name}: {value!r} is no time such as 2026-11-21T08:00:00Z") from None
    zoned = found if found.tzinfo else found.replace(tzinfo=UTC)
    return round(zoned.timestamp() * 1e6)


def _complaint(text: str, name: str) -> str:
    near = difflib.get_close_matches(name, KEYS, n=1)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    return f"{text!r} is no selector such as `model=NAME,since=TIME`: keys are {_keys()}{hint}"


def _keys() -> str:
    return ", ".join(f"`{key}`" for key in KEYS)
