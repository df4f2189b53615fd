"""Replies that the upstream stored, fetched again through the proxied routes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.settings import Settings
from storage.keys import new_key
from tests.fakes.engine import BAD, UNSUPPORTED
from tests.fakes.local import serving_locally
from tests.fakes.proxy import ENFORCE, Running, Setting, running
from tests.fakes.replies import completion
from tests.fakes.responses import (
    RESPONSE_ID,
    message_events,
    message_item,
    plain_response,
    response_events,
)
from tests.fakes.scripts import Status, Stream
from tests.fakes.upstream import Upstream
from tests.fakes.word_engine import WordEngine, WordHeads

REFUSAL = ENFORCE.refusal
STORED = f"/v1/responses/{RESPONSE_ID}"


async def make(proxy: Running, **fields: Any) -> Any:
    """A response, made."""
    asked = {"model": "m", "input": "When?"} | fields
    return await proxy.client.post("/v1/responses", json=asked)


async def test_an_allowed_reply_is_fetched_as_it_is(upstream: Upstream) -> None:
    """Same bytes, same query; scored beside what it answers, and recorded without its id."""
    body = plain_response(message_item("At ten."), x_new=[1.50])
    upstream.script = Status(200, body)
    async with running(Setting(upstream.url)) as proxy:
        await make(proxy, user="u1", fairlead={"context": ["Ten."]})
        got = await proxy.client.get(STORED, params={"include": "x"})

    assert (got.content, got.headers["x-fairlead-verdict"]) == (body, "allow")
    assert (upstream.seen[1].method, upstream.seen[1].path) == (
        "GET",
        f"/v1/responses/{RESPONSE_ID}?include=x",
    )
    last = proxy.engine.subjects[-1]
    assert (last.text, last.prompt, last.context) == ("At ten.", "When?", ("Ten.",))
    made, fetched = proxy.writer.records
    assert (made.response_ids, fetched.response_ids) == ((RESPONSE_ID,), ())
    assert (fetched.route, fetched.user) == ("/v1/responses/{id}", "u1")
    assert fetched.prompt_hash == made.prompt_hash


@pytest.mark.parametrize("is_stream", [False, True])
async def test_what_was_vetoed_is_withheld_again(upstream: Upstream, is_stream: bool) -> None:
    """The upstream still has it; whoever fetches it gets the refusal, whatever it scores now."""
    whole = plain_response(message_item(f"An {UNSUPPORTED} hour."))
    events = response_events(message_events(f"An {UNSUPPORTED} hour."))
    upstream.script = Stream(events) if is_stream else Status(200, whole)
    async with running(Setting(upstream.url)) as proxy:
        await make(proxy, fairlead={"context": ["Ten."]}, stream=is_stream)
        upstream.script = Status(200, whole)
        first = proxy.writer.records[0]
        proxy.writer.records[0] = replace(first, context=[])
        got = await proxy.client.get(STORED)
        streamed = await proxy.client.get(STORED, params={"stream": "true"})

    assert got.status_code == 200
    assert UNSUPPORTED not in got.text
    assert (got.json()["id"], got.json()["status"]) == (RESPONSE_ID, "incomplete")
    assert got.json()["output"][0]["content"][0]["text"] == REFUSAL
    assert (streamed.status_code, streamed.json()["error"]["code"]) == (403, "content_filter")


async def test_a_background_reply_is_scored_when_it_is_fetched(upstream: Upstream) -> None:
    """Polling has no record; the reply has one, and a bad one does not come through."""
    queued = plain_response(status="queued")
    bad = plain_response(message_item(f"You {BAD} thing."))
    upstream.script = [Status(200, queued)] * 3 + [Status(200, bad)]
    async with running(Setting(upstream.url)) as proxy:
        begun = await make(proxy, background=True)
        polls = [await proxy.client.get(STORED) for _ in range(2)]
        got = await proxy.client.get(STORED)

    assert [begun.content, *(poll.content for poll in polls)] == [queued] * 3
    assert (BAD in got.text, got.json()["status"]) == (False, "incomplete")
    assert [record.status for record in proxy.writer.records] == ["completed", "vetoed"]


async def test_a_reply_made_elsewhere_is_scored_too(upstream: Upstream) -> None:
    """Plain, streamed, cancelled, or a stored chat completion: bad text stays here."""
    bad = plain_response(message_item(f"{BAD}."))
    async with running(Setting(upstream.url)) as proxy:
        upstream.script = Status(200, bad)
        plain = await proxy.client.get("/v1/responses/resp_other")
        cancelled = await proxy.client.post("/v1/responses/resp_other/cancel")
        upstream.script = Status(200, completion(f"{BAD}."))
        chat = await proxy.client.get("/v1/chat/completions/chatcmpl-1")
        upstream.script = Stream(response_events(message_events("Good. ", f"{BAD}.")))
        streamed = await proxy.client.get("/v1/responses/resp_other?stream=true")

    for got in (plain, cancelled, chat, streamed):
        assert (got.status_code, BAD in got.text, REFUSAL in got.text) == (200, False, True)


async def test_metadata_goes_up_and_errors_come_down(upstream: Upstream) -> None:
    """A body passes as it came; an upstream's own error is its own."""
    async with running(Setting(upstream.url)) as proxy:
        upstream.script = Status(200, completion("Fine."))
        sent = b'{"metadata":  {"a": "b"}}'
        headers = {"content-type": "application/json"}
        await proxy.client.post("/v1/chat/completions/c1", content=sent, headers=headers)
        upstream.script = Status(404, b'{"error":{"message":"gone"}}')
        got = await proxy.client.get("/v1/responses/resp_x")
        await proxy.client.delete("/v1/responses/resp_x")

    assert upstream.seen[0].body == sent
    assert (got.status_code, got.content) == (404, b'{"error":{"message":"gone"}}')
    assert upstream.seen[2].method == "DELETE"
    assert len(proxy.writer.records) == 1


async def test_another_key_s_reply_is_not_there(tmp_path: Path, upstream: Upstream) -> None:
    """With keys a reply is fetched only by whoever made it, as soon as it was made."""
    settings = Settings.model_validate({
        "database_url": f"sqlite+aiosqlite:///{tmp_path / 'f.db'}",
        "upstreams": [{"url": upstream.url}],
        "access": {"required": True},
        "policies": {"default": {"prompt": {}, "reply": {"toxicity": {"veto": 0.5}}}},
    })  # fmt: skip
    upstream.script = Status(200, plain_response(message_item("You scoundrel.")))
    async with serving_locally(settings, engine=WordEngine(), heads=WordHeads()) as local:
        found = [new_key(name) for name in ("one", "two")]
        async with local.state.store.writing() as unit:
            for _, record in found:
                await unit.keys.add(record)
        asked = {"model": "m", "input": "Hello?"}
        mine, theirs = ({"authorization": f"Bearer {key}"} for key, _ in found)
        made = await local.client.post("/v1/responses", json=asked, headers=mine)
        own = await local.client.get(STORED, headers=mine)
        other = await local.client.get(STORED, headers=theirs)

    assert made.json()["status"] == own.json()["status"] == "incomplete"
    assert (other.status_code, other.json()["error"]["code"]) == (404, "not_found")
