"""What a dialect is: one wire format, in both directions, without I/O.

Everything a dialect gets or gives is bytes and plain values. It never decides;
it only says what the bytes hold and how a decision is written in its format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from service.dialects.twin import LastWords
from service.errors import FairleadError
from service.exchange import Ask, Event, Reply


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How much of a request is accepted before it is refused with a clear error."""

    max_depth: int = 200
    max_choices: int = 128
    max_context_items: int = 1000
    source_pattern: str | None = None


@dataclass(frozen=True, slots=True)
class VetoNote:
    """What a veto tells the client: the refusal text and the `fairlead` object.

    `params` are the request's settings: where JSON was asked for, a refusal may look otherwise.
    """

    refusal: str
    fairlead: dict[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)


class StreamDialect(Protocol):
    """Reads and writes one stream; holds what later events need (id, model, created)."""

    def read(self, raw: bytes, data: bytes | None) -> Event:
        """One upstream event; `data` is its joined data lines, None where it has none.

        Data that is not what the format allows raises `UpstreamMalformed`.
        """
        ...

    def sent(self, event: Event) -> None:
        """The event has left for the client, whole: what `refusal` writes may depend on it."""
        ...

    def messages(self) -> dict[int, dict[str, Any]]:
        """The messages as the model wrote them so far, by choice, tool calls included."""
        ...

    def without(self, event: Event, choices: frozenset[int]) -> bytes:
        """The event's bytes with the given choices taken out; empty where nothing is left."""
        ...

    def refusal(self, choice: int, note: VetoNote, *, has_begun: bool) -> bytes:
        """The events that end a vetoed choice.

        A delta with the refusal text (with the role where nothing of the choice
        was sent yet), then an empty delta with `finish_reason: "content_filter"`.
        """
        ...

    def annotation(self, note: VetoNote) -> bytes:
        """An event that carries only the `fairlead` object, for the action `annotate`."""
        ...

    def failure(self, error: FairleadError) -> bytes:
        """An error frame and whatever ends the stream after it."""
        ...

    def done(self) -> bytes:
        """The stream's own end mark."""
        ...


class Dialect(Protocol):
    """One wire format."""

    name: str
    routes: tuple[str, ...]
    upstream_paths: Mapping[str, str]
    """Our route -> the path below the upstream's base URL."""

    veto_finish: str
    """Why a vetoed choice ended, as the client reads it."""

    def parse(self, body: bytes, route: str, *, limits: ReadLimits) -> Ask:
        """The request; anything that is not one raises `BadRequest` naming the field."""
        ...

    def instructed(self, ask: Ask, text: str) -> bytes | None:
        """The request's body with one more instruction to the model; as it is for an empty one.

        None where the upstream must not be asked again, because it remembers having been asked.
        """
        ...

    def last_words(self, ask: Ask) -> LastWords | None:
        """What the user said last; None where that cannot be asked in other words."""
        ...

    def restated(self, ask: Ask, texts: Sequence[str], *, instruction: str = "") -> bytes:
        """The request with these texts for the last words, for one reply that calls no tool."""
        ...

    def reply(self, body: bytes) -> Reply:
        """A plain reply; bytes that are not one raise `UpstreamMalformed`."""
        ...

    def stream(self, ask: Ask) -> StreamDialect:
        """A reader and writer for one streamed reply."""
        ...

    def vetoed(
        self, reply: Reply, notes: Mapping[int, VetoNote], fairlead: dict[str, Any]
    ) -> bytes:
        """The reply with the vetoed choices replaced, in the format's own convention."""
        ...

    def annotated(self, reply: Reply, fairlead: dict[str, Any]) -> bytes:
        """The reply unchanged but for the top-level `fairlead` object."""
        ...

    def prompt_refused(self, ask: Ask, note: VetoNote) -> bytes:
        """A plain 200 reply that holds the refusal, for `veto.prompt_as: refusal`."""
        ...

    def prompt_refused_stream(self, ask: Ask, note: VetoNote) -> bytes:
        """The same as a whole stream."""
        ...

    def error(self, error: FairleadError) -> bytes:
        """An error in the format's envelope."""
        ...
