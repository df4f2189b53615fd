"""Token log-probabilities: read from every route that has them, and scored with their text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scorers.types import Side
from service.dialects.chat import Chat
from service.dialects.completions import Completions
from service.dialects.logprobs import (
    chat_logprobs,
    completion_logprobs,
    listed_logprobs,
    response_logprobs,
)
from service.dialects.responses import Responses
from service.exchange import Delta, Event
from service.veto import Score, StreamVeto, Window
from tests.fakes.proxy import Setting, running
from tests.fakes.replies import (
    DONE,
    chunk,
    completion,
    event,
    message,
    text_chunk,
    text_completion,
    tool_call,
)
from tests.fakes.responses import message_events, plain_response, response_events
from tests.fakes.scripts import Status, Stream
from tests.fakes.upstream import Upstream

TOKENS = (-0.5, -0.25, -2.0)


def told(*values: float) -> list[dict[str, Any]]:
    """Tokens as chat and responses list them."""
    return [{"token": "x", "logprob": value, "bytes": None, "top_logprobs": []} for value in values]


def chat_reply() -> bytes:
    """A plain chat reply that tells its tokens."""
    body = json.loads(completion("All is well."))
    body["choices"][0]["logprobs"] = {"content": told(*TOKENS), "refusal": None}
    return json.dumps(body).encode()


def chat_events(*pieces: str) -> list[bytes]:
    """A streamed chat reply, one token a piece."""
    chunks = [chunk({"role": "assistant", "content": ""})]
    for value, piece in zip(TOKENS, pieces, strict=True):
        chunks.append(chunk({"content": piece}))
        chunks[-1]["choices"][0]["logprobs"] = {"content": told(value)}
    chunks.append(chunk({}, finish="stop"))
    return [*(event(data) for data in chunks), DONE]


def text_reply() -> bytes:
    """A plain text completion that tells its tokens."""
    body = json.loads(text_completion("All is well."))
    body["choices"][0]["logprobs"] = {"tokens": ["x"] * 3, "token_logprobs": list(TOKENS)}
    return json.dumps(body).encode()


def text_events(*pieces: str) -> list[bytes]:
    """A streamed text completion, one token a piece."""
    chunks = [text_chunk(piece) for piece in pieces]
    for value, said in zip(TOKENS, chunks, strict=True):
        said["choices"][0]["logprobs"] = {"token_logprobs": [value]}
    chunks.append(text_chunk("", finish="stop"))
    return [*(event(data) for data in chunks), DONE]


def told_part(text: str) -> dict[str, Any]:
    """A text part of a response with its tokens."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": told(*TOKENS)}


def response_reply() -> bytes:
    """A plain response that tells its tokens."""
    item = {"type": "message", "id": "m", "role": "assistant", "status": "completed"}
    return plain_response(item | {"content": [told_part("All is well.")]})


def stream_of_response(*pieces: str) -> list[bytes]:
    """A streamed response, one token a piece."""
    bodies = message_events(*pieces)
    deltas = [body for body in bodies if body["type"] == "response.output_text.delta"]
    for value, body in zip(TOKENS, deltas, strict=True):
        body["logprobs"] = told(value)
    return response_events(bodies)


ROUTES: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "/v1/chat/completions": (
        {"messages": [{"role": "user", "content": "Well?"}]},
        chat_reply,
        chat_events,
    ),
    "/v1/completions": ({"prompt": "Well?"}, text_reply, text_events),
    "/v1/responses": ({"input": "Well?"}, response_reply, stream_of_response),
}


@pytest.mark.parametrize("route", ROUTES)
async def test_a_plain_reply_is_scored_with_its_tokens(upstream: Upstream, route: str) -> None:
    """The scorers get the served model's name and the log-probabilities of the reply."""
    request, reply, _ = ROUTES[route]
    upstream.script = Status(200, reply())
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.client.post(route, json={"model": "m"} | request)
        [subject] = [s for s in proxy.engine.subjects if s.side is Side.REPLY]

    assert got.content == reply()
    assert (subject.served, subject.logprobs, subject.is_speech) == ("m", TOKENS, True)


