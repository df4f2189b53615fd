"""OpenAI's Responses API, as its tests know it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from hypothesis import strategies as st

from tests.fakes.responses import (
    call_events,
    call_item,
    custom_events,
    custom_item,
    message_events,
    message_item,
    plain_response,
    reasoning_events,
    reasoning_item,
    response_events,
    text_part,
)
from tests.wire import rows
from tests.wire.base import Json, Pieces, Place, Prompt, Told, Wire, check, parsed
from tests.wire.texts import PIECES

FORMAT = {"format": {"type": "json_schema", "name": "s", "schema": {"type": "object"}}}
OTHER = message_item("Fine.") | {"id": "msg_0"}

Item = Callable[[str], Json]
Events = Callable[[Pieces], list[Json]]


def renamed(events: Sequence[Json], ident: str) -> list[Json]:
    """The events of an item under another id."""

    def of(body: Json) -> Json:
        known = {"item_id": ident} if "item_id" in body else {}
        return body | known | ({"item": body["item"] | {"id": ident}} if "item" in body else {})

    return [of(body) for body in events]


def plain(item: Item, at: int, pieces: Pieces, **extra: Any) -> bytes:
    """Two output items; the one at `at` is what `item` makes of the text."""
    items = [OTHER, item("".join(pieces))]
    return plain_response(*(items if at else reversed(items)), **extra)


def stream(events: Events, at: int, pieces: Pieces, **extra: Any) -> list[bytes]:
    """The same, streamed one after the other."""
    items = [renamed(message_events("Fine."), "msg_0"), events(pieces)]
    return response_events(*(items if at else reversed(items)), **extra)


def place(row: str, item: Item, events: Events, **options: Any) -> Place:
    """A place in an output item."""
    return Place(row, partial(plain, item), partial(stream, events), **options)


def whole(item: Item) -> Events:
    """The events of an item that comes without deltas."""

    def events(pieces: Pieces) -> list[Json]:
        done = item("".join(pieces))
        kinds = ("added", "done")
        return [{"type": f"response.output_item.{kind}", "item": done} for kind in kinds]

    return events


def in_message(parts: Callable[[str], list[Json]]) -> Item:
    """A message with these parts."""
    return lambda said: message_item() | {"content": parts(said)}


def part_events(index: int, *, part: Json, stem: str, field: str, pieces: Pieces) -> list[Json]:
    """The events of one part, whose text stands in a field."""
    at = {"item_id": "msg_1", "content_index": index}
    done = part | {field: "".join(pieces)}
    return [
        {"type": "response.content_part.added", "part": part | {field: ""}} | at,
        *({"type": f"{stem}.delta", "delta": piece} | at for piece in pieces),
        {"type": f"{stem}.done", field: done[field]} | at,
        {"type": "response.content_part.done", "part": done} | at,
    ]


def item_of(kind: str, parts: Sequence[list[Json]], **extra: Any) -> list[Json]:
    """The events of one item with these parts."""
    done = [events[-1]["part"] for events in parts]
    begun = {"type": kind, "id": "msg_1", "status": "in_progress"} | extra
    return [
        {"type": "response.output_item.added", "item": begun | {"content": []}},
        *(event for events in parts for event in events),
        {
            "type": "response.output_item.done",
            "item": begun | {"content": done, "status": "completed"},
        },
    ]


def text_events(index: int, pieces: Pieces) -> list[Json]:
    """The events of one part of text."""
    stem = "response.output_text"
    return part_events(index, part=text_part(""), stem=stem, field="text", pieces=pieces)


def two_parts(index: int) -> Place:
    """A message of two parts, the bad text in one of them."""

    def item(said: str) -> list[Json]:
        parts = [text_part(said), text_part("Fine.")]
        return parts[::-1] if index else parts

    def events(pieces: Pieces) -> list[Json]:
        parts = [text_events(0, ["Fine."]), text_events(1, pieces)]
        if not index:
            parts = [text_events(0, pieces), text_events(1, ["Fine."])]
        return item_of("message", parts, role="assistant")

    variant = "second" if index else "first"
    return place(rows.PARTS, in_message(item), events, variant=variant)


def refusal_events(pieces: Pieces) -> list[Json]:
    """A message that refuses."""
    part = {"type": "refusal", "refusal": ""}
    events = part_events(0, part=part, stem="response.refusal", field="refusal", pieces=pieces)
    return item_of("message", [events], role="assistant")


def thought_events(pieces: Pieces) -> list[Json]:
    """Reasoning in the open."""
    part = {"type": "reasoning_text", "text": ""}
    stem = "response.reasoning_text"
    return item_of(
        "reasoning", [part_events(0, part=part, stem=stem, field="text", pieces=pieces)], summary=[]
    )


def thought(said: str) -> Json:
    """The same, plain."""
    part = {"type": "reasoning_text", "text": said}
    return {"type": "reasoning", "id": "rs_1", "summary": [], "content": [part]}


def citation(said: str) -> Json:
    """A citation with a title."""
    return {"type": "url_citation", "title": said, "url": "u", "start_index": 0, "end_index": 1}


def cited_events(pieces: Pieces) -> list[Json]:
    """A message with a citation."""
    note = citation("".join(pieces))
    part = text_events(0, ["As here."])
    added = {"type": "response.output_text.annotation.added", "annotation": note}
    part.insert(2, added | {"item_id": "msg_1", "content_index": 0, "annotation_index": 0})
    part[-1] = part[-1] | {"part": part[-1]["part"] | {"annotations": [note]}}
    return item_of("message", [part], role="assistant")


def logprobs(said: str) -> Json:
    """The log-probability of a text of one token."""
    return {"token": said, "logprob": -0.1, "bytes": [], "top_logprobs": []}


def probable_events(pieces: Pieces) -> list[Json]:
    """A message with the tokens beside its text."""
    events = message_events(*pieces)
    return [
        body | {"logprobs": [logprobs(body["delta"])]} if "delta" in body else body
        for body in events
    ]


def call(said: str) -> Json:
    """A call with a text among its arguments."""
    return call_item("mail", json.dumps({"text": said}))


def called_events(pieces: Pieces) -> list[Json]:
    """The same in pieces."""
    return call_events("mail", '{"text": "', *pieces, '"}')


def interpreter(said: str) -> Json:
    """Code that the upstream ran, with what it printed."""
    item = {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "code": "x"}
    return item | {"container_id": "c", "outputs": [{"type": "logs", "logs": said}]}


def remote(said: str) -> Json:
    """A tool of a server, with its result."""
    item = {"type": "mcp_call", "id": "mcp_1", "server_label": "s", "name": "f"}
    return item | {"arguments": "{}", "output": said}


def search(said: str) -> Json:
    """A search that the upstream made."""
    found = {"type": "search", "query": said}
    return {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": found}


def novel(said: str) -> Json:
    """An item that is not known."""
    return {"type": "novel", "id": "n_1", "words": [said]}


def plain_beside(at: int, pieces: Pieces) -> bytes:
    """A field of the response that is not known."""
    return plain_response(OTHER, novel={"words": "".join(pieces)})


def stream_beside(at: int, pieces: Pieces) -> list[bytes]:
    """The same, in the events that have the whole response."""
    return response_events(message_events("Fine."), novel={"words": "".join(pieces)})


def novel_events(pieces: Pieces) -> list[Json]:
    """A message with an event that is not known."""
    events = message_events("Fine.")
    events[3:3] = [{"type": "response.novel.delta", "delta": piece} for piece in pieces]
    return events


def server_tool(item: Item, variant: str) -> Place:
    """A tool that the upstream ran."""
    return place(rows.SERVER_TOOL, item, whole(item), variant=variant)


def cited(said: str) -> list[Json]:
    """A part with a citation."""
    return [text_part("As here.") | {"annotations": [citation(said)]}]


def spoken(said: str) -> Json:
    """A message that is spoken."""
    part = {"type": "output_audio", "data": "AAAA", "transcript": said}
    return message_item() | {"content": [part]}


PLACES = (
    place(rows.TEXT, message_item, lambda pieces: message_events(*pieces)),
    place(rows.LATE, message_item, lambda pieces: message_events(*pieces), lead=rows.LEAD),
    two_parts(0),
    two_parts(1),
    Place(
        rows.STRUCTURED,
        partial(plain, message_item, text=FORMAT),
        partial(stream, lambda pieces: message_events(*pieces), text=FORMAT),
        asked={"text": FORMAT},
    ),
    place(rows.REFUSAL, in_message(lambda t: [{"type": "refusal", "refusal": t}]), refusal_events),
    place(rows.REASONING, thought, thought_events),
    place(rows.SUMMARY, reasoning_item, lambda pieces: reasoning_events(*pieces)),
    place(rows.ARGUMENTS, call, called_events),
    place(rows.NAME, lambda said: call_item(said, "{}"), lambda t: call_events("".join(t), "{}")),
    place(rows.CUSTOM, lambda said: custom_item("f", said), lambda t: custom_events("f", *t)),
    server_tool(interpreter, "code_interpreter_call"),
    server_tool(remote, "mcp_call"),
    server_tool(search, "web_search_call"),
    place(rows.CITATIONS, in_message(cited), cited_events),
    place(rows.AUDIO, spoken, whole(spoken)),
    place(
        rows.LOGPROBS,
        in_message(lambda said: [text_part(said) | {"logprobs": [logprobs(said)]}]),
        probable_events,
        asked={"include": ["message.output_text.logprobs"]},
    ),
    place(rows.NOVEL, novel, whole(novel), variant="item"),
    place(
        rows.NOVEL, lambda said: message_item("Fine.", novel=said), novel_events, variant="event"
    ),
    Place(rows.NOVEL_BESIDE, plain_beside, stream_beside, at=(0,)),
)


def items(*more: Json) -> Json:
    """A request of a question and more items."""
    return {"input": [{"role": "user", "content": "When?"}, *more]}


def result(output: Any, kind: str = "function_call_output") -> Json:
    """A request that ends in a tool's result."""
    return items(call_item("f", "{}"), {"type": kind, "call_id": "call_1", "output": output})


