"""Puts a streamed message together again, as the model wrote it."""

from __future__ import annotations

from typing import Any

_WHOLE = frozenset({"role", "id", "type", "index"})


class Assembly:
    """The messages of one stream, by choice.

    Strings of a field are joined, tool calls by their index; what names or types
    a thing is taken once.
    """

    def __init__(self) -> None:
        self._parts: dict[int, dict[str, Any]] = {}

    def add(self, choice: int, delta: dict[str, Any]) -> None:
        """Takes in one delta."""
        if delta:
            _merge(self._parts.setdefault(choice, {}), delta)

    def messages(self) -> dict[int, dict[str, Any]]:
        """The messages so far; each has a role and a content, None where it has no text."""
        return {
            choice: {"role": "assistant", "content": None} | _joined(parts)
            for choice, parts in self._parts.items()
        }


def _merge(into: dict[str, Any], delta: dict[str, Any]) -> None:
    for key, value in delta.items():
        if value is None:
            continue
        if key == "tool_calls" and isinstance(value, list):
            calls = into.setdefault(key, {})
            for at, call in enumerate(value):
                _merge(calls.setdefault(call.get("index", at), {}), call)
        elif key in _WHOLE:
            into.setdefault(key, value)
        elif isinstance(value, str):
            into.setdefault(key, []).append(value)
        elif isinstance(value, dict):
            _merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


def _joined(parts: dict[str, Any]) -> dict[str, Any]:
    return {key: _value(key, value) for key, value in parts.items()}


def _value(key: str, value: Any) -> Any:
    if key == "tool_calls" and isinstance(value, dict):
        calls = (_joined(value[index]) for index in sorted(value))
        return [{name: call[name] for name in call if name != "index"} for call in calls]
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return "".join(value)
    return _joined(value) if isinstance(value, dict) else value
