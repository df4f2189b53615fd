"""Anthropic's messages, as their tests know them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import strategies as st

from tests.fakes.messages import (
    PING,
    ask,
    block,
    event,
    finished,
    plain,
    started,
    stream,
    text,
    text_block,
    thinking_block,
    tool_block,
    tool_use,
)
from tests.wire import rows
from tests.wire.base import Json, Pieces, Place, Prompt, Told, Wire, check, parsed, sent_events
from tests.wire.texts import PIECES

Blocks = Callable[[int, Pieces], list[bytes]]


def two(said: Callable[[str], Json], at: int, pieces: Pieces) -> bytes:
    """Two blocks; the one at `at` is what `said` makes of the text."""
    blocks = [text("Fine."), said("".join(pieces))]
    return plain(*(blocks if at else reversed(blocks)))


def two_streamed(blocks: Blocks, at: int, pieces: Pieces) -> list[bytes]:
    """The same, streamed."""
    if at:
        return stream(text_block(0, "Fine."), blocks(1, pieces))
    return stream(blocks(0, pieces), text_block(1, "Fine."))


def place(row: str, said: Callable[[str], Json], blocks: Blocks, **options: Any) -> Place:
    """A place in a block."""
    return Place(row, partial(two, said), partial(two_streamed, blocks), **options)


def whole(said: Callable[[str], Json]) -> Blocks:
    """A block that comes without deltas."""
    return lambda index, pieces: block(index, said("".join(pieces)), ())


def tool(index: int, pieces: Pieces) -> list[bytes]:
    """A tool call with a text in its input."""
    return tool_block(index, "mail", '{"text": "', *pieces, '"}')


def citation(said: str) -> Json:
    """A citation."""
    return {"type": "page_location", "cited_text": said, "document_index": 0}


def cited(index: int, pieces: Pieces) -> list[bytes]:
    """A block of text with citations."""
    note = {"type": "citations_delta", "citation": citation("".join(pieces))}
    return block(index, text(""), [{"type": "text_delta", "text": "As here."}, note])


def ran(said: str) -> Json:
    """What a tool of the server gave."""
    content = {"type": "code_execution_result", "stdout": said, "stderr": "", "return_code": 0}
    return {"type": "code_execution_tool_result", "tool_use_id": "t", "content": content}


def searched(said: str) -> Json:
    """A search of the server."""
    return {"type": "server_tool_use", "id": "t", "name": "web_search", "input": {"query": said}}


def novel(said: str) -> Json:
    """A block that is not known."""
    return {"type": "novel", "words": [said]}


def novel_events(index: int, pieces: Pieces) -> list[bytes]:
    """An event that is not known, between the blocks' own."""
    return [*(event("novel", words=piece) for piece in pieces), *text_block(index, "Fine.")]


def plain_beside(at: int, pieces: Pieces) -> bytes:
    """A field of the message that is not known."""
    return plain("Fine.", novel={"words": "".join(pieces)})


def stream_beside(at: int, pieces: Pieces) -> list[bytes]:
    """The same in the message's start."""
    return [started(novel={"words": "".join(pieces)}), *stream(text_block(0, "Fine."))[1:]]


def plain_stop(at: int, pieces: Pieces) -> bytes:
    """The model's own refusal, explained."""
    details = {"type": "refusal", "explanation": "".join(pieces)}
    return plain("Fine.", stop="refusal", stop_details=details)


def stream_stop(at: int, pieces: Pieces) -> list[bytes]:
    """The same, streamed."""
    details = {"type": "refusal", "explanation": "".join(pieces)}
    delta = {"stop_reason": "refusal", "stop_sequence": None, "stop_details": details}
    end = event("message_delta", delta=delta, usage={"output_tokens": 5})
    return [*stream(text_block(0, "Fine."))[:-2], end, finished()[-1]]


FORMAT = {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}

PLACES = (
    place(rows.TEXT, text, lambda at, pieces: text_block(at, *pieces)),
    place(rows.LATE, text, lambda at, pieces: text_block(at, *pieces), lead=rows.LEAD),
    place(rows.STRUCTURED, text, lambda at, pieces: text_block(at, *pieces), asked=FORMAT),
    Place(rows.REFUSAL, plain_stop, stream_stop, at=(0,)),
    place(
        rows.REASONING,
        lambda said: {"type": "thinking", "thinking": said, "signature": "s"},
        lambda at, pieces: thinking_block(at, *pieces),
    ),
    place(rows.ARGUMENTS, lambda said: tool_use("mail", {"text": said}), tool),
    place(
        rows.NAME,
        lambda said: tool_use(said, {}),
        lambda at, pieces: tool_block(at, "".join(pieces), "{}"),
    ),
    place(rows.SERVER_TOOL, ran, whole(ran), variant="code_execution_tool_result"),
    place(rows.SERVER_TOOL, searched, whole(searched), variant="server_tool_use"),
    place(rows.CITATIONS, lambda said: text("As here.", citations=[citation(said)]), cited),
    place(rows.NOVEL, novel, whole(novel), variant="block"),
    place(rows.NOVEL, lambda said: text("Fine.", novel=said), novel_events, variant="event"),
    Place(rows.NOVEL_BESIDE, plain_beside, stream_beside, at=(0,)),
)


def said_by_user(content: Any) -> Json:
    """A request of one user message."""
    return {"messages": [{"role": "user", "content": content}]}


def result(content: Any) -> Json:
    """A tool's result."""
    return said_by_user([{"type": "tool_result", "tool_use_id": "toolu_1", "content": content}])


