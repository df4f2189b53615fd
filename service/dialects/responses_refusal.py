"""The events that end a vetoed response, from what the client has seen of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from service.dialects.base import VetoNote
from service.dialects.responses_draft import Body, Draft, Item, Part
from service.dialects.responses_text import is_label

_REASON = {"reason": "content_filter"}
_NO_END = {"error": None, "incomplete_details": None}
NO_USAGE = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}


def own_response(note: VetoNote, *, model: str, created: int) -> Body:
    """A response of our own, for where the upstream's is not known."""
    return {
        "id": f"resp_{note.fairlead.get('id', 'fairlead')}",
        "object": "response",
        "created_at": created,
        "model": model,
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "usage": None,
    }


def refused_response(response: Body, output: list[Body], note: VetoNote) -> Body:
    """A response with its output replaced, ended as `incomplete` by a content filter.

    What stands beside the output and might be text is left out.
    """
    kept = {name: value for name, value in response.items() if is_label(name, value)}
    if "completed_at" in kept:
        kept["completed_at"] = None
    ended = {"status": "incomplete", "error": None, "incomplete_details": _REASON}
    return kept | ended | {"output": output, "fairlead": note.fairlead}


def refused_message(note: VetoNote, *, is_structured: bool) -> Body:
    """The one item that a vetoed output is replaced by."""
    part = refused_part(is_structured=is_structured) | {_field(is_structured): note.refusal}
    return _message(note) | {"status": "incomplete", "content": [part]}


def refused_part(*, is_structured: bool) -> Body:
    """A part for the refusal, still empty."""
    if is_structured:
        return {"type": "refusal", "refusal": ""}
    return {"type": "output_text", "text": "", "annotations": [], "logprobs": []}


class Refusal:
    """Writes the end of one vetoed stream.

    An open message takes the refusal at its end. A tool call that has not ended is
    left open and out of the final response: clients carry out a call that is `done`.
    """

    def __init__(self, sent: Draft, note: VetoNote, *, response: Body, is_structured: bool) -> None:
        self._sent = sent
        self._note = note
        self._response = response
        self._is_structured = is_structured
        self._field = _field(is_structured)

    def events(self, *, has_begun: bool) -> Iterator[Body]:
        """The events in order, without their sequence numbers."""
        if not has_begun:
            yield from self._begin()
        target = self._target()
        for at, item in sorted(self._sent.items.items()):
            if item.is_open and at != target and item.kind in ("message", "reasoning"):
                yield from self._close_parts(at, item)
                yield self._close(at, item)
        if target is None:
            target = self._sent.next_index()
            yield from self._open(target)
        yield from self._refuse(target)
        yield {"type": "response.incomplete", "response": self._ended()}

    def _begin(self) -> Iterator[Body]:
        kept = {name: v for name, v in self._response.items() if is_label(name, v)}
        begun: Body = {"status": "in_progress", "output": [], "usage": None} | _NO_END
        for kind in ("response.created", "response.in_progress"):
            yield {"type": kind, "response": kept | begun}

    def _target(self) -> int | None:
        """The open message that the refusal is added to, if there is one."""
        open_ones = [at for at, item in self._sent.items.items() if _is_open_message(item)]
        return max(open_ones, default=None)

    def _open(self, at: int) -> Iterator[Body]:
        message = _message(self._note) | {"status": "in_progress", "content": []}
        self._sent.items[at] = Item(message)
        yield {"type": "response.output_item.added", "output_index": at, "item": message}

    def _refuse(self, at: int) -> Iterator[Body]:
        """Says the refusal in a message's open part or in a new one, and closes all."""
        item = self._sent.items[at]
        index = self._open_part(item)
        if index is None:
            yield from self._close_parts(at, item)
            index = max((i for name, i in item.parts if name == "content"), default=-1) + 1
            part = refused_part(is_structured=self._is_structured)
            item.parts["content", index] = Part(part, self._field)
            yield self._in_part("response.content_part.added", at, index) | {"part": part}
        kind = "response.refusal.delta" if self._is_structured else "response.output_text.delta"
        own: Body = {} if self._is_structured else {"logprobs": []}
        open_part = item.parts["content", index]
        open_part.pieces = [str(open_part.whole().get(self._field) or ""), self._note.refusal]
        yield self._in_part(kind, at, index) | {"delta": self._note.refusal} | own
        yield from self._close_parts(at, item)
        yield self._close(at, item)

    def _open_part(self, item: Item) -> int | None:
        """The part that can take the refusal's text."""
        kind = "refusal" if self._is_structured else "output_text"
        found = [
            index
            for (name, index), part in item.parts.items()
            if name == "content" and _is_saying(part) and part.value.get("type") == kind
        ]
        return max(found, default=None)

    def _close_parts(self, at: int, item: Item) -> Iterator[Body]:
        for (name, index), part in sorted(item.parts.items(), key=lambda pair: pair[0]):
            if part.is_open:
                part.is_open = False
                place = self._place(at, item) | {f"{name}_index": index}
                whole = part.whole()
                if not part.is_said:
                    yield from self._end_text(name, place, whole)
                stem = "reasoning_summary_part" if name == "summary" else "content_part"
                yield {"type": f"response.{stem}.done"} | place | {"part": whole}

    def _end_text(self, name: str, place: Body, part: Body) -> Iterator[Body]:
        kind = part.get("type")
        text = part.get("refusal" if kind == "refusal" else "text") or ""
        if kind == "refusal":
            yield {"type": "response.refusal.done"} | place | {"refusal": text}
        elif kind == "output_text" and not self._is_structured:
            # Where JSON is wanted, clients parse the text that is `done`: half of it is left open.
            yield {"type": "response.output_text.done"} | place | {"text": text, "logprobs": []}
        elif kind in ("reasoning_text", "summary_text"):
            stem = "reasoning_summary_text" if name == "summary" else "reasoning_text"
            yield {"type": f"response.{stem}.done"} | place | {"text": text}

    def _close(self, at: int, item: Item) -> Body:
        item.value = item.whole() | {"status": "incomplete"}
        item.is_open = False
        return {"type": "response.output_item.done", "output_index": at, "item": item.value}

    def _ended(self) -> Body:
        items = [self._sent.items[at] for at in sorted(self._sent.items)]
        output = [item.value for item in items if not item.is_open]
        return refused_response(self._response, output, self._note)

    def _in_part(self, kind: str, at: int, index: int) -> Body:
        place = self._place(at, self._sent.items[at])
        return {"type": kind} | place | {"content_index": index}

    def _place(self, at: int, item: Item) -> Body:
        return {"item_id": item.value.get("id"), "output_index": at}


def _is_saying(part: Part) -> bool:
    return part.is_open and not part.is_said


def _is_open_message(item: Item) -> bool:
    return item.is_open and item.kind == "message"


def _field(is_structured: bool) -> str:  # noqa: FBT001
    return "refusal" if is_structured else "text"


def _message(note: VetoNote) -> dict[str, Any]:
    name = f"msg_{note.fairlead.get('id', 'fairlead')}"
    return {"type": "message", "id": name, "role": "assistant"}