PROMPTS = (
    Prompt(rows.PROMPT_USER, lambda said: {"input": said}),
    Prompt(rows.PROMPT_USER, lambda said: items({"role": "user", "content": said}), variant="item"),
    Prompt(
        rows.PROMPT_PART,
        lambda said: items({"role": "user", "content": [{"type": "input_text", "text": said}]}),
    ),
    Prompt(rows.PROMPT_TOOL, result),
    Prompt(
        rows.PROMPT_TOOL,
        lambda said: result([{"type": "input_text", "text": said}]),
        variant="parts",
    ),
    Prompt(
        rows.PROMPT_TOOL, lambda said: result(said, "custom_tool_call_output"), variant="custom"
    ),
    Prompt(rows.PROMPT_NOVEL, lambda said: items({"type": "novel", "words": said})),
)


def end_of(response: Json) -> str:
    """Why a response ended."""
    details = response.get("incomplete_details") or {}
    return str(details.get("reason") or response["status"])


def text_of(output: Sequence[Json]) -> str:
    """What the messages of an output say."""
    parts = [p for item in output if item["type"] == "message" for p in item["content"]]
    return "".join(part.get("text", part.get("refusal", "")) for part in parts)


def read_plain(body: bytes) -> Told:
    """A plain reply as a strict client reads it."""
    found = json.loads(body)
    told = Told(ident=found["id"], model=found["model"], usage=found["usage"])
    told.fairlead = found.get("fairlead")
    told.say(0, text_of(found["output"]))
    told.end(0, end_of(found))
    if told.ends[0] == "content_filter":
        check(found["status"] == "incomplete", found["status"])
        check([item["type"] for item in found["output"]] == ["message"], "items are left")
    return told


