"""The official OpenAI client on text completions and responses, unmodified."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, BadRequestError, OpenAI
from pydantic import BaseModel

from tests.fakes.replies import text_completion, text_completion_events
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
)
from tests.fakes.upstream import Status, Stream, Upstream

REFUSAL = "This reply was withheld by policy."
BAD = "You are a scoundrel. "
TOOLS: Any = [{"type": "function", "name": "weather", "parameters": {}, "strict": False}]
JSON = {"format": {"type": "json_schema", "name": "City", "schema": {}, "strict": True}}


class City(BaseModel):
    """What a structured reply is parsed to."""

    name: str


def types_of(events: list[Any]) -> list[str]:
    """The types of a stream's events, each once in a row."""
    found = [event.type for event in events]
    return [kind for at, kind in enumerate(found) if at == 0 or found[at - 1] != kind]


def released(events: list[Any]) -> str:
    """The text that a client reads from a stream of responses."""
    kinds = ("response.output_text.delta", "response.refusal.delta")
    return "".join(event.delta for event in events if event.type in kinds)


def test_plain_completions(client: OpenAI, upstream: Upstream) -> None:
    """A good choice comes through, a bad one of the same reply is refused."""
    upstream.script = Status(200, text_completion("Paris.", BAD))
    raw = client.completions.with_raw_response.create(model="m", prompt=["a", "b"])
    assert raw.headers["x-fairlead-verdict"] == "veto"
    good, bad = raw.parse().choices
    assert (good.text, good.finish_reason) == ("Paris.", "stop")
    assert (bad.text, bad.finish_reason, bad.logprobs) == (REFUSAL, "content_filter", None)


def test_streamed_completions(client: OpenAI, upstream: Upstream) -> None:
    """What was released stands, then the refusal and one end."""
    upstream.script = Stream(text_completion_events("Paris is fine. ", BAD, "Indeed."))
    chunks = list(client.completions.create(model="m", prompt="a", stream=True))
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(choice.text for choice in choices) == f"Paris is fine. {REFUSAL}"
    assert [c.finish_reason for c in choices if c.finish_reason] == ["content_filter"]


def test_a_vetoed_prompt_is_a_bad_request(client: OpenAI, upstream: Upstream) -> None:
    """The client's own error names the field that its route has for the prompt."""
    upstream.script = Status(200, b"{}")
    for is_stream in (False, True):
        with pytest.raises(BadRequestError) as caught:
            client.completions.create(model="m", prompt=BAD, stream=is_stream)
        assert (caught.value.code, caught.value.param) == ("content_filter", "prompt")
        with pytest.raises(BadRequestError) as caught:
            client.responses.create(model="m", input=BAD, stream=is_stream)
        assert (caught.value.code, caught.value.param) == ("content_filter", "input")


def test_a_plain_response_comes_through(client: OpenAI, upstream: Upstream) -> None:
    """A good response is what the upstream sent, with our headers beside it."""
    body = plain_response(reasoning_item("Easy."), message_item("Paris."))
    upstream.script = Status(200, body)
    raw = client.responses.with_raw_response.create(model="m", input="Hi")
    assert raw.content == body
    assert raw.headers["x-fairlead-verdict"] == "allow"
    assert raw.parse().output_text == "Paris."
    assert upstream.seen[-1].path == "/v1/responses"


@pytest.mark.parametrize(
    "item",
    [
        message_item("Paris. ", BAD),
        message_item(content=[{"type": "refusal", "refusal": BAD}]),
        reasoning_item(BAD),
        call_item("weather", '{"at": "scoundrel"}'),
        call_item("scoundrel", "{}"),
        custom_item("note", BAD),
        {"type": "novel_call", "id": "n_1", "deep": [{"note": BAD}]},
    ],
)
def test_a_plain_response_is_vetoed(client: OpenAI, upstream: Upstream, item: Any) -> None:
    """Whatever item is bad, the output is one message with the refusal."""
    upstream.script = Status(200, plain_response(message_item("Fine."), item))
    reply = client.responses.create(model="m", input="Hi", tools=TOOLS)
    assert (reply.id, reply.status, reply.output_text) == ("resp_fake1", "incomplete", REFUSAL)
    assert reply.incomplete_details is not None
    assert reply.incomplete_details.reason == "content_filter"
    assert reply.usage is not None
    assert reply.usage.total_tokens == 12
    assert [each.type for each in reply.output] == ["message"]
    assert reply.model_extra is not None
    assert reply.model_extra["fairlead"]["verdict"] == "veto"
    assert "scoundrel" not in reply.model_dump_json()


def test_a_streamed_response_comes_through(client: OpenAI, upstream: Upstream) -> None:
    """All events of a good stream arrive; the helper puts the response together."""
    sent = response_events(
        reasoning_events("Let me ", "see."),
        message_events("Paris", " is", " fine."),
        call_events("weather", '{"at"', ': "Paris"}'),
        custom_events("note", "Be ", "well."),
    )
    upstream.script = Stream(sent)
    events = list(client.responses.create(model="m", input="Hi", stream=True, tools=TOOLS))
    assert len(events) == len(sent)
    assert released(events) == "Paris is fine."
    with client.responses.stream(model="m", input="Hi", tools=TOOLS) as stream:
        response = stream.get_final_response()
    assert response.output_text == "Paris is fine."
    assert [item.type for item in response.output][2:] == ["function_call", "custom_tool_call"]


