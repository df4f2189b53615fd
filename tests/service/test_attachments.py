"""Images, audio and files: passed upstream as they are, recorded by reference and hash."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from service.attachments import by_reference, unread
from storage.records import InteractionRecord
from tests.fakes import messages as anthropic
from tests.fakes.proxy import OFF, Setting, running
from tests.fakes.replies import DONE, chunk, completion, event, message
from tests.fakes.responses import message_item, plain_response
from tests.fakes.scripts import Status, Stream, plain
from tests.fakes.upstream import Upstream

RAW = b"\x89PNG and so on" * 9
DATA = base64.b64encode(RAW).decode()
URL = f"data:image/png;base64,{DATA}"


def kept(media_type: str | None) -> dict[str, Any]:
    """What the record has in the place of the content."""
    digest = hashlib.sha256(RAW).hexdigest()
    return {"sha256": digest, "media_type": media_type, "bytes": len(RAW)}


CHAT = [
    {"type": "text", "text": "What is it?"},
    {"type": "image_url", "image_url": {"url": URL, "detail": "low"}},
    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    {"type": "input_audio", "input_audio": {"data": DATA, "format": "wav"}},
    {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{DATA}"}},
    {"type": "file", "file": {"file_id": "file-1"}},
]
RESPONSES = [
    {"type": "input_text", "text": "What is it?"},
    {"type": "input_image", "image_url": URL},
    {"type": "input_file", "filename": "a.pdf", "file_data": DATA},
]
BLOCKS = [
    {"type": "text", "text": "What is it?"},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}},
    {"type": "document", "source": {"type": "base64", "media_type": "m/n", "data": DATA}},
    {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
]
ASKS: dict[str, tuple[dict[str, Any], bytes, list[Any]]] = {
    "/v1/chat/completions": (
        {"model": "m", "messages": [{"role": "user", "content": CHAT}]},
        completion("A cat."),
        [kept("image/png"), kept("audio/wav"), kept("application/pdf")],
    ),
    "/v1/responses": (
        {
            "model": "m",
            "input": [
                {
                    "type": "computer_call_output",
                    "call_id": "c1",
                    "output": {"type": "computer_screenshot", "image_url": URL},
                },
                {"role": "user", "content": RESPONSES},
            ],
        },
        plain_response(message_item("A cat.")),
        [kept("image/png"), kept("image/png"), kept(None)],
    ),
    "/v1/messages": (
        {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": BLOCKS}]},
        anthropic.plain("A cat."),
        [kept("image/png"), kept("m/n")],
    ),
}


def references(value: Any) -> list[Any]:
    """Every reference below a value, in order."""
    if isinstance(value, list):
        return [found for item in value for found in references(item)]
    if not isinstance(value, dict):
        return []
    return [value] if "sha256" in value else references(list(value.values()))


@pytest.mark.parametrize("route", ASKS)
async def test_attachments_pass_and_are_recorded_by_hash(upstream: Upstream, route: str) -> None:
    """Upstream gets the bytes as they came; the record has no content, and the text is scored."""
    asked, answer, expected = ASKS[route]
    upstream.script = Status(200, answer)
    sent = json.dumps(asked).encode()
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.client.post(route, content=sent)

    record = proxy.record
    assert (got.status_code, upstream.seen[0].body) == (200, sent)
    assert references(record.request["messages"]) == expected
    assert DATA[:40] not in json.dumps(record.request)
    assert any(s.text == "What is it?" for s in proxy.engine.subjects)
    if route != "/v1/responses":
        assert "https://example.com/a.png" in json.dumps(record.request)


async def test_the_same_attachment_is_the_same_prompt(upstream: Upstream) -> None:
    """Prompts are told apart by what is attached."""

    def image(raw: bytes) -> Any:
        url = f"data:image/png;base64,{base64.b64encode(raw).decode()}"
        return [{"type": "image_url", "image_url": {"url": url}}]

    async with running(Setting(upstream.url)) as proxy:
        for raw in (b"one", b"one", b"two"):
            await proxy.chat(image(raw))

    one, again, two = (record.prompt_hash for record in proxy.writer.records)
    assert (one == again, one == two) == (True, False)


def unscored(proxy: Any, kind: str) -> float | None:
    """How many replies had something that nobody scored."""
    labels = {"route": "/v1/chat/completions", "kind": kind}
    value: float | None = proxy.metrics.registry.get_sample_value(
        "fairlead_unscored_media_total", labels
    )
    return value


async def test_audio_without_a_transcript_is_unscored(upstream: Upstream) -> None:
    """It passes, says so, is counted, and is recorded by hash."""
    audio = {"id": "audio_1", "data": DATA, "expires_at": 1}
    upstream.script = plain(message(None, audio=audio))
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.chat()
        silent: InteractionRecord = proxy.record
        assert unscored(proxy, "audio") == 1

    assert silent.choices[0]["verdict"] == "unscored"
    assert silent.choices[0]["seen"] == {"audio": []}
    assert silent.choices[0]["message"]["audio"]["data"] == kept(None)
    assert got.json()["choices"][0]["message"]["audio"] == audio


async def test_a_transcript_is_scored_for_its_audio(upstream: Upstream) -> None:
    """What was said is text like any other."""
    audio = {"id": "audio_1", "data": DATA, "expires_at": 1, "transcript": "Hello."}
    upstream.script = plain(message(None, audio=audio))
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.chat()
        assert unscored(proxy, "audio") is None

    assert got.headers["x-fairlead-verdict"] == "allow"
    assert proxy.record.choices[0]["seen"] == {"audio": [[0, 6]]}


async def test_streamed_audio_without_a_transcript_is_counted(upstream: Upstream) -> None:
    """Also where the data comes in pieces."""
    pieces = [chunk({"audio": {"id": "a1", "data": DATA[at : at + 40]}}) for at in (0, 40, 80)]
    upstream.script = Stream([*map(event, [*pieces, chunk({}, finish="stop")]), DONE])
    async with running(Setting(upstream.url)) as proxy:
        await proxy.chat(stream=True)
        assert unscored(proxy, "audio") == 1

    assert proxy.record.choices[0]["seen"] == {"audio": []}
    assert DATA[:40] not in json.dumps(proxy.record.choices)


async def test_nothing_is_called_unscored_where_nothing_is_scored(upstream: Upstream) -> None:
    """A policy that is off leaves media uncounted."""
    upstream.script = plain(message(None, audio={"id": "a", "data": DATA, "expires_at": 1}))
    async with running(Setting(upstream.url, policy=OFF)) as proxy:
        await proxy.chat()
        assert unscored(proxy, "audio") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"type": "base64", "data": "not base64!"}, len(b"not base64!")),
        ({"image_url": "data:text/plain,a%20b"}, 3),
        ({"type": "image_generation_call", "result": DATA, "output_format": "png"}, len(RAW)),
        ({"type": "image", "b64_json": DATA}, len(RAW)),
    ],
)
def test_whatever_holds_content_is_referred_to(value: Any, expected: int) -> None:
    """Content of every kind has its size, also where it is not what it says."""
    [found] = references(by_reference(value))

    assert found["bytes"] == expected


def test_text_is_never_taken_for_content() -> None:
    """What people write stays, whatever it looks like; nothing is changed in place."""
    value = {"content": [{"type": "text", "text": URL}, {"data": "plain"}], "url": "https://a"}

    assert by_reference(value) == value
    assert unread({"content": "text"}) == unread(None) == []
    assert unread({"images": [{"type": "image_generation_call"}]}) == ["image"]
