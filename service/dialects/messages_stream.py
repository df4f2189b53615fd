"""One streamed message in Anthropic's format, read and written event by event."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson

from service.dialects.assembly import Assembly
from service.dialects.base import VetoNote
from service.dialects.body import upstream_object
from service.dialects.messages_form import (
    NO_USAGE,
    STOP_EVENT,
    encode_named,
    error_body,
    message_of,
    refusal_end,
    text_block,
)
from service.dialects.messages_text import block_index, blocks_of, event_texts
from service.errors import FairleadError, UpstreamMalformed
from service.exchange import Delta, Event


class MessagesStream:
    """Reads one upstream stream and writes our own events in its likeness.

    `model` is what the request asked for, until the upstream says otherwise; whether it
    wants JSON (`is_structured`) decides how a refusal is told. What
    a refusal has to close depends on what the client has seen: `sent` notes it.
    """

    def __init__(self, model: str, *, is_structured: bool = False) -> None:
        self._model = model
        self._is_structured = is_structured
        self._head: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._assembly = Assembly()
        self._has_started = False
        self._open: dict[int, _Block] = {}
        self._next_index = 0

    def read(self, raw: bytes, data: bytes | None) -> Event:
        """One upstream event; data that the format does not allow raises `UpstreamMalformed`."""
        text = (data or b"").strip()
        if not text:
            return Event(raw)
        if text == b"[DONE]":  # Some translating gateways end so too.
            return Event(raw, is_done=True)
        body = upstream_object(text)
        if body == {"type": "ping"}:
            return Event(raw)
        kind = body.get("type")
        deltas = tuple(Delta(0, channel, said) for channel, said in event_texts(body))
        message = body.get("message") if kind == "message_start" else None
        usage = self._note(body, message if isinstance(message, dict) else {})
        return Event(
            raw,
            deltas=deltas,
            finished=_finished(body) if kind == "message_delta" else (),
            is_done=kind == "message_stop" and not deltas,
            error=_error(body),
            usage=usage,
            body=body,
            head=message if isinstance(message, dict) else None,
        )

    def sent(self, event: Event) -> None:
        """Notes which blocks stand open at the client."""
        body = event.body or {}
        match body.get("type"):
            case "message_start":
                self._has_started = True
            case "content_block_start":
                index = block_index(body)
                self._open[index] = _Block(str(_dict(body.get("content_block")).get("type")))
                self._next_index = max(self._next_index, index + 1)
            case "content_block_delta" if block_index(body) in self._open:
                is_json = bool(_dict(body.get("delta")).get("partial_json"))
                self._open[block_index(body)].has_json |= is_json
            case "content_block_stop":
                self._open.pop(block_index(body), None)

    def messages(self) -> dict[int, dict[str, Any]]:
        """The message as the model wrote it so far: its blocks, with tool inputs decoded."""
        found = self._assembly.messages()
        return {
            choice: message | {"content": [_whole(block) for block in message["content"] or ()]}
            for choice, message in found.items()
        }

    def without(self, event: Event, choices: frozenset[int]) -> bytes:
        """The event's bytes, empty where it is part of a vetoed message.

        Its stop stays, and so does a start without text, unless the refusal has
        begun a message already: what lies between is the refusal's.
        """
        body = event.body
        if not choices:
            return event.raw
        if body is None:
            return STOP_EVENT if event.is_done else event.raw
        is_start = body.get("type") == "message_start" and not self._has_started
        is_kept = (is_start or event.is_done) and not event.deltas
        return event.raw if is_kept else b""

    def refusal(
        self,
        choice: int,  # noqa: ARG002 - there is one
        note: VetoNote,
        *,
        has_begun: bool,  # noqa: ARG002 - what was sent is known more exactly here
    ) -> bytes:
        """Closes what is open, says the refusal in a text block, ends with `refusal`.

        Where JSON was asked for and none of it has left, no block is begun: the refusal
        stands in `stop_details`.
        """
        events = [] if self._has_started else [self._start(note)]
        text_at = next((at for at, block in self._open.items() if block.kind == "text"), None)
        for at, block in self._open.items():
            if at != text_at:
                events += block.closed(at)
        is_silent = self._is_structured and text_at is None
        if text_at is None and not is_silent:
            text_at = self._next_index
            events.append(_on_block("start", text_at, content_block=text_block("")))
        if text_at is not None:
            told = {"type": "text_delta", "text": note.refusal}
            events += [_on_block("delta", text_at, delta=told), _on_block("stop", text_at)]
        ended = {
            "type": "message_delta",
            "delta": refusal_end(note.refusal, is_silent=is_silent),
            "usage": {"output_tokens": 0} | self._usage,
            "fairlead": note.fairlead,
        }
        self._open.clear()
        return b"".join(map(encode_named, [*events, ended]))

    def annotation(self, note: VetoNote) -> bytes:
        """A ping, which every client takes or leaves, with the `fairlead` object."""
        return encode_named({"type": "ping", "fairlead": note.fairlead})

    def failure(self, error: FairleadError) -> bytes:
        """An error event; nothing comes after one."""
        return encode_named(error_body(error))

    def done(self) -> bytes:
        """The stream's own end mark."""
        return STOP_EVENT

    def _start(self, note: VetoNote) -> dict[str, Any]:
        self._has_started = True
        head = {
            "id": self._head.get("id") or f"msg_{note.fairlead.get('id', 'fairlead')}",
            "model": self._head.get("model") or self._model,
            "usage": NO_USAGE | self._usage,
        }
        return {"type": "message_start", "message": message_of(head, [], None)}

    def _note(self, body: dict[str, Any], message: dict[str, Any]) -> dict[str, Any] | None:
        """Takes in what an event adds to the message; the usage so far where it tells some."""
        self._head = self._head or message
        for at, block in enumerate(blocks_of(message)):
            self._add(at, block)
        if body.get("type") == "content_block_start":
            self._add(block_index(body), _dict(body.get("content_block")))
        elif body.get("type") == "content_block_delta":
            self._add(block_index(body), _as_block(_dict(body.get("delta"))))
        told = message.get("usage") if message else body.get("usage")
        if not isinstance(told, dict):
            return None
        # The counts of later events are totals; what they leave out still holds.
        self._usage |= {name: value for name, value in told.items() if value is not None}
        return dict(self._usage)

    def _add(self, index: int, block: dict[str, Any]) -> None:
        self._assembly.add(0, {"content": [block | {"index": index}]})


