"""What of an exchange's texts is kept under each level, seen through the proxied routes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import product
from typing import Any

import pytest

from service.policy import Policy
from service.privacy.keeper import TextKeeper
from storage.records import InteractionRecord
from tests.fakes.engine import BAD
from tests.fakes.proxy import ENFORCE, OFF, Setting, running
from tests.fakes.replies import completion, message, text_events, tool_call, tool_events
from tests.fakes.scripts import Script, Status, Stream
from tests.fakes.upstream import Seen, Upstream
from tests.fakes.views import FORMS, HOLDS, ViewEngine
from tests.patience import until
from tests.service.test_regenerate import policy as regenerating
from tests.service.test_twin import policy as twin_policy

MAIL = "anna.smith@example.com"
KEY = "sk-proj-" + "Ab12Cd34Ef56Gh78Ij90Kl12"
KEEPER = TextKeeper(key=b"a secret of sixteen bytes or more")
HARD = ["hash", "drop"]
LEVELS = ["redact", *HARD]


def setting(upstream: Upstream, level: Any, policy: Policy = OFF, **changes: Any) -> Setting:
    """A proxy whose policy keeps texts at a level."""
    return Setting(upstream.url, policy=replace(policy, text=level), keeper=KEEPER, **changes)


def written(record: InteractionRecord) -> str:
    """All that is kept of an exchange."""
    return json.dumps(asdict(record), ensure_ascii=False)


def texts(value: Any) -> Iterator[str]:
    """Every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


def reply(content: str | None, **fields: Any) -> Status:
    """A plain reply with one choice."""
    return Status(200, completion(message(content, **fields)))


@pytest.mark.parametrize("level", LEVELS)
async def test_the_client_gets_what_the_model_wrote(upstream: Upstream, level: str) -> None:
    """Treatment is of the record; request and reply pass as they are, scored as they are."""
    body = completion(message(f"Write to {MAIL}."))
    upstream.script = Status(200, body)
    async with running(setting(upstream, level, ENFORCE)) as proxy:
        got = await proxy.chat(f"Mail of {MAIL}?")

    assert got.content == body
    assert upstream.seen[0].json["messages"][0]["content"] == f"Mail of {MAIL}?"
    assert {subject.text for subject in proxy.engine.subjects} == {
        f"Mail of {MAIL}?",
        f"Write to {MAIL}.",
    }
    assert proxy.record.verdict == "allow"
    assert all(score.risk is not None for score in proxy.record.scores if score.status == "scored")


async def test_everything_said_is_redacted_alike(upstream: Upstream) -> None:
    """Prompt, context, settings, tools, reply and delivery: one value, one placeholder."""
    upstream.script = reply(f"It is {MAIL.upper()}, not bob@example.com.")
    async with running(setting(upstream, "redact")) as proxy:
        await proxy.chat(
            [{"type": "text", "text": "Ask anna.smith@"}, {"type": "text", "text": "example.com"}],
            tools=[{"type": "function", "function": {"name": "f", "description": f"for {MAIL}"}}],
            stop=[MAIL],
            fairlead={"context": [f"The contact is {MAIL}."], "user": "u1"},
        )

    record = proxy.record
    assert MAIL not in written(record).lower()
    assert record.request["messages"][0]["content"] == [
        {"type": "text", "text": "Ask <EMAIL_1>"},
        {"type": "text", "text": ""},
    ]
    assert record.request["tools"][0]["function"]["description"] == "for <EMAIL_1>"
    assert record.request["params"]["stop"] == ["<EMAIL_1>"]
    assert record.context == ["The contact is <EMAIL_1>."]
    assert record.choices[0]["delivered"] == "It is <EMAIL_1>, not <EMAIL_2>."
    assert record.choices[0]["message"]["content"] == record.choices[0]["delivered"]
    assert (record.request["text"], record.user) == ("redact", "u1")


