"""OpenAI's chat completions, as its tests know them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import strategies as st

from tests.fakes.replies import DONE, chunk, completion, event, message, tool_call, usage_chunk
from tests.wire import rows
from tests.wire.base import Json, Pieces, Place, Prompt, Told, Wire, check, parsed
from tests.wire.texts import PIECES

ASKED = {"model": "fake-model", "messages": [{"role": "user", "content": "Hello?"}], "n": 2}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}

Said = Callable[[str], Json]


def plain(said: Said, at: int, pieces: Pieces) -> bytes:
    """Two choices; the one at `at` has the message that `said` makes."""
    contents: list[Any] = ["Fine.", "Fine."]
    contents[at] = message(None) | said("".join(pieces))
    return completion(*contents)


def stream(deltas: Callable[[Pieces], list[Json]], at: int, pieces: Pieces) -> list[bytes]:
    """The same, streamed in turn."""
    chunks = [chunk({"role": "assistant", "content": ""}, choice=index) for index in (0, 1)]
    chunks.append(chunk({"content": "Fine. "}, choice=1 - at))
    chunks += [chunk(delta, choice=at) for delta in deltas(pieces)]
    chunks += [chunk({}, choice=index, finish="stop") for index in (0, 1)]
    return [*map(event, [*chunks, usage_chunk()]), DONE]


def place(row: str, said: Said, begun: Json | None = None, **options: Any) -> Place:
    """A place in the message; a delta is what `said` makes of a piece, after `begun`."""

    def deltas(pieces: Pieces) -> list[Json]:
        return [*([begun] if begun else []), *map(said, pieces)]

    return Place(row, partial(plain, said), partial(stream, deltas), **options)


def call(text: str) -> Json:
    """A tool call with a text among its arguments."""
    return {"tool_calls": [tool_call("mail", json.dumps({"text": text})) | {"index": 0}]}


def call_deltas(pieces: Pieces) -> list[Json]:
    """The same in pieces."""
    begun = {"tool_calls": [tool_call("mail", '{"text": "') | {"index": 0}]}
    texts = [*pieces, '"}']
    return [begun, *({"tool_calls": [{"index": 0, "function": {"arguments": t}}]} for t in texts)]


def logprobs(text: str) -> Json:
    """The log-probabilities of a text of one token."""
    top = [{"token": text, "logprob": -0.1, "bytes": None}]
    return {"content": [{"token": text, "logprob": -0.1, "bytes": None, "top_logprobs": top}]}


def plain_with_logprobs(at: int, pieces: Pieces) -> bytes:
    """A plain reply with its tokens beside the text."""
    body = json.loads(plain(lambda text: {"content": text}, at, pieces))
    body["choices"][at]["logprobs"] = logprobs("".join(pieces))
    return json.dumps(body).encode()


def stream_with_logprobs(at: int, pieces: Pieces) -> list[bytes]:
    """The same, streamed."""
    chunks = [chunk({"role": "assistant", "content": ""}, choice=index) for index in (0, 1)]
    for piece in pieces:
        said = chunk({"content": piece}, choice=at)
        said["choices"][0]["logprobs"] = logprobs(piece)
        chunks.append(said)
    chunks += [chunk({}, choice=index, finish="stop") for index in (0, 1)]
    return [*map(event, chunks), DONE]


def plain_beside(at: int, pieces: Pieces) -> bytes:
    """A field of the whole reply, beside its choices."""
    return completion("Fine.", search_results=[{"title": "".join(pieces)}])


def stream_beside(at: int, pieces: Pieces) -> list[bytes]:
    """The same in each event of a choice."""
    chunks = [chunk({"role": "assistant", "content": ""}, choice=index) for index in (0, 1)]
    said = {"search_results": [{"title": "".join(pieces)}]}
    chunks.append(chunk({"content": "Fine."}, choice=at, **said))
    chunks += [chunk({}, choice=index, finish="stop") for index in (0, 1)]
    return [*map(event, chunks), DONE]


def text(said: str) -> Json:
    """Ordinary text."""
    return {"content": said}


PLACES = (
    place(rows.TEXT, text),
    place(rows.LATE, text, lead=rows.LEAD),
    place(rows.PARTS, lambda said: {"content": [{"type": "text", "text": said}]}),
    place(
        rows.PARTS,
        lambda said: {"content": [{"type": "thinking", "thinking": [{"text": said}]}]},
        variant="thinking",
    ),
    place(rows.STRUCTURED, text, asked={"response_format": SCHEMA}),
    place(rows.REFUSAL, lambda said: {"refusal": said}),
    place(rows.REASONING, lambda said: {"reasoning_content": said}, variant="reasoning_content"),
    place(rows.REASONING, lambda said: {"reasoning": said}, variant="reasoning"),
    place(
        rows.REASONING,
        lambda said: {"reasoning_details": [{"type": "reasoning.text", "text": said}]},
        variant="reasoning_details",
    ),
    Place(rows.ARGUMENTS, partial(plain, call), partial(stream, call_deltas)),
    place(
        rows.NAME,
        lambda said: {"tool_calls": [{"index": 0, "type": "function", "function": {"name": said}}]},
    ),
    place(
        rows.CUSTOM,
        lambda said: {"tool_calls": [{"index": 0, "type": "custom", "custom": {"input": said}}]},
        begun={"tool_calls": [{"index": 0, "id": "c", "type": "custom", "custom": {"name": "f"}}]},
    ),
    place(
        rows.FUNCTION,
        lambda said: {"function_call": {"arguments": said}},
        begun={"function_call": {"name": "f", "arguments": ""}},
    ),
    place(rows.AUDIO, lambda said: {"audio": {"id": "a", "data": "AAAA", "transcript": said}}),
    place(
        rows.CITATIONS,
        lambda said: {
            "annotations": [{"type": "url_citation", "url_citation": {"title": said, "url": "u"}}]
        },
        begun={"content": "As here."},
    ),
    Place(rows.LOGPROBS, plain_with_logprobs, stream_with_logprobs, asked={"logprobs": True}),
    place(rows.NOVEL, lambda said: {"novel": {"words": [said]}}),
    Place(rows.NOVEL_BESIDE, plain_beside, stream_beside, at=(0,)),
)


def user(content: Any) -> Json:
    """A request of one user message."""
    return {"messages": [{"role": "user", "content": content}]}


def after_call(content: Any, role: str = "tool") -> Json:
    """A request that ends in a tool's result."""
    asked = [{"role": "user", "content": "When?"}, message(None, tool_calls=[tool_call("f", "{}")])]
    return {"messages": [*asked, {"role": role, "tool_call_id": "call_1", "content": content}]}