def document(said: str) -> Json:
    """A document beside the question."""
    source = {"type": "text", "media_type": "text/plain", "data": said}
    return said_by_user([{"type": "document", "source": source}, text("What is this?")])


PROMPTS = (
    Prompt(rows.PROMPT_USER, said_by_user),
    Prompt(rows.PROMPT_PART, lambda said: said_by_user([text("Look:"), text(said)])),
    Prompt(rows.PROMPT_PART, document, variant="document"),
    Prompt(rows.PROMPT_TOOL, result),
    Prompt(rows.PROMPT_TOOL, lambda said: result([text(said)]), variant="blocks"),
    Prompt(rows.PROMPT_NOVEL, lambda said: said_by_user([{"type": "novel", "words": said}])),
)


def explained(end: Json) -> str:
    """What is told of a refusal beside its reason: where JSON was asked for, all that is."""
    return str((end.get("stop_details") or {}).get("explanation") or "")


def read_plain(body: bytes) -> Told:
    """A plain reply as a strict client reads it."""
    found = json.loads(body)
    check((found["type"], found["role"]) == ("message", "assistant"), "no message")
    told = Told(ident=found["id"], model=found["model"], usage=found["usage"])
    told.fairlead = found.get("fairlead")
    told.say(0, "".join(one.get("text", "") for one in found["content"]) + explained(found))
    told.end(0, found["stop_reason"])
    if told.fairlead:
        check([one["type"] for one in found["content"]] in (["text"], []), "blocks are left")
    return told


class Reader:
    """A strict client of a stream: one block open at a time, in order, one end."""

    def __init__(self) -> None:
        self.told = Told()
        self.blocks = 0
        self.open: int | None = None
        self.is_over = False

    def take(self, body: Json) -> None:
        """One event."""
        check(not self.is_over, "an event after the end")
        kind = body["type"]
        has_begun = self.told.ident is not None
        check(has_begun or kind in ("message_start", "ping", "error"), "no beginning")
        if kind == "message_start":
            check(not has_begun, "two beginnings")
            self.told.ident, self.told.model = body["message"]["id"], body["message"]["model"]
            self.told.usage = dict(body["message"]["usage"])
        elif kind.startswith("content_block_"):
            self._block(body, kind.removeprefix("content_block_"))
        elif kind == "message_delta":
            check(self.open is None, "an end with an open block")
            self.told.say(0, explained(body["delta"]))
            self.told.end(0, body["delta"]["stop_reason"])
            self.told.usage |= body["usage"]
            self.told.fairlead = body.get("fairlead")
        elif kind == "message_stop":
            check(self.told.ends, "a stop without a reason")
            self.is_over = True
        elif kind == "error":
            self.told.error, self.is_over = body["error"], True

    def _block(self, body: Json, step: str) -> None:
        index = body["index"]
        check(not self.told.ends, "a block after the end")
        if step == "start":
            check(self.open is None, "two open blocks")
            check(index == self.blocks, "a block out of order")
            self.blocks, self.open = index + 1, index
            self.told.say(0, body["content_block"].get("text", ""))
            return
        check(self.open == index, "a block that is not open")
        self.open = index if step == "delta" else None
        self.told.say(0, body["delta"].get("text", "") if step == "delta" else "")


def read_stream(body: bytes) -> Told:
    """A stream as a strict client reads it; each event has its type for its name."""
    reader = Reader()
    found = [sent for sent in sent_events(body) if sent.data]
    for sent, data in zip(found, parsed(body), strict=True):
        check(isinstance(data, dict), data)
        check(sent.event == data["type"], "a name that is not the type")
        reader.take(data)
    check(reader.is_over, "no end")
    return reader.told


def check_prompt_error(body: Json) -> None:
    """Anthropic's envelope."""
    assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")
    assert (body["code"], body["param"]) == ("content_filter", "messages")
    assert body["fairlead"]["verdict"] == "veto"


MAKERS: tuple[Blocks, ...] = (
    lambda at, pieces: text_block(at, *pieces),
    lambda at, pieces: thinking_block(at, *pieces),
    lambda at, pieces: tool_block(at, "f", *pieces),
    lambda at, pieces: [PING, *cited(at, pieces)],
    whole(ran),
    whole(novel),
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[Json, list[bytes]]:
    """Some blocks of several kinds."""
    pieces, made = draw(PIECES), []
    for at in range(draw(st.integers(0, 3))):
        size = draw(st.integers(0, len(pieces)))
        said, pieces = pieces[:size], pieces[size:]
        made.append(draw(st.sampled_from(MAKERS))(at, said))
    asked = draw(st.sampled_from([{}, FORMAT]))
    return asked, stream(*made, stop=draw(st.sampled_from(["end_turn", "tool_use"])))


WIRE = Wire(
    name="messages",
    route="/v1/messages",
    asked=ask(),
    places=PLACES,
    prompts=PROMPTS,
    absent={
        rows.PARTS: "blocks, as above",
        rows.SUMMARY: "no such blocks",
        rows.CUSTOM: "no such tools",
        rows.FUNCTION: "no such field",
        rows.AUDIO: "no audio",
        rows.LOGPROBS: "no such field",
    },
    absent_prompts={rows.PROMPT_MANY: "one conversation"},
    refused="refusal",
    has_choices=False,
    read_plain=read_plain,
    read_stream=read_stream,
    check_prompt_error=check_prompt_error,
    streams=streams(),
    labels=frozenset(
        {"type", "id", "index", "role", "model", "signature", "tool_use_id", "usage", "error"}
        | {"name", "stop_reason", "stop_sequence", "document_index", "return_code"}
    ),
)