async def test_a_key_cut_by_the_stream_is_redacted(upstream: Upstream) -> None:
    """The record joins the pieces first: wherever the stream was cut, the key is whole there."""
    upstream.script = Stream(text_events(*[KEY[at : at + 5] for at in range(0, len(KEY), 5)], "!"))
    async with running(setting(upstream, "redact")) as proxy:
        got = await proxy.chat(stream=True)

    assert KEY not in got.text
    assert KEY[20:25] in got.text
    assert proxy.record.choices[0]["delivered"] == "<KEY_1>!"
    assert proxy.record.choices[0]["message"]["content"] == "<KEY_1>!"


@pytest.mark.parametrize("is_stream", [False, True])
async def test_tool_arguments_stay_json(upstream: Upstream, is_stream: bool) -> None:
    """A call's arguments are redacted inside, plain and streamed."""
    arguments = json.dumps({"to": MAIL, "pan": 4111111111111111, "n": 3})
    upstream.script = (
        Stream(tool_events("mail", arguments[:12], arguments[12:]))
        if is_stream
        else reply(None, tool_calls=[tool_call("mail", arguments)])
    )
    async with running(setting(upstream, "redact")) as proxy:
        await proxy.chat(stream=is_stream)

    call = proxy.record.choices[0]["message"]["tool_calls"][0]
    assert call["function"]["name"] == "mail"
    assert json.loads(call["function"]["arguments"]) == {
        "to": "<EMAIL_1>",
        "pan": "<CARD_1>",
        "n": 3,
    }


@pytest.mark.parametrize(("level", "name"), list(product(HARD, FORMS)))
async def test_nothing_said_can_be_read(upstream: Upstream, level: str, name: str) -> None:
    """In each wire format: of hashed and dropped texts no word stays anywhere in the record."""
    form = FORMS[name]
    upstream.script = form.script("Zebra answer.", is_stream=False)
    asked = form.ask("Zebra question?") | {
        "fairlead": {"context": ["Zebra source."], "user": "u1", "tags": ["t"]},
        "stop": ["Zebra value"],
        "temperature": 0.5,
    }
    async with running(setting(upstream, level, ENFORCE)) as proxy:
        got = await proxy.client.post(form.route, json=asked)

    record = proxy.record
    assert "Zebra answer." in got.text
    assert "zebra" not in written(record).lower()
    assert record.request["params"]["temperature"] == 0.5
    assert (record.request["text"], record.user, record.tags) == (level, "u1", ("t",))
    assert [score.risk for score in record.scores if score.status == "scored"]


async def test_equal_texts_have_equal_hashes(upstream: Upstream) -> None:
    """Within the record and across exchanges, with their length; another key gives others."""
    upstream.script = reply("Hello?")
    async with running(setting(upstream, "hash")) as proxy:
        await proxy.chat("Hello?")
        await proxy.chat("Hello?")
        first, second = proxy.writer.records
    other = setting(upstream, "hash")
    other.keeper = TextKeeper(key=b"another secret of sixteen bytes")
    async with running(other) as proxy:
        await proxy.chat("Hello?")

    content = first.request["messages"][0]["content"]
    assert content.startswith("hmac:")
    assert content.endswith(":6")
    assert first.request["messages"][0]["role"] == "user"
    assert {content, first.choices[0]["delivered"]} == {second.request["messages"][0]["content"]}
    assert first.prompt_hash == second.prompt_hash
    assert proxy.record.prompt_hash != first.prompt_hash
    assert proxy.record.request["messages"][0]["content"] != content


async def test_dropped_texts_leave_no_length_and_no_link(upstream: Upstream) -> None:
    """Not even that two prompts were the same; risks and the number of messages stay."""
    upstream.script = reply("Hello there.")
    async with running(setting(upstream, "drop", ENFORCE)) as proxy:
        await proxy.chat("Hello?")
        await proxy.chat("Hello?")
        first, second = proxy.writer.records

    assert first.prompt_hash != second.prompt_hash
    assert list(texts(first.request["messages"])) == ["user"]
    assert first.choices[0]["delivered"] is None
    assert first.choices[0]["seen"] is None
    assert "seen" not in first.request
    assert all(score.windows is None and score.spans is None for score in first.scores)
    assert any(score.risk for score in first.scores)


