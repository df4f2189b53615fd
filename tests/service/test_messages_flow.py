"""Anthropic's route through the proxy: scripted upstream, scores by word, every cut of a stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from scorers.types import Side
from service.policy import Rule
from service.sse import Splitter
from service.upstream import Target
from tests.fakes.engine import ATTACK, BAD, UNSUPPORTED, WordEngine
from tests.fakes.inside import CutReply, Inside
from tests.fakes.messages import (
    MESSAGE_ID,
    MODEL,
    PING,
    STARTED,
    USAGE,
    ask,
    event,
    message,
    plain,
    started,
    stream,
    text,
    text_block,
    text_stream,
    thinking_block,
    tool_block,
    tool_use,
)
from tests.fakes.proxy import ENFORCE, Running, Setting, running
from tests.fakes.replies import encode
from tests.fakes.scripts import Hang, Status, Stream
from tests.fakes.upstream import Upstream, closed_port_url

ROUTE = "/v1/messages"
REFUSAL = ENFORCE.refusal


@asynccontextmanager
async def proxied(upstream: Upstream, script: Any, **setting: Any) -> AsyncIterator[Running]:
    """A proxy before an upstream with a script."""
    upstream.script = script
    async with running(Setting(upstream.url, **setting)) as proxy:
        yield proxy


async def send(proxy: Running, content: Any = "Hello?", **fields: Any) -> httpx.Response:
    """One message."""
    return await proxy.client.post(ROUTE, json=ask(content, **fields))


def datas(body: bytes) -> list[Any]:
    """The data of each event, which its name fits."""
    found = [raw for raw in Splitter(10_000_000).feed(body) if raw.data]
    parsed = [json.loads(raw.data or b"") for raw in found]
    assert [raw.event for raw in found] == [data["type"] for data in parsed]
    return parsed


def told(body: bytes) -> dict[str, Any]:
    """The message that a strict client puts together; the order of events must be right."""
    found: dict[str, Any] = {}
    is_open, is_over = None, False
    for data in datas(body):
        kind = data["type"]
        assert not is_over
        if kind == "message_start":
            assert not found
            found = dict(data["message"], content=list(data["message"]["content"]))
        elif kind == "content_block_start":
            assert is_open is None
            assert data["index"] == len(found["content"])
            is_open = data["index"]
            found["content"].append({"json": ""} | data["content_block"])
        elif kind == "content_block_delta":
            assert data["index"] == is_open
            take(found["content"][is_open], data["delta"])
        elif kind == "content_block_stop":
            assert data["index"] == is_open
            is_open = None
        elif kind == "message_delta":
            assert is_open is None
            assert found["stop_reason"] is None
            found |= data["delta"]
            found["usage"] = found["usage"] | data["usage"]
        elif kind == "message_stop":
            is_over = True
        else:
            assert kind == "ping"
    assert is_over
    return found


def take(block: dict[str, Any], delta: dict[str, Any]) -> None:
    """Adds a delta to its block."""
    names = {"text_delta": ("text", "text"), "thinking_delta": ("thinking", "thinking")}
    into, of = names.get(delta["type"], ("json", "partial_json"))
    block[into] += delta.get(of, "")


def text_of(found: dict[str, Any]) -> str:
    """The text of a message."""
    return "".join(block.get("text", "") for block in found["content"])


async def test_an_allowed_plain_reply_is_byte_identical(upstream: Upstream) -> None:
    """Bytes and the client's own headers pass both ways."""
    body = plain("All is well.", tool_use("f", {"a": 1}), stop="tool_use", novel={"kept": [1]})
    async with proxied(upstream, Status(200, body)) as proxy:
        raw = encode(ask()) + b"  "
        headers = {"x-api-key": "sk-ant", "anthropic-version": "2023-06-01"}
        got = await proxy.client.post(ROUTE, content=raw, headers=headers)

    assert got.content == body
    [seen] = upstream.seen
    assert (seen.body, seen.path) == (raw, "/v1/messages")
    assert (seen.headers["x-api-key"], seen.headers["anthropic-version"]) == (
        "sk-ant", "2023-06-01",
    )  # fmt: skip
    assert got.headers["x-fairlead-verdict"] == "allow"
    assert proxy.record.response_ids == (MESSAGE_ID,)
    assert (proxy.record.dialect, proxy.record.reply_model) == ("messages", MODEL)


