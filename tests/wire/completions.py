"""OpenAI's text completions, as their tests know them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import strategies as st

from tests.fakes.replies import DONE, event, text_chunk, text_completion, usage_chunk
from tests.wire import rows
from tests.wire.base import Json, Pieces, Place, Prompt, Told, Wire, check, parsed
from tests.wire.texts import PIECES

SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}

Said = Callable[[str], Json]


def plain(said: Said, at: int, pieces: Pieces) -> bytes:
    """Two choices; the one at `at` has the fields that `said` makes."""
    body = json.loads(text_completion("Fine.", "Fine."))
    body["choices"][at] |= {"text": ""} | said("".join(pieces))
    return json.dumps(body).encode()


def stream(said: Said, at: int, pieces: Pieces) -> list[bytes]:
    """The same, streamed in turn."""
    chunks = [text_chunk("Fine. ", choice=1 - at)]
    for piece in pieces:
        chunks.append(text_chunk("", choice=at))
        chunks[-1]["choices"][0] |= said(piece)
    chunks += [text_chunk("", choice=index, finish="stop") for index in (0, 1)]
    return [*map(event, [*chunks, usage_chunk()]), DONE]


def place(row: str, said: Said, **options: Any) -> Place:
    """A place in a choice."""
    return Place(row, partial(plain, said), partial(stream, said), **options)


def text(said: str) -> Json:
    """Ordinary text."""
    return {"text": said}


def with_logprobs(said: str) -> Json:
    """A text of one token and its log-probability."""
    probs = {"tokens": [said], "token_logprobs": [-0.1], "top_logprobs": [{said: -0.1}]}
    return {"text": said, "logprobs": probs | {"text_offset": [0]}}


def plain_beside(at: int, pieces: Pieces) -> bytes:
    """A field of the whole reply, beside its choices."""
    return text_completion("Fine.", novel={"words": "".join(pieces)})


def stream_beside(at: int, pieces: Pieces) -> list[bytes]:
    """The same in an event of a choice."""
    chunks = [text_chunk("Fine.", choice=1 - at), text_chunk("Fine.", choice=at)]
    chunks[-1] |= {"novel": {"words": "".join(pieces)}}
    chunks += [text_chunk("", choice=index, finish="stop") for index in (0, 1)]
    return [*map(event, chunks), DONE]


PLACES = (
    place(rows.TEXT, text),
    place(rows.LATE, text, lead=rows.LEAD),
    place(rows.STRUCTURED, text, asked={"response_format": SCHEMA}),
    place(rows.REASONING, lambda said: {"text": "So.", "reasoning": said}),
    place(rows.LOGPROBS, with_logprobs, asked={"logprobs": 1}),
    place(rows.NOVEL, lambda said: {"text": "So.", "novel": {"words": [said]}}),
    Place(rows.NOVEL_BESIDE, plain_beside, stream_beside, at=(0,)),
)

PROMPTS = (
    Prompt(rows.PROMPT_USER, lambda said: {"prompt": said}),
    Prompt(rows.PROMPT_USER, lambda said: {"prompt": "Hello?", "suffix": said}, variant="suffix"),
    Prompt(rows.PROMPT_MANY, lambda said: {"prompt": ["Hello?", said, "And?"]}),
)


def read_plain(body: bytes) -> Told:
    """A plain reply as a strict client reads it."""
    found = json.loads(body)
    told = Told(ident=found["id"], model=found["model"], usage=found["usage"])
    told.fairlead = found.get("fairlead")
    for choice in found["choices"]:
        told.say(choice["index"], choice["text"])
        told.end(choice["index"], choice["finish_reason"])
    return told


def read_stream(body: bytes) -> Told:
    """A stream as a strict client reads it: whole events, one end for each choice, one mark."""
    told, has_done = Told(), False
    for data in parsed(body):
        check(not has_done, "data after the end mark")
        has_done = data == "[DONE]"
        if has_done:
            continue
        check(not told.error, "a stream goes on after an error")
        check(isinstance(data, dict), data)
        told.error = told.error or data.get("error")
        told.fairlead = data.get("fairlead") or told.fairlead
        told.usage = data.get("usage") or told.usage
        told.ident = told.ident or data.get("id")
        for choice in data.get("choices", ()):
            index = choice["index"]
            check(index not in told.ends, "a choice goes on after its end")
            told.say(index, choice["text"])
            if choice["finish_reason"] is not None:
                told.end(index, choice["finish_reason"])
    check(has_done or told.error, "no end mark")
    check(told.error or set(told.texts) == set(told.ends), "a choice without an end")
    return told


def check_prompt_error(body: Json) -> None:
    """OpenAI's envelope, which names the field, and which of several prompts."""
    error = body["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "content_filter")
    assert error["param"] == "prompt" or re.fullmatch(r"prompt\[\d+\]", error["param"])
    assert error["fairlead"]["verdict"] == "veto"


@st.composite
def streams(draw: st.DrawFn) -> tuple[Json, list[bytes]]:
    """The choices of some prompts in turn."""
    prompts, n = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    count = prompts * n
    chunks = [text_chunk("", choice=index) for index in range(count)]
    for piece in draw(PIECES):
        chunk = text_chunk(piece, choice=draw(st.integers(0, count - 1)))
        chunk["choices"][0] |= draw(st.sampled_from([{}, {"novel": piece}, {"logprobs": None}]))
        chunks.append(chunk)
    order = draw(st.permutations(range(count)))
    chunks += [text_chunk("", choice=index, finish="length") for index in order]
    return {"prompt": ["Hello?"] * prompts, "n": n}, [*map(event, chunks), DONE]


NO_TOOLS = "no tools"

WIRE = Wire(
    name="completions",
    route="/v1/completions",
    asked={"model": "fake-model", "prompt": "Hello?", "n": 2},
    places=PLACES,
    prompts=PROMPTS,
    absent={
        rows.PARTS: "one text",
        rows.REFUSAL: "no such field",
        rows.SUMMARY: "no such items",
        rows.ARGUMENTS: NO_TOOLS,
        rows.NAME: NO_TOOLS,
        rows.CUSTOM: NO_TOOLS,
        rows.FUNCTION: NO_TOOLS,
        rows.SERVER_TOOL: NO_TOOLS,
        rows.AUDIO: "no audio",
        rows.CITATIONS: "no such field",
    },
    absent_prompts={
        rows.PROMPT_PART: "one text",
        rows.PROMPT_TOOL: NO_TOOLS,
        rows.PROMPT_NOVEL: "one text",
    },
    refused="content_filter",
    has_choices=True,
    read_plain=read_plain,
    read_stream=read_stream,
    check_prompt_error=check_prompt_error,
    streams=streams(),
    labels=frozenset(
        {"id", "object", "created", "model", "usage", "index", "type", "logprobs", "finish_reason"}
        | {"error"}
    ),
)
