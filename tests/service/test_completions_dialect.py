"""Text completions: requests, plain replies and streams."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dialects.base import ReadLimits, VetoNote
from service.dialects.completions import ROUTE, Completions
from service.dialects.completions_stream import CompletionsStream
from service.errors import BadRequest, PromptVetoed, UpstreamMalformed
from service.exchange import Ask, Delta, Event, Reply
from storage.exports.conversation import training_messages
from tests.fakes.replies import event, text_chunk, text_completion

NOTE = VetoNote("Withheld.", {"id": "fl-1", "verdict": "veto"})
COMPLETIONS = Completions(now=lambda: 1234.5)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def body(**fields: Any) -> bytes:
    """A request with these fields beside a model and a prompt."""
    return orjson.dumps({"model": "m", "prompt": "Hi"} | fields)


def parse(data: bytes, **limits: Any) -> Ask:
    """The request as the dialect reads it."""
    return COMPLETIONS.parse(data, ROUTE, limits=ReadLimits(**limits))


def begin() -> CompletionsStream:
    """A stream that answers a plain request."""
    return COMPLETIONS.stream(parse(body(stream=True)))


def read(data: dict[str, Any], stream: CompletionsStream | None = None) -> Event:
    """One event as the dialect reads it."""
    return (stream or begin()).read(event(data), orjson.dumps(data))


def datas(raw: bytes) -> list[Any]:
    """The events of a stream, decoded; the end mark as it stands."""
    found = [part.removeprefix(b"data: ") for part in raw.split(b"\n\n") if part]
    return ["[DONE]" if data == b"[DONE]" else orjson.loads(data) for data in found]


def test_the_bytes_go_upstream_as_they_came() -> None:
    """A request without our own key is forwarded byte for byte."""
    data = b'{ "model":"m", "x": 1.50, "prompt":"\\u0048i" }'
    asked = parse(data)
    assert (asked.body, asked.prompt, asked.n, asked.is_stream) == (data, "Hi", 1, False)


def test_the_fairlead_key_is_taken_out() -> None:
    """Our object is read and does not go upstream."""
    asked = parse(body(fairlead={"context": ["a"]}, user="u"))
    assert orjson.loads(asked.body) == orjson.loads(body(user="u"))
    assert (asked.context, asked.extension.user) == (("a",), "u")


@pytest.mark.parametrize(
    ("fields", "prompt", "n"),
    [
        ({"prompt": None}, "", 1),
        ({"prompt": ["One", "Two"], "n": 3}, "One\nTwo", 6),
        ({"prompt": [1, 2, 3], "n": 2}, "", 2),
        ({"prompt": [[1, 2], "Two"]}, "Two", 2),
        ({"prompt": "One", "suffix": "end"}, "One\nend", 1),
    ],
)
def test_all_text_of_the_prompts_is_scored(fields: Any, prompt: str, n: int) -> None:
    """Every prompt and the suffix count; each prompt has its own choices."""
    asked = parse(body(**fields))
    assert (asked.prompt, asked.n) == (prompt, n)


def test_token_ids_are_recorded_by_hash() -> None:
    """A prompt of token ids is no text: the record has its length and its hash."""
    one, two = parse(body(prompt=[1, 2, 3])), parse(body(prompt=[3, 2, 1]))
    assert one.messages[0]["content"][0]["count"] == 3
    assert one.messages != two.messages


@pytest.mark.parametrize(
    "fields", [{"prompt": ["a", "b"]}, {"suffix": "x"}, {"echo": True}, {"prompt": [1, 2]}]
)
def test_what_is_no_conversation_is_not_exported(fields: Any) -> None:
    """Only a prompt that its reply follows is a training example."""
    assert training_messages(parse(body(**fields)).messages) is None
    assert training_messages(parse(body(echo=False)).messages) is not None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": []}, "prompt"),
        ({"prompt": {}}, "prompt"),
        ({"prompt": [True]}, "prompt[0]"),
        ({"prompt": ["a", []]}, "prompt[1]"),
        ({"prompt": ["a"] * 65, "n": 2}, "prompt"),
        ({"suffix": 1}, "suffix"),
        ({"model": None}, "model"),
        ({"n": 0}, "n"),
    ],
)
def test_a_wrong_field_is_named(fields: Any, param: str) -> None:
    """A request that cannot be read says which field is at fault."""
    with pytest.raises(BadRequest) as caught:
        parse(body(**fields))
    assert caught.value.param == param


requests = st.fixed_dictionaries(
    {"model": st.just("m") | json, "prompt": json}, optional={"suffix": json, "n": json}
)


@given(st.binary() | requests.map(orjson.dumps))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    """Whatever a client sends is read or is a `BadRequest`."""
    with contextlib.suppress(BadRequest):
        assert isinstance(parse(data), Ask)


def test_a_choice_s_text_is_its_content() -> None:
    """Text is content; log-probabilities are labels; unknown text has its own channel."""
    choices = [
        {"text": "a", "logprobs": {"tokens": ["a"]}, "finish_reason": "stop"},
        {"index": 5, "text": None, "novel": "psst", "message": {"content": "b"}, "delta": "c"},
    ]
    reply = COMPLETIONS.reply(text_completion(choices=choices))
    assert [(c.index, dict(c.channels), c.finish_reason) for c in reply.choices] == [
        (0, {"content": "a"}, "stop"),
        (5, {"other:novel": "psst", "content": "b", "other:delta": "c"}, None),
    ]
    assert reply.choices[0].message == {"role": "assistant", "content": "a"}


@pytest.mark.parametrize(
    "choices", [{}, [1], [{"text": 1}], [{"text": "a", "finish_reason": 1}], [{"index": -1}]]
)
def test_what_is_no_reply_is_malformed(choices: Any) -> None:
    """An upstream's bytes that are not a reply raise the error for that."""
    with pytest.raises(UpstreamMalformed):
        COMPLETIONS.reply(text_completion(choices=choices))
    with pytest.raises(UpstreamMalformed):
        COMPLETIONS.reply(b"{}")


