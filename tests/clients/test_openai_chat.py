"""The official OpenAI client through the whole proxy, unmodified but for its base URL."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, BadRequestError, ContentFilterFinishReasonError, OpenAI
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel

from tests.fakes.replies import (
    chunk,
    completion,
    error_body,
    interleaved,
    message,
    text_events,
    tool_call,
    tool_events,
)
from tests.fakes.upstream import Status, Stream, Upstream, plain, streamed

REFUSAL = "This reply was withheld by policy."
BAD = "You are a scoundrel. "
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]


def ask(text: str = "Hi") -> Any:
    """The fields of a request."""
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


def text_of(chunks: list[ChatCompletionChunk], choice: int = 0) -> str:
    """The content of one choice of a stream."""
    found = [c for chunk in chunks for c in chunk.choices if c.index == choice]
    return "".join(c.delta.content or "" for c in found)


def ends_of(chunks: list[ChatCompletionChunk], choice: int = 0) -> list[str]:
    """The finish reasons of one choice of a stream."""
    found = [c for chunk in chunks for c in chunk.choices if c.index == choice]
    return [c.finish_reason for c in found if c.finish_reason]


def test_a_plain_reply_comes_through(client: OpenAI, upstream: Upstream) -> None:
    """A good reply is what the upstream sent, with our headers beside it."""
    upstream.script = plain("Paris.")
    raw = client.chat.completions.with_raw_response.create(**ask())
    assert raw.content == completion("Paris.")
    assert raw.headers["x-fairlead-verdict"] == "allow"
    assert raw.headers["x-fairlead-id"]
    reply = raw.parse()
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == ("Paris.", "stop")
    assert upstream.seen[-1].headers["authorization"] == "Bearer sk-test"


def test_a_plain_veto_is_a_content_filter(client: OpenAI, upstream: Upstream) -> None:
    """A bad reply is replaced by the refusal and says why it ended."""
    upstream.script = plain(BAD)
    reply = client.chat.completions.create(**ask())
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == (
        REFUSAL,
        "content_filter",
    )
    assert reply.usage is not None
    assert reply.usage.total_tokens == 12
    assert reply.model_extra is not None
    assert reply.model_extra["fairlead"]["verdict"] == "veto"


def test_one_of_two_choices_is_vetoed(client: OpenAI, upstream: Upstream) -> None:
    """With n = 2 the good choice stays as it is."""
    upstream.script = plain(BAD, "Paris.")
    reply = client.chat.completions.create(**ask(), n=2)
    assert [choice.finish_reason for choice in reply.choices] == ["content_filter", "stop"]
    assert [choice.message.content for choice in reply.choices] == [REFUSAL, "Paris."]


def test_parse_raises_on_a_veto(client: OpenAI, upstream: Upstream) -> None:
    """The client's structured helper knows the finish reason."""

    class City(BaseModel):
        name: str

    upstream.script = plain('{"name": "Paris"}')
    parsed = client.chat.completions.parse(**ask(), response_format=City).choices[0].message.parsed
    assert parsed == City(name="Paris")
    upstream.script = plain('{"name": "scoundrel"}')
    with pytest.raises(ContentFilterFinishReasonError):
        client.chat.completions.parse(**ask(), response_format=City)


def test_a_vetoed_prompt_is_a_bad_request(client: OpenAI, upstream: Upstream) -> None:
    """A bad prompt raises the client's own error with the code for it."""
    upstream.script = plain("Paris.")
    for is_stream in (False, True):
        with pytest.raises(BadRequestError) as caught:
            client.chat.completions.create(**ask(BAD), stream=is_stream)
        assert (caught.value.code, caught.value.param) == ("content_filter", "messages")
        assert isinstance(caught.value.body, dict)
        assert caught.value.body["fairlead"]["verdict"] == "veto"


def test_our_extension_does_not_go_upstream(client: OpenAI, upstream: Upstream) -> None:
    """The client's `extra_body` is ours alone."""
    upstream.script = plain("Paris.")
    client.chat.completions.create(**ask(), extra_body={"fairlead": {"context": ["x"]}})
    assert upstream.seen[-1].json == ask()