class Reader:
    """A strict client of a stream: numbers in order, items and parts begun before they go on."""

    def __init__(self) -> None:
        self.told = Told()
        self.items: dict[int, Json] = {}
        self.open: dict[int, bool] = {}
        self.parts: dict[tuple[int, str, int], Json] = {}
        self.texts: dict[tuple[Any, ...], str] = {}
        self.is_over = False

    def take(self, body: Json, number: int) -> None:
        """One event."""
        check(not self.is_over, "an event after the end")
        check(body["sequence_number"] == number, "a number out of order")
        kind = body["type"]
        check((kind == "response.created") == (number == 0) or kind == "error", "no beginning")
        stem, _, step = kind.rpartition(".")
        if kind == "error":
            self.told.error, self.is_over = body, True
        elif kind.startswith("response.output_item."):
            self._item(body, step)
        elif "part" in body:
            self._part(body, "summary" if "summary" in stem else "content", step)
        elif "response" in body and kind not in ("response.created", "response.in_progress"):
            self._end(body["response"], step)
        elif step in ("delta", "done") and "item_id" in body:
            self._text(body, stem, step)
        elif "response" in body:
            self.told.ident = body["response"]["id"]

    def _item(self, body: Json, step: str) -> None:
        at, item = body["output_index"], body["item"]
        if step == "added":
            check(at == len(self.items), "an item out of order")
        else:
            check(self.open.get(at), "an item that is done twice or was not begun")
            check(item["id"] == self.items[at]["id"], "another item's id")
            for (where, name, index), part in self.parts.items():
                if where == at:
                    check("open" not in part, "an item is done before its part")
                    check(item[name][index] == part, "a part changes")
            self._check_arguments(at, item)
        self.items[at], self.open[at] = item, step == "added"

    def _check_arguments(self, at: int, item: Json) -> None:
        for place, said in self.texts.items():
            if place[0] == at and len(place) == 2:
                check(said in (item.get("arguments"), item.get("input")), "arguments change")

    def _part(self, body: Json, name: str, step: str) -> None:
        at, index = body["output_index"], body[f"{name}_index"]
        check(self.open.get(at), "a part of an item that is not open")
        place = (at, name, index)
        if step == "added":
            check(place not in self.parts, "a part is begun twice")
            self.parts[place] = {"open": True} | body["part"]
        else:
            check("open" in self.parts.get(place, ()), "a part that is not open is done")
            said = self.texts.get(place)
            told = body["part"].get("text", body["part"].get("refusal"))
            check(said is None or said == told, "a part's text changes")
            self.parts[place] = body["part"]

    def _text(self, body: Json, stem: str, step: str) -> None:
        at = body["output_index"]
        check(self.open.get(at), "text in an item that is not open")
        name = next((n for n in ("content", "summary") if f"{n}_index" in body), None)
        place = (at, name, body[f"{name}_index"]) if name else (at, stem)
        check(name is None or "open" in self.parts.get(place, ()), "text in no open part")
        if step == "delta":
            self.texts[place] = self.texts.get(place, "") + str(body["delta"])
            marks = {"response.output_text": "", "response.refusal": "|"}
            self.told.say(0, marks[stem] + body["delta"] if stem in marks else "")
            return
        said = next(body[n] for n in ("text", "refusal", "arguments", "input") if n in body)
        check(self.texts.get(place, "") == said, "the text that is done is another")

    def _end(self, response: Json, step: str) -> None:
        self.is_over = True
        check(step == response["status"], "another status")
        self.told.end(0, end_of(response))
        self.told.usage = response["usage"]
        self.told.fairlead = response.get("fairlead")
        self.told.error = response.get("error")
        closed = [self.items[at] for at in sorted(self.items) if not self.open[at]]
        check(response["output"] == closed, "the output is not what was done")
        check(step != "completed" or all(not o for o in self.open.values()), "an item is open")
        self.told.texts.setdefault(0, "")