@given(st.fixed_dictionaries({"choices": st.lists(json)}) | json)
def test_any_json_is_a_reply_or_malformed(value: Any) -> None:
    """No JSON makes the readers fail in another way."""
    with contextlib.suppress(UpstreamMalformed):
        assert isinstance(COMPLETIONS.reply(orjson.dumps(value)), Reply)
    with contextlib.suppress(UpstreamMalformed):
        assert isinstance(begin().read(b"", orjson.dumps(value)), Event)


def test_a_vetoed_choice_is_replaced() -> None:
    """Of a vetoed choice nothing is left but its refusal; all else stays."""
    reply = COMPLETIONS.reply(text_completion("Good.", "Bad.", wild=1))
    vetoed = orjson.loads(COMPLETIONS.vetoed(reply, {1: NOTE}, {"id": "fl-1"}))
    refused = {"text": "Withheld.", "index": 1, "logprobs": None}
    choices = [reply.body["choices"][0], refused | {"finish_reason": "content_filter"}]
    assert vetoed == reply.body | {"choices": choices, "fairlead": {"id": "fl-1"}}


def test_an_annotated_reply_is_unchanged_otherwise() -> None:
    """Annotating adds one top-level object."""
    reply = COMPLETIONS.reply(text_completion("Good."))
    annotated = orjson.loads(COMPLETIONS.annotated(reply, {"id": "f"}))
    assert annotated == reply.body | {"fairlead": {"id": "f"}}


def test_a_piece_of_text_is_a_delta() -> None:
    """Text comes out as one delta, its end as a finish, the whole as a message."""
    stream = begin()
    assert read(text_chunk("Hi"), stream).deltas == (Delta(0, "content", "Hi"),)
    assert read(text_chunk(" you", finish="stop"), stream).finished == ((0, "stop"),)
    assert stream.messages() == {0: {"role": "assistant", "content": "Hi you"}}


def test_a_refusal_is_two_events() -> None:
    """The refusal's text, then the end, under the running stream's head."""
    stream = begin()
    read(text_chunk("Hi"), stream)
    said, ended = datas(stream.refusal(1, NOTE, has_begun=True))
    head = {key: said[key] for key in ("id", "object", "model")}
    assert head == {key: text_chunk("")[key] for key in ("id", "object", "model")}
    assert [choice["text"] for choice in said["choices"]] == ["Withheld."]
    assert ended["choices"][0]["finish_reason"] == "content_filter"
    assert (ended["choices"][0]["index"], ended["fairlead"]) == (1, NOTE.fairlead)


def test_a_refused_prompt_is_a_reply_of_our_own() -> None:
    """Every choice holds the refusal, plain and streamed."""
    asked = parse(body(prompt=["a", "b"], stream_options={"include_usage": True}))
    plain = orjson.loads(COMPLETIONS.prompt_refused(asked, NOTE))
    assert [choice["text"] for choice in plain["choices"]] == ["Withheld."] * 2
    assert (plain["id"], plain["object"], plain["created"]) == (
        "cmpl-fl-1", "text_completion", 1234,
    )  # fmt: skip
    events = datas(COMPLETIONS.prompt_refused_stream(asked, NOTE))
    assert len(events) == 6
    assert (events[-2]["usage"]["total_tokens"], events[-1]) == (0, "[DONE]")


def test_a_vetoed_prompt_names_its_field() -> None:
    """The envelope is OpenAI's, its `param` the field that held the prompt."""
    told = orjson.loads(COMPLETIONS.error(PromptVetoed("no", param="messages")))
    assert (told["error"]["param"], told["error"]["code"]) == ("prompt", "content_filter")
    assert orjson.loads(COMPLETIONS.error(BadRequest("x", param="n")))["error"]["param"] == "n"
