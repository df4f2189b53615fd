"""One streamed chat completion, read and written event by event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from service.dialects.assembly import Assembly
from service.dialects.base import VetoNote
from service.dialects.body import DONE, encode, encode_event, upstream_object
from service.dialects.logprobs import Logprobs, chat_logprobs
from service.dialects.text import EVENT_LABELS, beside_texts, choice_texts, known_fields
from service.errors import FairleadError, UpstreamMalformed
from service.exchange import CONTENT, Delta, Event

CHUNK = "chat.completion.chunk"
_HEAD = ("id", "created", "model", "system_fingerprint", "service_tier")


class ChatStream:
    """Reads one upstream stream and writes our own events in its likeness.

    `model` is what the request asked for; id, model and the like are taken over
    from the first event that has an id. Where the request wants JSON
    (`is_structured`), a refusal stands in the delta's `refusal`: as content it
    would break a client that parses while it reads.
    """

    kind = CHUNK
    id_prefix = "chatcmpl"

    def __init__(
        self, model: str, now: Callable[[], float], *, is_structured: bool = False
    ) -> None:
        self._model = model
        self._refusal_field = "refusal" if is_structured else "content"
        self._now = now
        self._head: dict[str, Any] = {}
        self._assembly = Assembly()
        self._repeated: dict[tuple[int, str], str] = {}

    def read(self, raw: bytes, data: bytes | None) -> Event:
        """One upstream event; data that the format does not allow raises `UpstreamMalformed`."""
        text = (data or b"").strip()
        if not text:
            return Event(raw)
        if text == b"[DONE]":
            return Event(raw, is_done=True)
        body = upstream_object(text)
        if not self._head and body.get("id"):
            self._head = {name: body[name] for name in _HEAD if body.get(name)}
        usage = body.get("usage")
        deltas, finished = self._said(body)
        return Event(
            raw,
            deltas=(*deltas, *self._beside(body)),
            finished=tuple(finished),
            error=_error(body),
            usage=usage if isinstance(usage, dict) else None,
            body=body,
        )

    def sent(self, event: Event) -> None:
        """A chat chunk stands for itself: nothing to remember."""

    def messages(self) -> dict[int, dict[str, Any]]:
        """The messages as the model wrote them so far, by choice, tool calls included."""
        return self._assembly.messages()

    def without(self, event: Event, choices: frozenset[int]) -> bytes:
        """The event's bytes with the given choices taken out; empty where nothing is left."""
        body = event.body
        if body is None or not choices:
            return event.raw
        said = choices_of(body)
        kept = [choice for at, choice in enumerate(said) if choice_index(choice, at) not in choices]
        is_told = any(delta.choice in choices for delta in event.deltas)
        if len(kept) == len(said) and (kept or not is_told):
            return event.raw
        if kept:
            return encode_event(body | {"choices": kept})
        if event.usage is None and event.error is None:
            return b""
        return encode_event(known_fields(body) | {"choices": []})

    def refusal(self, choice: int, note: VetoNote, *, has_begun: bool) -> bytes:
        """A delta with the refusal text, then the end of the choice as `content_filter`."""
        delta = {} if has_begun else {"role": "assistant"}
        delta[self._refusal_field] = note.refusal
        head = self.head(note, self.kind)
        said = head | {"choices": [_chunk(choice, delta, None)]}
        ended = head | {"choices": [_chunk(choice, {}, "content_filter")]}
        return encode_event(said) + encode_event(ended | {"fairlead": note.fairlead})

    def annotation(self, note: VetoNote) -> bytes:
        """An event that carries only the `fairlead` object."""
        return encode_event(self.head(note, self.kind) | {"choices": [], "fairlead": note.fairlead})

    def failure(self, error: FairleadError) -> bytes:
        """An error frame and the end mark."""
        return b"data: " + encode(error.to_dict()) + b"\n\n" + DONE

    def done(self) -> bytes:
        """The stream's own end mark."""
        return DONE

    def head(self, note: VetoNote, kind: str) -> dict[str, Any]:
        """The top-level fields of an object of our own, as the running stream has them."""
        if not self._head:
            self._head = {"id": f"{self.id_prefix}-{note.fairlead.get('id', 'fairlead')}"}
        defaults = {"created": int(self._now()), "model": self._model}
        return {"id": None, "object": kind} | defaults | self._head

    def _beside(self, body: dict[str, Any]) -> Iterator[Delta]:
        """What an event says beside its choices: it counts as said by each of them.

        Servers repeat such a field in every event; it is new once for each choice.
        """
        if body.keys() <= EVENT_LABELS:
            return
        choices = choices_of(body)
        indexes = [choice_index(choice, at) for at, choice in enumerate(choices)]
        for channel, text in beside_texts(body):
            for index in indexes:
                if self._repeated.get((index, channel)) != text:
                    self._repeated[index, channel] = text
                    yield Delta(index, channel, text + "\n")
            if not indexes:
                yield Delta(0, channel, text)

    def _said(self, body: dict[str, Any]) -> tuple[list[Delta], list[tuple[int, str]]]:
        """What the choices of an event say, and which of them end in it."""
        deltas: list[Delta] = []
        finished: list[tuple[int, str]] = []
        for at, choice in enumerate(choices_of(body)):
            index = choice_index(choice, at)
            delta = _delta(choice, at)
            self._assembly.add(index, delta)
            deltas += with_logprobs(index, choice_texts(choice, delta), chat_logprobs(choice))
            reason = choice.get("finish_reason")
            if isinstance(reason, str):
                finished.append((index, reason))
            elif reason is not None:
                raise UpstreamMalformed(f"The upstream sent a wrong choices[{at}].finish_reason.")
        return deltas, finished


def with_logprobs(choice: int, texts: list[tuple[str, str]], logprobs: Logprobs) -> list[Delta]:
    """The deltas of a choice's texts by channel; its ordinary text has the log-probabilities."""
    told = {CONTENT: logprobs}
    return [Delta(choice, channel, text, told.pop(channel, ())) for channel, text in texts]


def choices_of(body: dict[str, Any]) -> list[Any]:
    """The choices of a reply or an event; null counts as none."""
    choices = body.get("choices")
    if choices is None:
        return []
    if not isinstance(choices, list):
        raise UpstreamMalformed("The upstream sent `choices` that are not a list.")
    return choices


def choice_index(choice: Any, at: int) -> int:
    """A choice's own index, its position where it has none."""
    index = choice.get("index") if isinstance(choice, dict) else "?"
    if index is None:
        return at
    if isinstance(index, int) and not isinstance(index, bool) and index >= 0:
        return index
    raise UpstreamMalformed(f"The upstream sent a choice without a whole number: choices[{at}].")


def _chunk(index: int, delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}


def _delta(choice: dict[str, Any], at: int) -> dict[str, Any]:
    """A choice's delta; servers that only pretend to stream send a whole message."""
    delta = choice.get("delta")
    if delta is None:
        delta = choice.get("message")
    if delta is None:
        return {}
    if isinstance(delta, dict):
        return delta
    raise UpstreamMalformed(f"The upstream sent a delta that is not an object: choices[{at}].")


def _error(body: dict[str, Any]) -> dict[str, Any] | None:
    error = body.get("error")
    if not error and "choices" not in body and "error" in (body.get("object"), body.get("type")):
        error = body
    if not error:
        return None
    return error if isinstance(error, dict) else {"message": str(error)}