async def test_redacted_prompts_are_grouped_by_what_is_kept(upstream: Upstream) -> None:
    """Two prompts that differ in a mail address only become the same training prompt."""
    upstream.script = reply("Done.")
    async with running(setting(upstream, "redact")) as proxy:
        for asked in (f"Mail {MAIL}", "Mail bob@example.com", "Mail nobody"):
            await proxy.chat(asked)
        hashes = [record.prompt_hash for record in proxy.writer.records]

    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize("level", LEVELS)
async def test_attempts_are_treated(upstream: Upstream, level: str) -> None:
    """A reply that was vetoed and asked for again is no less a text."""
    upstream.script = [reply(f"{BAD} {MAIL}"), reply(f"Better ask {MAIL}")]
    async with running(setting(upstream, level, regenerating())) as proxy:
        await proxy.chat(f"Mail of {MAIL}?")

    record = proxy.record
    assert MAIL not in written(record)
    assert len(record.attempts) == 1
    assert (BAD in written(record)) == (level == "redact")
    assert record.attempts[0]["scores"][0]["risk"] == 0.99


@pytest.mark.parametrize(("level", "sample"), list(product(LEVELS, [None, 1.0])))
async def test_twins_are_treated(upstream: Upstream, level: str, sample: float | None) -> None:
    """The question without the view and its answer, beside the reply or after it."""

    def play(seen: Seen) -> Script:
        return reply(f"{HOLDS} {MAIL}")

    upstream.script = play
    made = setting(upstream, level, twin_policy(sample=sample), engine=ViewEngine(), draw=lambda: 0)
    async with running(made) as proxy:
        await proxy.chat(f"I think it is Sydney. Which city is it, {MAIL}?")
        await until(lambda: proxy.record.twin is not None)

    record = proxy.record
    assert MAIL not in written(record)
    assert ("Sydney" in written(record)) == (level == "redact")
    assert record.twin["outcome"] in ("kept", "flipped")
    assert (record.twin["reply"] is None) == (level == "drop")


async def test_long_exchanges_are_treated_too(upstream: Upstream) -> None:
    """From a size on it is done beside the event loop."""
    upstream.script = reply("Done.")
    async with running(setting(upstream, "redact")) as proxy:
        await proxy.chat("word " * 10_000 + MAIL)

    assert proxy.record.request["messages"][0]["content"].endswith("word <EMAIL_1>")


async def test_kept_texts_are_untouched(upstream: Upstream) -> None:
    """The default: the record says nothing of a level."""
    upstream.script = reply(f"It is {MAIL}.")
    async with running(setting(upstream, "keep")) as proxy:
        await proxy.chat("Who?")

    assert proxy.record.choices[0]["delivered"] == f"It is {MAIL}."
    assert "text" not in proxy.record.request


async def test_a_failing_upstream_leaves_nothing(upstream: Upstream) -> None:
    """The prompt of an exchange without a reply is treated like any other."""
    upstream.script = Status(500, b'{"error": {"message": "no, anna.smith@example.com"}}')
    async with running(setting(upstream, "redact")) as proxy:
        got = await proxy.chat(f"Mail of {MAIL}?")

    assert got.status_code == 500
    assert MAIL not in written(proxy.record)


def test_hashing_needs_a_secret() -> None:
    """Without one a keeper refuses; nothing is kept by mistake."""
    from service.privacy.redact import Names
    from tests.fakes.local import exchange

    with pytest.raises(ValueError, match="secret"):
        TextKeeper().interaction(exchange(), "hash", Names())
