"""A response as it stands after some of its events: the model's, or the client's view of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from service.dialects.responses_text import PLACES, place_index, text_place
from service.dialects.text import nested_texts

Body = dict[str, Any]
ENDS = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}
"""The events that end a response, with what they say of it."""

_PART_LISTS = ("content", "summary")


@dataclass(slots=True)
class Part:
    """One part of an item; `pieces` is its text, the field `leaf`, where that came in deltas.

    The text is `is_said` when its own `done` event came; the part may still be open.
    """

    value: Body
    leaf: str = "text"
    pieces: list[str] = field(default_factory=list)
    is_open: bool = True
    is_said: bool = False

    def whole(self) -> Body:
        """The part with all the text that it has so far."""
        return self.value | {self.leaf: "".join(self.pieces)} if self.pieces else self.value


@dataclass(slots=True)
class Item:
    """One output item; `pieces` is its arguments where they came in deltas."""

    value: Body
    parts: dict[tuple[str, int], Part] = field(default_factory=dict)
    pieces: dict[str, list[str]] = field(default_factory=dict)
    is_open: bool = True

    @property
    def kind(self) -> str:
        """The item's type, "" where it has none."""
        kind = self.value.get("type")
        return kind if isinstance(kind, str) else ""

    def whole(self) -> Body:
        """The item with all that it has so far."""
        if not self.is_open:
            return self.value
        texts = {name: "".join(pieces) for name, pieces in self.pieces.items()}
        lists: Body = {}
        for (name, _), part in sorted(self.parts.items(), key=lambda pair: pair[0]):
            lists.setdefault(name, []).append(part.whole())
        return self.value | texts | lists


class Draft:
    """Puts a response together from its events; takes any JSON object for an event."""

    def __init__(self) -> None:
        self.response: Body = {}
        self.items: dict[int, Item] = {}

    def add(self, body: Body) -> None:
        """Takes in one event, which is not changed."""
        kind = body.get("type")
        kind = kind if isinstance(kind, str) else ""
        if isinstance(response := body.get("response"), dict):
            self._take_response(response, is_end=kind in ENDS)
        at = place_index(body)
        stem, _, step = kind.rpartition(".")
        if stem == "response.output_item":
            self._take_item(at, body.get("item"), is_open=step == "added")
        elif isinstance(body.get("part"), dict):
            parts = "summary" if "summary" in stem else "content"
            self._take_part(self._item(at), parts, body, is_open=step == "added")
        elif step == "delta" and stem in PLACES:
            self._take_delta(self._item(at), PLACES[stem], body)
        elif step == "done" and stem in PLACES:
            name = PLACES[stem][0]
            part = self._item(at).parts.get((name, place_index(body, f"{name}_index")))
            if part is not None:
                part.is_said = True

    def output(self) -> list[Body]:
        """The items so far, in order."""
        return [self.items[at].whole() for at in sorted(self.items)]

    def next_index(self) -> int:
        """The index of an item that comes after all others."""
        return max(self.items, default=-1) + 1

    def _item(self, at: int) -> Item:
        return self.items.setdefault(at, Item({}))

    def _take_response(self, response: Body, *, is_end: bool) -> None:
        self.response = response
        output = response.get("output")
        if is_end and isinstance(output, list) and output:
            self.items = {}
            for at, item in enumerate(output):
                self._take_item(at, item, is_open=False)

    def _take_item(self, at: int, item: Any, *, is_open: bool) -> None:
        if not isinstance(item, dict):
            return
        taken = Item(item, is_open=is_open)
        for name in _PART_LISTS if is_open else ():
            parts = item.get(name)
            for index, part in enumerate(parts if isinstance(parts, list) else ()):
                taken.parts[name, index] = _part(part)
        self.items[at] = taken

    def _take_part(self, item: Item, name: str, body: Body, *, is_open: bool) -> None:
        index = place_index(body, f"{name}_index")
        item.parts[name, index] = _part(body["part"], is_open=is_open)

    def _take_delta(self, item: Item, place: tuple[str, str], body: Body) -> None:
        name, leaf = place
        text = "".join(nested_texts(body.get("delta")))
        if not name:
            item.pieces.setdefault(leaf, [_start(item.value, leaf)]).append(text)
            return
        at = text_place(body, name, leaf)
        index = at[2] if isinstance(at[2], int) else 0
        part = item.parts.setdefault((name, index), Part({}))
        if not part.pieces:
            part.leaf = leaf
            part.pieces.append(_start(part.value, leaf))
        part.pieces.append(text)


def _part(value: Any, *, is_open: bool = True) -> Part:
    part = value if isinstance(value, dict) else {}
    return Part(part, "refusal" if part.get("type") == "refusal" else "text", is_open=is_open)


def _start(value: Body, leaf: str) -> str:
    """The text that a part or an item had before its first delta."""
    text = value.get(leaf)
    return text if isinstance(text, str) else ""
