"""One streamed response: typed events, read and written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from service.dialects.base import VetoNote
from service.dialects.body import encode, upstream_object
from service.dialects.fields import text_or_none
from service.dialects.logprobs import listed_logprobs
from service.dialects.responses_draft import ENDS, Body, Draft
from service.dialects.responses_input import chat_call
from service.dialects.responses_refusal import Refusal, own_response
from service.dialects.responses_text import (
    Place,
    Said,
    event_texts,
    item_texts,
    part_texts,
    place_index,
    repeated_text,
    response_texts,
)
from service.errors import FairleadError
from service.exchange import CONTENT, Delta, Event


class ResponsesStream:
    """Reads one upstream stream and ends it where the reply is vetoed.

    `model` is what the request asked for. Where it wants JSON (`is_structured`), a
    refusal is a part of type `refusal`: as text it would break a client that parses.
    A response has one choice, whatever its items.
    """

    def __init__(
        self, model: str, now: Callable[[], float], *, is_structured: bool = False
    ) -> None:
        self._model = model
        self._now = now
        self._is_structured = is_structured
        self._read = Draft()
        self._sent = Draft()
        self._said: dict[Place, list[str]] = {}
        self._sequence = 0

    def read(self, raw: bytes, data: bytes | None) -> Event:
        """One upstream event; data that the format does not allow raises `UpstreamMalformed`."""
        text = (data or b"").strip()
        if not text:
            return Event(raw)
        if text == b"[DONE]":
            return Event(raw, is_done=True)
        body = upstream_object(text)
        told = {CONTENT: listed_logprobs(body.get("logprobs"))}
        deltas = tuple(
            Delta(0, said.channel, text, told.pop(said.channel, ()))
            for said, text in self._news(body)
        )
        self._read.add(body)
        response = _dict(body.get("response"))
        usage = response.get("usage")
        return Event(
            raw,
            deltas=deltas,
            finished=_finished(body),
            error=_error(body),
            usage=usage if isinstance(usage, dict) else None,
            body=body,
            head=response or None,
            is_last=bool(_finished(body)),
        )

    def sent(self, event: Event) -> None:
        """The client has seen this event: what we write ourselves goes on from there."""
        if event.body is None:
            return
        self._sent.add(event.body)
        self._sequence = max(self._sequence, place_index(event.body, "sequence_number")) + 1

    def messages(self) -> dict[int, dict[str, Any]]:
        """The message as the model wrote it so far."""
        output = self._read.output()
        return {0: message_of(output)} if output else {}

    def without(self, event: Event, choices: frozenset[int]) -> bytes:
        """Nothing of a vetoed response is left but comments and the end mark."""
        return b"" if choices and event.body is not None else event.raw

    def refusal(self, choice: int, note: VetoNote, *, has_begun: bool) -> bytes:  # noqa: ARG002
        """Closes what is open, says the refusal and ends the response as `incomplete`."""
        response = own_response(note, model=self._model, created=int(self._now()))
        refusal = Refusal(
            self._sent,
            note,
            response=response | self._read.response,
            is_structured=self._is_structured,
        )
        bodies = refusal.events(has_begun=bool(self._sent.response))
        return b"".join(self._event(body) for body in bodies)

    def annotation(self, note: VetoNote) -> bytes:
        """An event that carries only the `fairlead` object; its number would be the next one's."""
        body = {"type": "response.fairlead", "fairlead": note.fairlead}
        return b"event: response.fairlead\ndata: " + encode(body) + b"\n\n"

    def failure(self, error: FairleadError) -> bytes:
        """The format's error event; `error` is beside it for clients that look for that."""
        told = error.to_dict()["error"]
        named = {name: told.get(name) for name in ("code", "message", "param")}
        return self._event({"type": "error"} | named | {"error": told})

    def done(self) -> bytes:
        """Nothing: the last typed event is the end mark."""
        return b""

    def _event(self, body: Body) -> bytes:
        numbered = body | {"sequence_number": self._sequence}
        self._sequence += 1
        return f"event: {body['type']}\n".encode() + b"data: " + encode(numbered) + b"\n\n"

    def _news(self, body: Body) -> Iterator[tuple[Said, str]]:
        """The texts of an event that were not said before at their places."""
        for said in _texts(body):
            pieces = self._said.setdefault(said.place, [])
            if said.is_delta:
                pieces.append(said.text)
                yield said, said.text
                continue
            before = "".join(pieces)
            self._said[said.place] = [said.text]
            news = said.text.removeprefix(before) if before else said.text
            if news:
                yield said, news
        yield from self._repeated(body)

    def _repeated(self, body: Body) -> Iterator[tuple[Said, str]]:
        response = _dict(body.get("response"))
        text = repeated_text(response)
        if text and text not in ("", text_of(response)):
            yield Said(("output_text",), "other:output_text", text), text


def text_of(response: Body) -> str:
    """All ordinary text of a response, joined."""
    return "".join(said.text for said in response_texts(response) if said.channel == CONTENT)


def message_of(output: list[Any]) -> dict[str, Any]:
    """An output as one chat message: its text, its calls and its reasoning."""
    channels: dict[str, list[str]] = {}
    for at, item in enumerate(output):
        for said in item_texts(item, at):
            channels.setdefault(said.channel, []).append(said.text)
    message: dict[str, Any] = {"role": "assistant", "content": None}
    for channel in (CONTENT, "refusal", "reasoning"):
        if channel in channels:
            message[channel] = "".join(channels[channel])
    calls = [chat_call(item) for item in output if _is_call(item)]
    images = [item for item in output if _kind(item) == "image_generation_call"]
    return (
        message | ({"tool_calls": calls} if calls else {}) | ({"images": images} if images else {})
    )


def _is_call(item: Any) -> bool:
    return _kind(item) in ("function_call", "custom_tool_call")


def _kind(item: Any) -> Any:
    return item.get("type") if isinstance(item, dict) else None


def _texts(body: Body) -> Iterator[Said]:
    yield from event_texts(body)
    at = place_index(body)
    if (item := body.get("item")) is not None:
        yield from item_texts(item, at)
    if (part := body.get("part")) is not None:
        name = "summary" if "summary" in str(body.get("type")) else "content"
        place = (at, name, place_index(body, f"{name}_index"))
        is_reasoning = "reasoning" in str(body.get("type"))
        yield from part_texts(part, place, is_reasoning=is_reasoning)
    if (response := body.get("response")) is not None:
        yield from response_texts(response)


def _finished(body: Body) -> tuple[tuple[int, str], ...]:
    kind = body.get("type")
    if not isinstance(kind, str) or kind not in ENDS:
        return ()
    return ((0, end_of(_dict(body.get("response"))) or ENDS[kind]),)


def end_of(response: Body) -> str | None:
    """Why a response ended: its status, or the reason for which it is incomplete."""
    reason = _dict(response.get("incomplete_details")).get("reason")
    return text_or_none(reason) or text_or_none(response.get("status"))


def _error(body: Body) -> dict[str, Any] | None:
    kind = body.get("type")
    if kind == "error":
        return body
    error = _dict(body.get("response")).get("error") if kind == "response.failed" else None
    error = error or body.get("error")
    if not error:
        return None
    return error if isinstance(error, dict) else {"message": str(error)}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