class _Block:
    """A block that stands open at the client."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.has_json = False

    def closed(self, at: int) -> list[dict[str, Any]]:
        """The events that close it.

        No input at all would be read as a call without arguments: an opening
        brace makes it what it is, a call that was cut short.
        """
        stop = _on_block("stop", at)
        if not self.kind.endswith("tool_use") or self.has_json:
            return [stop]
        cut = {"type": "input_json_delta", "partial_json": "{"}
        return [_on_block("delta", at, delta=cut), stop]


def _on_block(what: str, index: int, **fields: Any) -> dict[str, Any]:
    return {"type": f"content_block_{what}", "index": index} | fields


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _as_block(delta: dict[str, Any]) -> dict[str, Any]:
    """A delta as the piece of its block that it is."""
    block = {name: value for name, value in delta.items() if name not in {"type", "citation"}}
    return block | ({"citations": [delta["citation"]]} if "citation" in delta else {})


def _whole(block: Any) -> Any:
    """A block with its streamed input decoded, as text where it is not JSON."""
    if not isinstance(block, dict) or not isinstance(block.get("partial_json"), str):
        return block
    whole = {name: value for name, value in block.items() if name != "partial_json"}
    with suppress(orjson.JSONDecodeError):
        return whole | {"input": orjson.loads(block["partial_json"])}
    return whole | ({"input": block["partial_json"]} if block["partial_json"] else {})


def _finished(body: dict[str, Any]) -> tuple[tuple[int, str], ...]:
    reason = _dict(body.get("delta")).get("stop_reason")
    if reason is None:
        return ()
    if isinstance(reason, str):
        return ((0, reason),)
    raise UpstreamMalformed("The upstream sent a `stop_reason` that is not a string.")


def _error(body: dict[str, Any]) -> dict[str, Any] | None:
    error = body.get("error") or (body if body.get("type") == "error" else None)
    if not error:
        return None
    return error if isinstance(error, dict) else {"message": str(error)}