@pytest.mark.parametrize("route", ROUTES)
async def test_a_window_of_a_stream_has_its_own_tokens(upstream: Upstream, route: str) -> None:
    """Each window gets the log-probabilities of the tokens that came with it, each once."""
    request, _, events = ROUTES[route]
    upstream.script = Stream(events("All is well. ", "So ", "be it."))
    async with running(Setting(upstream.url)) as proxy:
        await proxy.client.post(route, json={"model": "m", "stream": True} | request)
        subjects = [s for s in proxy.engine.subjects if s.side is Side.REPLY]

    assert sum((s.logprobs for s in subjects), ()) == TOKENS
    assert subjects[0].logprobs == TOKENS[:1]
    assert {s.served for s in subjects} == {"m"}


async def test_a_tools_arguments_are_no_speech(upstream: Upstream) -> None:
    """What a model hands to a tool is scored, but not as something that it says."""
    body = json.loads(completion(message("Wait.", tool_calls=[tool_call("f", '{"a": 1}')])))
    body["choices"][0]["logprobs"] = {"content": told(*TOKENS)}
    upstream.script = Status(200, json.dumps(body).encode())
    async with running(Setting(upstream.url)) as proxy:
        await proxy.chat()
        said = {s.is_speech: s.logprobs for s in proxy.engine.subjects if s.side is Side.REPLY}

    assert said == {True: TOKENS, False: ()}


def test_a_token_belongs_to_the_window_in_which_it_began() -> None:
    """A token across a sentence's end counts where it began, and none is lost or told twice."""
    veto = StreamVeto()
    events = [
        event_of("All is well.", -0.1),
        event_of(" So be", -0.2),
        event_of(" it, friend.", -0.3),
    ]
    windows = []
    for read in events:
        windows += scored(veto, veto.arrived(read, now=0.0))
    windows += scored(veto, veto.ended(now=0.0))

    assert [window.logprobs for window in windows] == [(-0.1, -0.2), (-0.3,)]


def event_of(text: str, logprob: float) -> Event:
    """An event of one token."""
    return Event(b"x", deltas=(Delta(0, "content", text, (logprob,)),), body={})


def scored(veto: StreamVeto, commands: Any) -> list[Window]:
    """The windows of some commands, each answered well."""
    found = []
    for command in commands:
        if isinstance(command, Score):
            found.append(command.window)
            found += scored(veto, veto.scored(command.window, is_veto=False, now=0.0))
    return found


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"logprobs": None},
        {"logprobs": {"content": None}},
        {"logprobs": {"content": [{"token": "x"}]}},
        {"logprobs": {"content": [{"logprob": "low"}]}},
        {"logprobs": {"content": [{"logprob": True}]}},
        {"logprobs": {"content": ["x"]}},
        {"logprobs": [1]},
    ],
)
def test_what_is_not_told_gives_none(said: Any) -> None:
    """Whatever stands in the place of log-probabilities, a reply is never refused for it."""
    assert chat_logprobs(said) == ()
    assert completion_logprobs(said) == ()


def test_an_echoed_prompt_hides_the_replys_tokens() -> None:
    """The first token of an echoed prompt has none, so nothing is known of the reply alone."""
    assert completion_logprobs({"logprobs": {"token_logprobs": [None, -0.5]}}) == ()


def test_a_response_that_tells_only_some_of_its_text() -> None:
    """Parts with and without tokens do not make a whole."""
    both = [{"content": [told_part("a"), {"type": "output_text", "text": "b"}]}]

    assert response_logprobs([{"content": [told_part("a")]}, {"type": "reasoning"}]) == TOKENS
    assert response_logprobs(both) == response_logprobs(None) == ()
    assert listed_logprobs({}) == ()


def test_dialects_without_tokens() -> None:
    """A reply that tells nothing has no log-probabilities."""
    for dialect, body in (
        (Chat(), completion("Hi.")),
        (Completions(), text_completion("Hi.")),
        (Responses(), plain_response()),
    ):
        assert dialect.reply(body).choices[0].logprobs == ()