PROMPTS = (
    Prompt(rows.PROMPT_USER, user),
    Prompt(rows.PROMPT_PART, lambda said: user([{"type": "text", "text": said}])),
    Prompt(rows.PROMPT_TOOL, after_call),
    Prompt(
        rows.PROMPT_TOOL, lambda said: after_call([{"type": "text", "text": said}]), variant="parts"
    ),
    Prompt(rows.PROMPT_TOOL, lambda said: after_call(said, role="function"), variant="function"),
    Prompt(rows.PROMPT_NOVEL, lambda said: {"messages": [{"role": "novel", "content": said}]}),
)


def read_plain(body: bytes) -> Told:
    """A plain reply as a strict client reads it."""
    found = json.loads(body)
    told = Told(ident=found["id"], model=found["model"], usage=found["usage"])
    told.fairlead = found.get("fairlead")
    for choice in found["choices"]:
        said = choice["message"]
        check(said["role"] == "assistant", said)
        content = said.get("content")
        told.say(choice["index"], content if isinstance(content, str) else "")
        told.end(choice["index"], choice["finish_reason"])
        is_refused = choice["finish_reason"] == "content_filter"
        check(not is_refused or set(said) <= {"role", "content", "refusal"}, said)
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
        check(data.get("id", told.ident) == told.ident, "another id")
        for choice in data.get("choices", ()):
            _read_choice(told, choice)
    check(has_done or told.error, "no end mark")
    check(told.error or set(told.texts) == set(told.ends), "a choice without an end")
    return told


def _read_choice(told: Told, choice: Any) -> None:
    index, delta = choice["index"], choice["delta"]
    check(index not in told.ends, "a choice goes on after its end")
    is_new = index not in told.texts
    check(not is_new or delta.get("role") == "assistant", "a choice without a role")
    content = delta.get("content") or ""
    told.say(index, content if isinstance(content, str) else "")
    told.say(index, f"|{delta['refusal']}" if delta.get("refusal") else "")
    if choice["finish_reason"] is not None:
        told.end(index, choice["finish_reason"])


def check_prompt_error(body: Json) -> None:
    """OpenAI's envelope, which names the field."""
    error = body["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "content_filter")
    assert error["param"] == "messages"
    assert error["fairlead"]["verdict"] == "veto"


DELTAS: tuple[Said, ...] = (
    text,
    lambda said: {"refusal": said},
    lambda said: {"reasoning_content": said},
    lambda said: {"tool_calls": [{"index": 0, "function": {"arguments": said}}]},
    lambda said: {"tool_calls": [{"index": 1, "function": {"name": "f", "arguments": said}}]},
    lambda said: {"function_call": {"arguments": said}},
    lambda said: {"content": [{"type": "text", "text": said}]},
    lambda said: {"novel": said},
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[Json, list[bytes]]:
    """Some choices in turn, each with several kinds of deltas."""
    n = draw(st.integers(1, 3))
    pieces = draw(PIECES)
    chunks = [chunk({"role": "assistant", "content": ""}, choice=index) for index in range(n)]
    for piece in pieces:
        said = draw(st.sampled_from(DELTAS))
        chunks.append(chunk(said(piece), choice=draw(st.integers(0, n - 1))))
    chunks += [chunk({}, choice=index, finish="stop") for index in draw(st.permutations(range(n)))]
    has_usage = draw(st.booleans())
    chunks += [usage_chunk()] if has_usage else []
    asked = {"n": n, "stream_options": {"include_usage": has_usage}}
    return asked, [*map(event, chunks), DONE]


WIRE = Wire(
    name="chat",
    route="/v1/chat/completions",
    asked=ASKED,
    places=PLACES,
    prompts=PROMPTS,
    absent={
        rows.SUMMARY: "no such items",
        rows.SERVER_TOOL: "no such items",
    },
    absent_prompts={rows.PROMPT_MANY: "one conversation"},
    refused="content_filter",
    has_choices=True,
    read_plain=read_plain,
    read_stream=read_stream,
    check_prompt_error=check_prompt_error,
    streams=streams(),
    labels=frozenset(
        {"id", "object", "created", "model", "usage", "index", "role", "type", "logprobs", "name"}
        | {"finish_reason", "error"}
    ),
)