@pytest.mark.parametrize(
    "block",
    [
        text(BAD),
        text("Fine.", citations=[{"type": "c", "cited_text": BAD}]),
        tool_use("mail", {"to": [{"text": BAD}]}),
        tool_use(BAD, {}),
        {"type": "thinking", "thinking": BAD, "signature": "s"},
        {"type": "code_execution_tool_result", "content": {"stdout": BAD}},
        {"type": "novel", "words": BAD},
    ],
)
async def test_a_bad_block_vetoes_a_plain_reply(upstream: Upstream, block: Any) -> None:
    """Wherever the bad word stands, one block with the refusal is left."""
    sent = plain("Good.", block, stop="tool_use")
    async with proxied(upstream, Status(200, sent)) as proxy:
        got = await send(proxy)

    body = got.json()
    assert got.status_code == 200
    assert (body["id"], body["model"], body["usage"]) == (MESSAGE_ID, MODEL, USAGE)
    assert body["content"] == [text(REFUSAL)]
    assert (body["stop_reason"], body["stop_sequence"]) == ("refusal", None)
    assert body["fairlead"]["verdict"] == "veto"
    assert BAD not in got.text
    assert proxy.record.status == "vetoed"
    assert proxy.record.choices[0]["message"]["content"] == json.loads(sent)["content"]
    assert proxy.record.choices[0]["delivered"] == REFUSAL


@pytest.mark.parametrize("is_stream", [False, True])
async def test_documents_are_what_a_reply_is_held_against(
    upstream: Upstream, is_stream: bool
) -> None:
    """Without a source nothing is unsupported; with a document it is vetoed."""
    said = f"An {UNSUPPORTED} fact."
    script = Stream(text_stream(said)) if is_stream else Status(200, plain(said))
    document = {"type": "document", "source": {"type": "text", "data": "Source."}}
    async with proxied(upstream, script) as proxy:
        without = await send(proxy, stream=is_stream)
        against = await send(proxy, [document, text("What?")], stream=is_stream)

    assert UNSUPPORTED in without.text
    assert UNSUPPORTED not in against.text
    assert REFUSAL in against.text
    assert proxy.writer.records[1].context == ["Source."]


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(
    "content", [ATTACK, [{"type": "tool_result", "tool_use_id": "t", "content": ATTACK}]]
)
async def test_a_vetoed_prompt_is_an_error_in_the_route_own_envelope(
    upstream: Upstream, content: Any, is_stream: bool
) -> None:
    """400 `invalid_request_error`, also for an attack in a tool's result."""
    async with proxied(upstream, Hang()) as proxy:
        got = await send(proxy, content, stream=is_stream)

    body = got.json()
    assert got.status_code == 400
    assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")
    assert body["error"]["message"]
    assert (body["code"], body["param"]) == ("content_filter", "messages")
    assert body["content_filter_result"]["injection"]["filtered"] is True
    assert body["fairlead"]["verdict"] == "veto"
    assert proxy.record.status == "prompt_vetoed"


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_vetoed_prompt_can_be_refused_politely(upstream: Upstream, is_stream: bool) -> None:
    """With `prompt_as: refusal` it is a message that was refused."""
    policy = replace(ENFORCE, prompt_as="refusal")
    async with proxied(upstream, Hang(), policy=policy) as proxy:
        got = await send(proxy, ATTACK, stream=is_stream)

    found = told(got.content) if is_stream else got.json()
    assert got.status_code == 200
    assert (text_of(found), found["stop_reason"]) == (REFUSAL, "refusal")


async def test_an_allowed_stream_is_byte_identical(upstream: Upstream) -> None:
    """Every kind of block passes as it came, pings, comments and novelties included."""
    events = stream(
        thinking_block(0, "Let me ", "think."),
        text_block(1, "One. ", "Two"),
        [event("novel", seen=True), b": comment\n\n"],
        tool_block(2, "f", "", '{"a"', ": 1}"),
        stop="tool_use",
    )
    async with proxied(upstream, Stream(events, chunking="bytes:7")) as proxy:
        got = await send(proxy, stream=True)

    assert got.content == b"".join(events)
    record = proxy.record
    assert record.response_ids == (MESSAGE_ID,)
    assert record.choices[0]["delivered"] == "One. Two"
    assert record.choices[0]["delivered_finish_reason"] == "tool_use"
    assert record.choices[0]["message"]["content"][2] == tool_use("f", {"a": 1})
    assert record.usage == STARTED | {"output_tokens": 5}
    assert record.status == "completed"


