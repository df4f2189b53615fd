"""The scripted upstream does what its scripts say; other tests rest on it."""

from __future__ import annotations

import asyncio

import aiohttp
import httpx
import pytest

from tests.fakes.replies import error_body, interleaved, text_events, tool_events
from tests.fakes.upstream import (
    Hang,
    Raw,
    Status,
    Stream,
    ThreadedUpstream,
    Upstream,
    closed_port_url,
    plain,
    streamed,
)
from tests.patience import PATIENCE_S


async def _post(url: str, **body: object) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(f"{url}/chat/completions", json=body)


async def test_answers_politely_without_a_script() -> None:
    """An upstream that was told nothing answers plain and streamed as it is asked."""
    async with Upstream() as upstream:
        whole = await _post(upstream.url, stream=False)
        stream = await _post(upstream.url, stream=True)

    assert whole.json()["choices"][0]["message"]["content"] == "Hello there."
    assert stream.content == b"".join(text_events("Hello", " there", "."))
    assert [seen.is_stream for seen in upstream.seen] == [False, True]


async def test_keeps_a_connection_for_the_next_request() -> None:
    """Plain and chunked answers leave the connection usable."""
    async with (
        Upstream([plain("One."), streamed("Two."), plain("Three.")]) as upstream,
        httpx.AsyncClient(base_url=upstream.url) as client,
    ):
        codes = [(await client.post("/x", json={})).status_code for _ in range(3)]

    assert (codes, upstream.connections) == ([200, 200, 200], 1)


@pytest.mark.parametrize("chunking", ["event", "bytes:1", "bytes:7", "whole"])
@pytest.mark.parametrize("encoding", [None, "gzip", "deflate", "br", "zstd"])
async def test_any_cut_and_encoding_gives_the_same_body(
    chunking: str, encoding: str | None
) -> None:
    """However the body is cut and compressed, a client reads the same bytes."""
    events = interleaved([["a", "b"], ["ü", "😀"]])
    script = Stream(events, chunking=chunking, encoding=encoding)
    async with Upstream(script) as upstream:
        reply = await _post(upstream.url, stream=True)

    assert reply.content == b"".join(events)


async def test_cut_ends_the_connection_inside_an_event() -> None:
    """`cut_at` delivers that many bytes of the body and then drops the connection."""
    async with (
        Upstream(streamed("Hello", cut_at=30)) as upstream,
        aiohttp.ClientSession() as client,
        client.post(upstream.url, json={}) as reply,
    ):
        got = await reply.content.readexactly(30)
        with pytest.raises(aiohttp.ClientPayloadError):
            await reply.content.read()

    assert got == b"".join(text_events("Hello"))[:30]


async def test_notices_a_client_that_leaves() -> None:
    """A client that closes in the middle of a stalled stream is marked as gone."""
    async with Upstream(streamed("a", "b", stall_at=2)) as upstream:
        async with aiohttp.ClientSession() as client, client.post(upstream.url, json={}) as reply:
            await reply.content.readany()
        await asyncio.wait_for(upstream.seen[0].finished.wait(), PATIENCE_S)

    assert upstream.seen[0].client_gone.is_set()


async def test_gate_holds_an_event_back() -> None:
    """An event behind a gate leaves only after the gate was opened."""
    gate = asyncio.Event()
    events = text_events("a", "b")
    async with (
        Upstream(Stream(events, gates={2: gate})) as upstream,
        aiohttp.ClientSession() as client,
        client.post(upstream.url, json={}) as reply,
    ):
        first = await reply.content.readexactly(len(events[0] + events[1]))
        gate.set()
        rest = await reply.content.read()

    assert first + rest == b"".join(events)


async def test_status_raw_and_hang() -> None:
    """Errors, redirects, garbage, dropped connections and silence all happen as scripted."""
    limited = Status(429, error_body("slow down"), headers={"retry-after": "3"})
    moved = Status(307, b"", headers={"location": "/elsewhere"})
    async with Upstream([limited, moved, Raw(), Raw(b"nonsense\r\n\r\n"), Hang()]) as upstream:
        first = await _post(upstream.url)
        second = await _post(upstream.url)
        with pytest.raises(httpx.RemoteProtocolError):
            await _post(upstream.url)
        with pytest.raises(httpx.RemoteProtocolError):
            await _post(upstream.url)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_post(upstream.url), 0.05)

    assert (first.status_code, first.headers["retry-after"]) == (429, "3")
    assert (second.status_code, second.headers["location"]) == (307, "/elsewhere")


async def test_closed_port_refuses() -> None:
    """Nobody listens on `closed_port_url`."""
    with pytest.raises(httpx.ConnectError):
        await _post(closed_port_url())


def test_runs_in_a_thread() -> None:
    """The threaded upstream serves a client without an event loop."""
    with ThreadedUpstream(plain("Hi.", None)) as upstream:
        reply = httpx.post(f"{upstream.url}/chat/completions", json={"model": "m"})

    contents = [choice["message"]["content"] for choice in reply.json()["choices"]]
    assert contents == ["Hi.", None]
    assert upstream.seen[0].json == {"model": "m"}


def test_tool_events_spell_the_arguments() -> None:
    """A streamed tool call carries its arguments piece by piece and ends with its reason."""
    body = b"".join(tool_events("look_up", '{"q":', '"x"}')).decode()

    assert body.count("data: ") == 5
    assert '"finish_reason":"tool_calls"' in body
