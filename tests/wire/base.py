"""What a test knows of one wire format: where a reply can say something, and who reads it.

One module of this folder for each dialect, with its name and a `WIRE`: the table in the
dialects' README, its tests (`tests/service/test_coverage.py`) and the fuzz tests
(`tests/service/test_fuzz_streams.py`) find it there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis.strategies import SearchStrategy

Json = dict[str, Any]
Pieces = Sequence[str]


class NotWellFormed(AssertionError):
    """What a strict client of the format does not take."""


def check(is_so: object, why: object) -> None:
    """Raises `NotWellFormed` where something is not so."""
    if not is_so:
        raise NotWellFormed(why)


@dataclass
class Told:
    """What a strict client makes of a reply: texts and ends by choice, and what is beside them.

    A stream that ends in an error frame has an `error`; its choices need no end then.
    """

    texts: dict[int, str] = field(default_factory=dict)
    ends: dict[int, str] = field(default_factory=dict)
    ident: Any = None
    model: Any = None
    usage: Any = None
    fairlead: Any = None
    error: Any = None

    def say(self, choice: int, text: str) -> None:
        """Adds text to a choice."""
        self.texts[choice] = self.texts.get(choice, "") + text

    def end(self, choice: int, reason: str) -> None:
        """Notes why a choice ended, which it does once."""
        check(choice not in self.ends, f"choice {choice} ended twice")
        self.ends[choice] = reason


@dataclass(frozen=True)
class Place:
    """A place where a reply says something, in a row of the table.

    `plain` and `stream` write a whole reply with the pieces in the first (0) or the second (1)
    choice, item or block, and harmless text in the other. `lead` is good text before the pieces.
    Several places may share a row; `variant` tells them apart.
    """

    row: str
    plain: Callable[[int, Pieces], bytes]
    stream: Callable[[int, Pieces], list[bytes]]
    variant: str = ""
    lead: str = ""
    asked: Mapping[str, Any] = field(default_factory=dict)
    at: tuple[int, ...] = (0, 1)


@dataclass(frozen=True)
class Prompt:
    """A place of a request where a bad prompt may stand, in a row of the table of prompts."""

    row: str
    asked: Callable[[str], Json]
    variant: str = ""


@dataclass(frozen=True)
class Wire:
    """One wire format under test. `absent` says of each row that it lacks why it does.

    `streams` draws well-formed streams for a request (the fields to be added to `asked`);
    `labels` are fields that hold no text; a choice ends as `refused` where it was vetoed.
    """

    name: str
    route: str
    asked: Json
    places: tuple[Place, ...]
    prompts: tuple[Prompt, ...]
    absent: Mapping[str, str]
    absent_prompts: Mapping[str, str]
    refused: str
    has_choices: bool
    read_plain: Callable[[bytes], Told]
    read_stream: Callable[[bytes], Told]
    check_prompt_error: Callable[[Json], None]
    streams: SearchStrategy[tuple[Json, list[bytes]]]
    labels: frozenset[str]


@dataclass(frozen=True)
class Sent:
    """One server-sent event."""

    event: str | None
    data: str | None


def sent_events(body: bytes) -> list[Sent]:
    """The events of a stream as a client reads them; what lacks its blank line is none."""
    text = re.sub(r"\r\n|\r", "\n", body.decode(errors="replace"))
    found = []
    for block in text.split("\n\n")[:-1]:
        lines = [line.partition(":") for line in block.split("\n")]
        data = [value.removeprefix(" ") for name, _, value in lines if name == "data"]
        names = [value.removeprefix(" ") for name, _, value in lines if name == "event"]
        found.append(Sent(names[-1] if names else None, "\n".join(data) if data else None))
    return found


def parsed(body: bytes) -> list[Any]:
    """The data of each event that has some: JSON, or the text `[DONE]`."""
    found = [sent.data for sent in sent_events(body) if sent.data]
    return ["[DONE]" if data.strip() == "[DONE]" else _json(data) for data in found]


def _json(data: str) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise NotWellFormed(f"no JSON: {data!r}") from error
