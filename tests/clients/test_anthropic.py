"""The official Anthropic client through the whole proxy, unmodified but for its base URL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic, BadRequestError

from tests.fakes.messages import (
    MESSAGE_ID,
    event,
    plain,
    stream,
    text_block,
    text_stream,
    thinking_block,
    tool_block,
    tool_use,
)
from tests.fakes.replies import encode
from tests.fakes.upstream import Status, Stream, Upstream

REFUSAL = "This reply was withheld by policy."
BAD = "You are a scoundrel. "
TOOLS: Any = [{"name": "weather", "input_schema": {"type": "object"}}]


@pytest.fixture
def client(proxy_url: str) -> Iterator[Anthropic]:
    """The official client."""
    with Anthropic(base_url=proxy_url, api_key="sk-test", max_retries=0) as running:
        yield running


def ask(text: str = "Hi") -> Any:
    """The fields of a request."""
    return {"model": "m", "max_tokens": 64, "messages": [{"role": "user", "content": text}]}


def text_of(message: Any) -> str:
    """The text of a message."""
    return "".join(block.text for block in message.content if block.type == "text")


def test_a_plain_reply_comes_through(client: Anthropic, upstream: Upstream) -> None:
    """A good reply is what the upstream sent, with our headers beside it."""
    upstream.script = Status(200, plain("Paris."))
    raw = client.messages.with_raw_response.create(**ask())
    assert raw.read() == plain("Paris.")
    assert raw.headers["x-fairlead-verdict"] == "allow"
    reply = raw.parse()
    assert (text_of(reply), reply.stop_reason) == ("Paris.", "end_turn")
    # Versions of the client differ in the header that carries the key.
    seen = upstream.seen[-1].headers
    assert "sk-test" in {seen.get("x-api-key"), seen.get("authorization", "").split(" ")[-1]}


def test_a_plain_veto_is_a_refusal(client: Anthropic, upstream: Upstream) -> None:
    """A bad reply is replaced by the refusal and says why it ended."""
    upstream.script = Status(200, plain(BAD, tool_use("weather", {}), stop="tool_use"))
    reply = client.messages.create(**ask(), tools=TOOLS)
    assert (text_of(reply), reply.stop_reason, len(reply.content)) == (REFUSAL, "refusal", 1)
    assert (reply.id, reply.usage.output_tokens) == (MESSAGE_ID, 5)


def test_a_vetoed_prompt_is_a_bad_request(client: Anthropic, upstream: Upstream) -> None:
    """The error is the client's own class, with the message and our code."""
    upstream.script = Status(200, plain("Paris."))
    with pytest.raises(BadRequestError, match="vetoed by policy") as caught:
        client.messages.create(**ask(BAD))
    assert caught.value.type == "invalid_request_error"
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["code"] == "content_filter"


@pytest.mark.parametrize("is_stream", [False, True])
def test_an_unreadable_request_is_a_bad_request(client: Anthropic, is_stream: bool) -> None:
    """An error of our own is told so that the client knows its kind."""
    with pytest.raises(BadRequestError) as caught:
        client.messages.create(model="m", max_tokens=1, messages=[], stream=is_stream)
    assert caught.value.type == "invalid_request_error"


def test_a_stream_comes_through(client: Anthropic, upstream: Upstream) -> None:
    """Every event of a good stream reaches the client."""
    upstream.script = Stream(text_stream("Par", "is."))
    kinds = [event.type for event in client.messages.create(**ask(), stream=True)]
    assert kinds == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_a_vetoed_stream_ends_in_the_refusal(client: Anthropic, upstream: Upstream) -> None:
    """What was good stands before the refusal; the client sees one end."""
    upstream.script = Stream(text_stream("Paris is fine. ", BAD), delay_s=0.02)
    events = list(client.messages.create(**ask(), stream=True))
    texts = [
        event.delta.text
        for event in events
        if event.type == "content_block_delta" and event.delta.type == "text_delta"
    ]
    ends = [event.delta.stop_reason for event in events if event.type == "message_delta"]
    assert (texts, ends) == (["Paris is fine. ", REFUSAL], ["refusal"])
    assert events[-1].type == "message_stop"