def test_a_stream_comes_through(client: OpenAI, upstream: Upstream) -> None:
    """A good stream gives its text, its usage and one end."""
    upstream.script = Stream(text_events("Paris", " is", " fine.", usage=True))
    options: Any = {"include_usage": True}
    chunks = list(client.chat.completions.create(**ask(), stream=True, stream_options=options))
    assert (text_of(chunks), ends_of(chunks)) == ("Paris is fine.", ["stop"])
    assert chunks[-1].usage is not None


def test_a_stream_is_cut_by_a_veto(client: OpenAI, upstream: Upstream) -> None:
    """What was released stands, the rest is replaced, and there is one end."""
    upstream.script = streamed("Paris is fine. ", "You are", " a scound", "rel. ", "Indeed. ")
    chunks = list(client.chat.completions.create(**ask(), stream=True))
    assert text_of(chunks) == f"Paris is fine. {REFUSAL}"
    assert ends_of(chunks) == ["content_filter"]
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].model_extra is not None
    assert chunks[-1].model_extra["fairlead"]["verdict"] == "veto"


def test_a_vetoed_stream_still_counts_tokens(client: OpenAI, upstream: Upstream) -> None:
    """Usage comes after a veto where it was asked for."""
    upstream.script = Stream(text_events(BAD, usage=True))
    options: Any = {"include_usage": True}
    chunks = list(client.chat.completions.create(**ask(), stream=True, stream_options=options))
    assert (text_of(chunks), ends_of(chunks)) == (REFUSAL, ["content_filter"])
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == [12]


def test_one_of_two_streamed_choices_is_vetoed(client: OpenAI, upstream: Upstream) -> None:
    """With n = 2 the good choice streams on after the bad one has ended."""
    pieces = [["One. ", "Two. ", "Three."], ["You are ", "a scoundrel. ", "Indeed."]]
    upstream.script = Stream(interleaved(pieces))
    chunks = list(client.chat.completions.create(**ask(), stream=True, n=2))
    assert (text_of(chunks, 0), ends_of(chunks, 0)) == ("One. Two. Three.", ["stop"])
    assert ends_of(chunks, 1) == ["content_filter"]
    assert text_of(chunks, 1).endswith(REFUSAL)
    assert "scoundrel" not in text_of(chunks, 1)


def test_a_vetoed_choice_is_silent_after_its_end(client: OpenAI, upstream: Upstream) -> None:
    """Nothing of a vetoed choice follows its end, not even events without text."""
    token = {"token": "scoundrel", "logprob": -1.0, "bytes": None, "top_logprobs": []}
    silent = chunk({"content": ""}, choice=1)
    silent["choices"][0]["logprobs"] = {"content": [token]}
    late = [silent, chunk({"tool_calls": [{"index": 0, "id": "c"}]}, choice=1)]
    good = text_events("One. ", "Two. ", choice=0)
    upstream.script = Stream([good[0], chunk({"content": BAD}, choice=1), *late, *good[1:]])
    chunks = list(client.chat.completions.create(**ask(), stream=True, n=2))
    assert (text_of(chunks, 0), ends_of(chunks, 0)) == ("One. Two. ", ["stop"])
    said = [choice for chunk in chunks for choice in chunk.choices if choice.index == 1]
    assert said[-1].finish_reason == "content_filter"
    assert not any(choice.logprobs or choice.delta.tool_calls for choice in said)


def test_the_stream_helper(client: OpenAI, upstream: Upstream) -> None:
    """`.stream()` puts the reply together, vetoed or not."""
    upstream.script = streamed("Paris", ".")
    with client.chat.completions.stream(**ask()) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
    assert "".join(deltas) == "Paris."
    assert stream.get_final_completion().choices[0].finish_reason == "stop"
    upstream.script = streamed(BAD)
    with client.chat.completions.stream(**ask()) as stream:
        stream.until_done()
    choice = stream.current_completion_snapshot.choices[0]
    assert (choice.finish_reason, choice.message.content) == ("content_filter", REFUSAL)
    with pytest.raises(ContentFilterFinishReasonError):
        stream.get_final_completion()


