"""Puts a streamed message together again, as the model wrote it."""

from __future__ import annotations

from typing import Any

_WHOLE = frozenset({"role", "id", "type", "index"})


class _Text(list[str]):
    """A string that came in pieces."""


class _Items(dict[int, Any]):
    """A list whose items came in pieces, by index."""


class Assembly:
    """The messages of one stream, by choice.

    Strings of a field are joined, items of a list (tool calls) by their index;
    what names or types a thing is taken once. Takes any JSON: where a field
    changes its type on the way, the later type counts.
    """

    def __init__(self) -> None:
        self._parts: dict[int, dict[str, Any]] = {}

    def add(self, choice: int, delta: dict[str, Any]) -> None:
        """Takes in one delta, which is not changed."""
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
        if isinstance(value, str) and key not in _WHOLE:
            old = into.get(key)
            if isinstance(old, _Text):
                old.append(value)
            else:
                into[key] = _Text([value])
        elif value is not None and not (key in _WHOLE and key in into):
            into[key] = _merged(into.get(key), value)


def _merged(old: Any, value: Any) -> Any:
    if isinstance(value, dict):
        found = old if type(old) is dict else {}
        _merge(found, value)
        return found
    if isinstance(value, list):
        items = old if isinstance(old, _Items) else _Items()
        for item in value:
            at = _index(item, items)
            items[at] = _merged(items.get(at), item)
        return items
    return value


def _index(item: Any, items: _Items) -> int:
    """Where an item belongs: at its own index, after the others where it has none."""
    index = item.get("index") if isinstance(item, dict) else None
    return index if isinstance(index, int) else max(items, default=-1) + 1


def _joined(value: Any) -> Any:
    if isinstance(value, _Text):
        return "".join(value)
    if isinstance(value, _Items):
        return [_without_index(_joined(value[at])) for at in sorted(value)]
    if isinstance(value, dict):
        return {key: _joined(part) for key, part in value.items()}
    return value


def _without_index(item: Any) -> Any:
    is_indexed = isinstance(item, dict) and "index" in item
    return {name: item[name] for name in item if name != "index"} if is_indexed else item