@pytest.mark.parametrize(
    ("blocks", "kept"),
    [
        ([text_block(0, "VI", "LE. ")], ""),
        ([text_block(0, "Good one. ", f"You {BAD} ", "thing.")], "Good one. "),
        ([text_block(0, "Good one. "), text_block(1, f"{BAD}.")], "Good one. "),
        ([thinking_block(0, "VI", "LE")], ""),
        ([text_block(0, "Look: "), tool_block(1, "mail", '{"text": "VI', 'LE"}')], "Look: "),
        ([tool_block(0, BAD)], ""),
        ([text_block(0, "Hi. "), [event("novel", words=BAD)]], "Hi. "),
        ([[started(content=[text(BAD)])]], ""),
    ],
)
async def test_a_bad_stream_ends_in_a_refusal(
    upstream: Upstream, blocks: list[list[bytes]], kept: str
) -> None:
    """What was released stands; then the refusal, one `stop_reason`, one `message_stop`."""
    events = stream(*blocks)
    events = events[2:] if blocks[0][0].startswith(b"event: message_start") else events
    async with proxied(upstream, Stream(events, delay_s=0.005)) as proxy:
        got = await send(proxy, stream=True)

    found = told(got.content)
    assert BAD not in got.text
    assert proxy.record.choices[0]["delivered_finish_reason"] == "refusal"
    assert b"VI" not in got.content
    assert text_of(found) == kept + REFUSAL
    assert (found["stop_reason"], found["id"]) == ("refusal", MESSAGE_ID)
    assert found["usage"]["input_tokens"] == 7
    assert all(block["text"] for block in found["content"] if block["type"] == "text")
    assert proxy.record.status == "vetoed"
    assert proxy.record.choices[0]["delivered"] == kept + REFUSAL


async def test_a_call_that_was_begun_is_cut_short(upstream: Upstream) -> None:
    """Under chase, a call whose name had left is not closed as a call without arguments."""
    events = stream(tool_block(0, BAD, '{"text": "Hi"}'), stop="tool_use")
    policy = replace(ENFORCE, streaming="chase")
    async with proxied(upstream, Stream(events, stall_at=3), policy=policy) as proxy:
        got = await send(proxy, stream=True)

    call, refusal = told(got.content)["content"]
    assert (call["name"], call["json"]) == (BAD, "{")
    assert refusal["text"] == REFUSAL


@pytest.mark.parametrize("said", [BAD, f"Dear all. {BAD}"])
async def test_nothing_of_a_vetoed_call_is_seen(upstream: Upstream, said: str) -> None:
    """Under hold a call leaves whole or not at all, also where its first words were good."""
    pieces = [*(f'{{"text": "{said}"}}'.partition(" all. ")), ""]
    events = stream(text_block(0, "Look. "), tool_block(1, "mail", *pieces), stop="tool_use")
    async with proxied(upstream, Stream(events, delay_s=0.02)) as proxy:
        got = await send(proxy, stream=True)

    found = told(got.content)
    assert [block["type"] for block in found["content"]] == ["text", "text"]
    assert (text_of(found), found["stop_reason"]) == (f"Look. {REFUSAL}", "refusal")