def test_a_streamed_response_is_cut_by_a_veto(client: OpenAI, upstream: Upstream) -> None:
    """The open message takes the refusal, all is closed, the end says why."""
    pieces = ("Paris is fine. ", "You are", " a scound", "rel. ", "Indeed. ")
    upstream.script = Stream(response_events(reasoning_events("Hm. "), message_events(*pieces)))
    events = list(client.responses.create(model="m", input="Hi", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert released(events) == f"Paris is fine. {REFUSAL}"
    assert types_of(events)[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.incomplete",
    ]
    last: Any = events[-1]
    assert (last.response.id, last.response.status) == ("resp_fake1", "incomplete")
    assert last.response.incomplete_details.reason == "content_filter"
    assert last.response.output_text == f"Paris is fine. {REFUSAL}"
    assert [item.type for item in last.response.output] == ["reasoning", "message"]
    assert last.response.fairlead["verdict"] == "veto"
    assert "scound" not in "".join(event.model_dump_json() for event in events)


@pytest.mark.parametrize(
    "items",
    [
        [message_events(BAD)],
        [reasoning_events("Hm. ", BAD), message_events("Paris.")],
        [call_events("weather", '{"at": ', '"scoun', 'drel"}')],
        [message_events("Fine. "), custom_events("note", "Dear. ", BAD)],
        [[{"type": "response.novel.delta", "delta": BAD}, *message_events("Fine.")]],
        [[*message_events("Fine. ")[:-1], {"type": "x", "item": message_item("Fine. ", BAD)}]],
    ],
)
def test_any_streamed_item_is_vetoed(client: OpenAI, upstream: Upstream, items: Any) -> None:
    """Whatever item is bad, the client reads a refusal and no bad word, and calls nothing."""
    upstream.script = Stream(response_events(*items))
    with client.responses.stream(model="m", input="Hi", tools=TOOLS) as stream:
        events: list[Any] = list(stream)
    assert released(events).endswith(REFUSAL)
    last = events[-1]
    assert (last.type, last.response.status) == ("response.incomplete", "incomplete")
    assert last.response.output_text.endswith(REFUSAL)
    assert "scoun" not in "".join(event.model_dump_json() for event in events)
    opened = [e.output_index for e in events if e.type == "response.output_item.added"]
    done = [e.item.type for e in events if e.type == "response.output_item.done"]
    assert sorted(set(opened)) == sorted(opened)
    assert not {"function_call", "custom_tool_call"} & set(done)


def test_structured_replies_do_not_break_their_helpers(client: OpenAI, upstream: Upstream) -> None:
    """`parse` and `stream` with a format give a refusal and no error of parsing."""
    upstream.script = Status(200, plain_response(message_item('{"name": "Paris"}'), text=JSON))
    parsed = client.responses.parse(model="m", input="Hi", text_format=City)
    assert parsed.output_parsed == City(name="Paris")
    bad = message_item('{"name": "scoundrel"}')
    for extra in ({"text": JSON}, {"text": None}):
        upstream.script = Status(200, plain_response(bad, **extra))
        parsed = client.responses.parse(model="m", input="Hi", text_format=City)
        assert (parsed.output_parsed, parsed.status) == (None, "incomplete")
        [item] = parsed.output
        assert item.type == "message"
        assert item.content[0].type == "refusal"
        assert item.content[0].refusal == REFUSAL
    upstream.script = Stream(response_events(message_events('{"name": ', '"scoundrel"}')))
    with client.responses.stream(model="m", input="Hi", text_format=City) as stream:
        events = list(stream)
    assert released(events).endswith(REFUSAL)
    assert types_of(events)[-4:-2] == ["response.refusal.done", "response.content_part.done"]
    with pytest.raises(RuntimeError, match=r"response\.completed"):
        stream.get_final_response()


def test_half_a_structured_reply_is_not_done(client: OpenAI, upstream: Upstream) -> None:
    """JSON that was cut by a veto is never given out as the text of a `done` event."""
    pieces = ('{"a": "Fine. ', 'Very fine. ", ', '"name": "scoundrel"}')
    upstream.script = Stream(response_events(message_events(*pieces)))
    with client.responses.stream(model="m", input="Hi", text_format=City) as stream:
        events = list(stream)
    assert released(events).startswith('{"a": "Fine. ')
    assert released(events).endswith(REFUSAL)
    assert "response.output_text.done" not in types_of(events)
    last: Any = events[-1]
    assert [part.type for part in last.response.output[0].content] == ["output_text", "refusal"]


def test_a_stream_that_breaks_off_raises(client: OpenAI, upstream: Upstream) -> None:
    """An upstream that ends in the middle is an error for the client, never a silent end."""
    sent = response_events(message_events("One. ", "Two. "))
    upstream.script = Stream(sent[:-2])
    with pytest.raises(openai.APIError):
        list(client.responses.create(model="m", input="Hi", stream=True))


async def test_the_async_client(base_url: str, upstream: Upstream) -> None:
    """The asynchronous client sees the same."""
    async with AsyncOpenAI(base_url=base_url, api_key="sk-test", max_retries=0) as client:
        upstream.script = Status(200, plain_response(message_item(BAD)))
        assert (await client.responses.create(model="m", input="Hi")).output_text == REFUSAL
        upstream.script = Stream(response_events(message_events("Fine. ", BAD)))
        stream = await client.responses.create(model="m", input="Hi", stream=True)
        assert released([event async for event in stream]) == f"Fine. {REFUSAL}"