@pytest.mark.parametrize(
    "blocks",
    [
        [text_block(0, BAD)],
        [text_block(0, "Fine. "), text_block(1, BAD)],
        [thinking_block(0, BAD), text_block(1, "Hi.")],
        [text_block(0, "Look. "), tool_block(1, "weather", '{"a": "scoun', 'drel"}')],
    ],
)
def test_the_stream_helper_sees_a_refused_message(
    client: Anthropic, upstream: Upstream, blocks: list[list[bytes]]
) -> None:
    """`.stream()` puts a vetoed message together, whichever block was bad."""
    upstream.script = Stream(stream(*blocks))
    with client.messages.stream(**ask(), tools=TOOLS) as running:
        said = "".join(running.text_stream)
        message = running.get_final_message()
    assert message.stop_reason == "refusal"
    assert said.endswith(REFUSAL)
    assert text_of(message) == said
    assert {block.type for block in message.content} == {"text"}


def test_the_stream_helper_sees_a_good_message(client: Anthropic, upstream: Upstream) -> None:
    """Thinking, text and a tool call come through it."""
    upstream.script = Stream(
        stream(
            thinking_block(0, "Hm."),
            text_block(1, "Let me look."),
            tool_block(2, "weather", '{"at"', ': "Paris"}'),
            stop="tool_use",
        )
    )
    with client.messages.stream(**ask(), tools=TOOLS) as running:
        message = running.get_final_message()
    thinking, text, call = message.content
    assert (thinking.type, text.type, call.type) == ("thinking", "text", "tool_use")
    assert call.type == "tool_use"
    assert (call.name, call.input, message.stop_reason) == (
        "weather", {"at": "Paris"}, "tool_use",
    )  # fmt: skip


def test_a_tool_call_comes_through(client: Anthropic, upstream: Upstream) -> None:
    """A good call is the upstream's own, and its result is looked at as prompt."""
    upstream.script = Status(200, plain(tool_use("weather", {"at": "Paris"}), stop="tool_use"))
    [call] = client.messages.create(**ask(), tools=TOOLS).content
    assert call.type == "tool_use"
    assert call.input == {"at": "Paris"}
    result: Any = {"type": "tool_result", "tool_use_id": call.id, "content": BAD}
    with pytest.raises(BadRequestError):
        client.messages.create(
            model="m",
            max_tokens=1,
            messages=[
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": [call]},
                {"role": "user", "content": [result]},
            ],
        )


def test_an_upstream_error_is_its_own(client: Anthropic, upstream: Upstream) -> None:
    """A refusal of the upstream reaches the client as the upstream wrote it."""
    told = {"type": "error", "error": {"type": "overloaded_error", "message": "Busy now"}}
    upstream.script = Status(529, encode(told))
    with pytest.raises(anthropic.InternalServerError, match="Busy now") as caught:
        client.messages.create(**ask())
    assert (caught.value.status_code, caught.value.type) == (529, "overloaded_error")


def test_a_stream_that_fails_raises(client: Anthropic, upstream: Upstream) -> None:
    """An end in the middle and an error event are errors for the client."""
    events = text_stream("One. ", "Two. ", "Three.")
    upstream.script = Stream(events, cut_at=len(b"".join(events[:6])) - 9, delay_s=0.02)
    with pytest.raises(anthropic.APIError):
        list(client.messages.create(**ask(), stream=True))
    failed = event("error", error={"type": "overloaded_error", "message": "Busy now"})
    upstream.script = Stream([*events[:4], failed])
    with pytest.raises(anthropic.APIError, match="Busy now"):
        list(client.messages.create(**ask(), stream=True))


def test_tokens_are_counted_by_the_upstream(client: Anthropic, upstream: Upstream) -> None:
    """`count_tokens` is passed through."""
    upstream.script = Status(200, b'{"input_tokens": 3}')
    asked = ask(BAD)
    del asked["max_tokens"]
    assert client.messages.count_tokens(**asked).input_tokens == 3


async def test_the_async_client(proxy_url: str, upstream: Upstream) -> None:
    """The asynchronous client sees the same, plain and streamed."""
    async with AsyncAnthropic(base_url=proxy_url, api_key="sk-test", max_retries=0) as client:
        upstream.script = Status(200, plain(BAD))
        reply = await client.messages.create(**ask())
        assert (text_of(reply), reply.stop_reason) == (REFUSAL, "refusal")
        upstream.script = Stream(text_stream("Paris is fine. ", BAD), delay_s=0.02)
        async with client.messages.stream(**ask()) as running:
            message = await running.get_final_message()
        assert (text_of(message), message.stop_reason) == (f"Paris is fine. {REFUSAL}", "refusal")