JSON = {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_refusal_is_no_text_where_json_is_wanted(
    upstream: Upstream, is_stream: bool
) -> None:
    """A vetoed structured reply has no content; the refusal explains why it stopped."""
    said = f'{{"name": "{BAD}"}}'
    script = Stream(text_stream(*said.partition(": "))) if is_stream else Status(200, plain(said))
    async with proxied(upstream, script) as proxy:
        got = await send(proxy, stream=is_stream, **JSON)

    found = told(got.content) if is_stream else got.json()
    assert (found["content"], found["stop_reason"]) == ([], "refusal")
    assert found["stop_details"] == {
        "type": "refusal", "category": None, "explanation": REFUSAL,
    }  # fmt: skip
    assert proxy.record.choices[0]["delivered"] == REFUSAL


async def test_json_that_was_begun_ends_in_the_refusal(upstream: Upstream) -> None:
    """What has left stands, and its block is closed with the refusal as ever."""
    script = Stream(text_stream('{"a": "Fine. ', f'{BAD}. "}}'), delay_s=0.02)
    async with proxied(upstream, script) as proxy:
        got = await send(proxy, stream=True, **JSON)

    found = told(got.content)
    assert (text_of(found), found["stop_reason"]) == (f'{{"a": "Fine. {REFUSAL}', "refusal")
    assert "stop_details" not in found


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_refused_prompt_is_no_text_where_json_is_wanted(
    upstream: Upstream, is_stream: bool
) -> None:
    """With `prompt_as: refusal` a structured request is refused in the same form."""
    async with proxied(
        upstream, Status(200, plain("Hi")), policy=replace(ENFORCE, prompt_as="refusal")
    ) as proxy:
        got = await send(proxy, ATTACK, stream=is_stream, **JSON)

    found = told(got.content) if is_stream else got.json()
    assert (got.status_code, found["content"]) == (200, [])
    assert found["stop_details"]["explanation"] == REFUSAL


async def test_a_chased_stream_is_cut_properly(upstream: Upstream) -> None:
    """Under chase text leaves at once; the blocks are closed all the same."""
    policy = replace(ENFORCE, streaming="chase")
    events = stream(thinking_block(0, f"{BAD}. "), text_block(1, *["More. "] * 9))
    async with proxied(
        upstream, Stream(events, delay_s=0.02), policy=policy, engine=WordEngine(delay_s=0.05)
    ) as proxy:
        got = await send(proxy, stream=True)

    found = told(got.content)
    assert found["content"][0]["thinking"] == f"{BAD}. "
    assert found["stop_reason"] == "refusal"
    assert text_of(found).endswith(REFUSAL)


@pytest.mark.parametrize("is_stream", [False, True])
async def test_annotate_tells_and_lets_pass(upstream: Upstream, is_stream: bool) -> None:
    """The text is unchanged; the note is a field, or a ping before the end."""
    rules = (Rule("toxicity", "toxicity", ("toxic",), veto=0.9, action="annotate"),)
    policy = replace(ENFORCE, rules={Side.PROMPT: (), Side.REPLY: rules})
    script = Stream(text_stream(BAD)) if is_stream else Status(200, plain(BAD))
    async with proxied(upstream, script, policy=policy) as proxy:
        got = await send(proxy, stream=is_stream)

    found = told(got.content) if is_stream else got.json()
    note = datas(got.content)[-2] if is_stream else found
    assert (text_of(found), found["stop_reason"]) == (BAD, "end_turn")
    assert note["fairlead"]["verdict"] == "veto"


async def test_the_action_error_is_a_permission_error(upstream: Upstream) -> None:
    """403 in the route's own envelope."""
    rules = (Rule("toxicity", "toxicity", ("toxic",), veto=0.9, action="error"),)
    policy = replace(ENFORCE, rules={Side.PROMPT: (), Side.REPLY: rules})
    async with proxied(upstream, Status(200, plain(BAD)), policy=policy) as proxy:
        got = await send(proxy)

    assert got.status_code == 403
    assert got.json()["error"]["type"] == "permission_error"


async def test_an_upstream_error_passes_as_it_is(upstream: Upstream) -> None:
    """Also one with a status of Anthropic's own."""
    body = encode({"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}})
    async with proxied(upstream, Status(529, body)) as proxy:
        got = await send(proxy)

    assert (got.status_code, got.content) == (529, body)
    assert proxy.record.error_code == "upstream_529"


async def test_an_error_event_of_the_upstream_passes(upstream: Upstream) -> None:
    """It ends the stream as the upstream wrote it."""
    failed = event("error", error={"type": "overloaded_error", "message": "Busy"})
    events = [*text_stream("One. ", "Two.")[:4], failed]
    async with proxied(upstream, Stream(events)) as proxy:
        got = await send(proxy, stream=True)

    assert got.content == b"".join(events)
    assert proxy.record.status == "upstream_error"


async def test_a_stream_that_breaks_off_ends_in_an_error_event(upstream: Upstream) -> None:
    """What was scored stands; no `message_stop` pretends that all is well."""
    events = text_stream("One. ", "Two. ", "Three.")
    gate = asyncio.Event()
    script = Stream(events, cut_at=len(b"".join(events[:6])) - 9, gates={4: gate})
    async with proxied(upstream, script) as proxy:
        request = proxy.client.build_request("POST", ROUTE, json=ask(stream=True))
        response = await proxy.client.send(request, stream=True)
        gate.set()
        found = datas(await response.aread())

    assert found[-1]["type"] == "error"
    assert found[-1]["error"]["type"] == "api_error"
    assert found[-1]["code"] == "upstream_cut"
    assert all(data["type"] != "message_stop" for data in found)


async def test_our_own_errors_have_the_route_own_envelope() -> None:
    """What is wrong with the request, its size and the upstream is told in Anthropic's form."""
    async with running(Setting(closed_port_url(), body_bytes=1000)) as proxy:
        refused = await send(proxy)
        unread = await proxy.client.post(ROUTE, content=b"{")
        large = await send(proxy, "x" * 2000)

    errors = [answer.json() for answer in (refused, unread, large)]
    assert [answer.status_code for answer in (refused, unread, large)] == [502, 400, 413]
    assert [body["type"] for body in errors] == ["error"] * 3
    assert [body["error"]["type"] for body in errors] == [
        "api_error", "invalid_request_error", "request_too_large",
    ]  # fmt: skip


async def test_errors_beside_the_route_have_its_envelope_too() -> None:
    """Counting tokens, batches, and every route of a client that names Anthropic's version."""
    version = {"anthropic-version": "2023-06-01"}
    async with running(Setting(closed_port_url(), body_bytes=1000)) as proxy:
        answers = [
            await proxy.client.post(f"{ROUTE}/count_tokens", json=ask()),
            await proxy.client.post(f"{ROUTE}/count_tokens", json=ask("x" * 2000)),
            await proxy.client.get(f"{ROUTE}/batches/b1"),
            await proxy.client.get("/v1/models", headers=version),
        ]
        openais = await proxy.client.get("/v1/models")

    assert [answer.status_code for answer in answers] == [502, 413, 502, 502]
    told = [(body["type"], body["error"]["type"]) for body in map(httpx.Response.json, answers)]
    assert told == [
        ("error", "api_error"),
        ("error", "request_too_large"),
        ("error", "api_error"),
        ("error", "api_error"),
    ]
    assert openais.json()["error"]["code"] == "upstream_refused"


async def test_an_unknown_model_is_not_found(upstream: Upstream) -> None:
    """404 with the type that its clients know."""
    targets = (Target("t", upstream.url, models=("other",)),)
    async with running(Setting(upstream.url, targets=targets)) as proxy:
        got = await send(proxy)

    assert (got.status_code, got.json()["error"]["type"]) == (404, "not_found_error")


@pytest.mark.parametrize("headers", [{}, {"anthropic-version": "2023-06-01"}])
@pytest.mark.parametrize("route", [ROUTE, f"{ROUTE}/count_tokens"])
async def test_the_upstream_key_goes_where_anthropic_looks(
    upstream: Upstream, route: str, headers: dict[str, str]
) -> None:
    """With a configured key it is `x-api-key`, in place of whatever the client sent."""
    upstream.script = Status(200, plain("Hi."))
    targets = (Target("t", upstream.url, api_key="sk-conf"),)
    given_keys = {"x-api-key": "sk-client", "authorization": "Bearer sk-client"}
    async with running(Setting(upstream.url, targets=targets)) as proxy:
        await proxy.client.post(route, json=ask(), headers=headers | given_keys)

    assert upstream.seen[0].headers["x-api-key"] == "sk-conf"
    assert "authorization" not in upstream.seen[0].headers


async def test_the_upstream_key_stays_a_bearer_elsewhere(upstream: Upstream) -> None:
    """OpenAI's routes are not touched by that."""
    targets = (Target("t", upstream.url, api_key="sk-conf"),)
    async with running(Setting(upstream.url, targets=targets)) as proxy:
        await proxy.chat()

    assert upstream.seen[0].headers["authorization"] == "Bearer sk-conf"
    assert "x-api-key" not in upstream.seen[0].headers


async def test_counting_tokens_passes_unscored(upstream: Upstream) -> None:
    """`count_tokens` goes through untouched and says that nothing was scored."""
    async with proxied(upstream, Status(200, b'{"input_tokens": 3}')) as proxy:
        raw = encode(ask(ATTACK))
        headers = {"content-type": "application/json"}
        got = await proxy.client.post(f"{ROUTE}/count_tokens", content=raw, headers=headers)

    assert got.content == b'{"input_tokens": 3}'
    assert got.headers["x-fairlead-verdict"] == "unscored"
    assert (upstream.seen[0].path, upstream.seen[0].body) == ("/v1/messages/count_tokens", raw)
    assert proxy.engine.subjects == []


async def through(*pieces: bytes) -> tuple[bytes, Inside]:
    """What the client gets of a stream that comes in these pieces, and the proxy."""
    inside = Inside()
    got = await inside.post(ROUTE, ask(stream=True), CutReply(list(pieces)))
    return got.body, inside


async def test_what_comes_after_the_end_does_not_undo_it() -> None:
    """Data that cannot be read behind the end, in one piece with it, changes nothing."""
    body = b"".join(text_stream())
    got, inside = await through(body + b"data: {\n\n")
    assert (got, inside.writer.records[0].status) == (body, "completed")


async def test_a_ping_waits_for_no_score() -> None:
    """A ping is not text: it passes in its place, whatever is being scored."""
    body = b"".join(text_stream("Fine."))
    got, _ = await through(PING, body)
    assert got == PING + body


async def test_the_message_of_a_record_is_the_model_s_own() -> None:
    """The record of a vetoed stream has what the model wrote."""
    _, inside = await through(b"".join(text_stream("Good. ", BAD)))
    [choice] = inside.writer.records[0].choices
    assert choice["message"]["content"] == message(f"Good. {BAD}")["content"]