def read_stream(body: bytes) -> Told:
    """A stream as a strict client reads it."""
    reader = Reader()
    found = parsed(body)
    if found[-1:] == ["[DONE]"]:
        found.pop()
    for number, data in enumerate(found):
        check(isinstance(data, dict), data)
        reader.take(data, number)
    check(reader.is_over, "no end")
    return reader.told


def check_prompt_error(body: Json) -> None:
    """OpenAI's envelope, which names the field."""
    error = body["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "content_filter")
    assert error["param"] == "input"
    assert error["fairlead"]["verdict"] == "veto"


MAKERS: tuple[Events, ...] = (
    lambda pieces: message_events(*pieces),
    lambda pieces: item_of("message", [text_events(0, pieces[:1]), text_events(1, pieces[1:])]),
    lambda pieces: reasoning_events(*pieces),
    lambda pieces: call_events("f", *pieces),
    lambda pieces: custom_events("f", *pieces),
    refusal_events,
    thought_events,
    cited_events,
    whole(remote),
    whole(novel),
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[Json, list[bytes]]:
    """Some items of several kinds, their pieces numbered through."""
    pieces, made = draw(PIECES), []
    for at in range(draw(st.integers(0, 3))):
        size = draw(st.integers(0, len(pieces)))
        said, pieces = pieces[:size], pieces[size:]
        made.append(renamed(draw(st.sampled_from(MAKERS))(said), f"item_{at}"))
    end = draw(st.sampled_from(["completed", "incomplete"]))
    return draw(st.sampled_from([{}, {"text": FORMAT}])), response_events(*made, end=end)


WIRE = Wire(
    name="responses",
    route="/v1/responses",
    asked={"model": "fake-model", "input": "Hello?"},
    places=PLACES,
    prompts=PROMPTS,
    absent={rows.FUNCTION: "no such items"},
    absent_prompts={rows.PROMPT_MANY: "one conversation"},
    refused="content_filter",
    has_choices=False,
    read_plain=read_plain,
    read_stream=read_stream,
    check_prompt_error=check_prompt_error,
    streams=streams(),
    labels=frozenset(
        {"id", "object", "created_at", "model", "usage", "type", "role", "status", "call_id"}
        | {"name", "logprobs", "error", "incomplete_details", "instructions", "tools", "url"}
        | {"tool_choice", "parallel_tool_calls", "sequence_number", "item_id", "output_index"}
        | {"content_index", "summary_index", "annotation_index", "server_label", "format"}
    ),
)