def test_the_stream_helper_raises_for_structured_replies(
    client: OpenAI, upstream: Upstream
) -> None:
    """A veto where a parsed reply was asked for is an error of the helper's own."""

    class City(BaseModel):
        name: str

    upstream.script = streamed('{"name": ', '"scoundrel"}')
    with (
        pytest.raises(ContentFilterFinishReasonError),
        client.chat.completions.stream(**ask(), response_format=City) as stream,
    ):
        stream.until_done()


def test_plain_tool_calls(client: OpenAI, upstream: Upstream) -> None:
    """A good tool call comes through, a bad one is replaced."""
    upstream.script = plain(message(None, tool_calls=[tool_call("weather", '{"at": "Paris"}')]))
    reply = client.chat.completions.create(**ask(), tools=TOOLS)
    [call] = reply.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, call.function.arguments) == ("weather", '{"at": "Paris"}')
    upstream.script = plain(message(None, tool_calls=[tool_call("weather", '{"at": "scoundrel"}')]))
    choice = client.chat.completions.create(**ask(), tools=TOOLS).choices[0]
    assert (choice.finish_reason, choice.message.tool_calls) == ("content_filter", None)
    assert choice.message.content == REFUSAL


def test_streamed_tool_calls(client: OpenAI, upstream: Upstream) -> None:
    """A streamed call is put together by the helper; of a bad one no argument leaves."""
    upstream.script = Stream(tool_events("weather", '{"at"', ': "Paris"}'))
    with client.chat.completions.stream(**ask(), tools=TOOLS) as stream:
        stream.until_done()
    [call] = stream.get_final_completion().choices[0].message.tool_calls or []
    assert (call.function.name, call.function.arguments) == ("weather", '{"at": "Paris"}')
    upstream.script = Stream(tool_events("weather", '{"at"', ': "scoun', 'drel"}'))
    chunks = list(client.chat.completions.create(**ask(), tools=TOOLS, stream=True))
    assert (text_of(chunks), ends_of(chunks)) == (REFUSAL, ["content_filter"])
    assert "scoun" not in "".join(chunk.model_dump_json() for chunk in chunks)


def test_an_upstream_error_is_its_own(client: OpenAI, upstream: Upstream) -> None:
    """A refusal of the upstream reaches the client as the upstream wrote it."""
    upstream.script = Status(429, error_body("Slow down.", kind="rate_limit_error", code="slow"))
    with pytest.raises(openai.RateLimitError, match="Slow down") as caught:
        client.chat.completions.create(**ask())
    assert caught.value.code == "slow"


def test_a_stream_that_breaks_off_raises(client: OpenAI, upstream: Upstream) -> None:
    """An upstream that ends in the middle is an error for the client, never a silent end."""
    whole = b"".join(text_events("One. ", "Two. ", "Three."))
    upstream.script = Stream(text_events("One. ", "Two. ", "Three."), cut_at=len(whole) // 2)
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(**ask(), stream=True))


def test_other_routes_pass(client: OpenAI, upstream: Upstream) -> None:
    """What is not scored is passed on."""
    upstream.script = Status(200, b'{"object":"list","data":[{"id":"m","object":"model"}]}')
    assert [model.id for model in client.models.list()] == ["m"]


async def test_the_async_client(base_url: str, upstream: Upstream) -> None:
    """The asynchronous client sees the same, plain and streamed."""
    async with AsyncOpenAI(base_url=base_url, api_key="sk-test", max_retries=0) as client:
        upstream.script = plain(BAD)
        reply = await client.chat.completions.create(**ask())
        assert reply.choices[0].finish_reason == "content_filter"
        upstream.script = streamed("Paris is fine. ", BAD)
        stream = await client.chat.completions.create(**ask(), stream=True)
        chunks = [chunk async for chunk in stream]
        assert (text_of(chunks), ends_of(chunks)) == (
            f"Paris is fine. {REFUSAL}",
            ["content_filter"],
        )
        with pytest.raises(BadRequestError):
            await client.chat.completions.create(**ask(BAD))
