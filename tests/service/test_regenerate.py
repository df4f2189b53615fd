"""Vetoed replies that are asked for again: four formats, plain and streamed, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from scorers.errors import DeadlineExceeded
from scorers.types import Side, Subject
from service.policy import Policy, Rule
from storage.errors import StoreUnavailable
from storage.records import InteractionRecord
from tests.fakes import messages as anthropic
from tests.fakes.engine import ATTACK, BAD, UNSUPPORTED, ListWriter, WordEngine
from tests.fakes.local import local_settings, serving_locally
from tests.fakes.proxy import ENFORCE, PROMPT_RULES, Running, Setting, running
from tests.fakes.replies import (
    completion,
    encode,
    error_body,
    event,
    interleaved,
    text_completion,
    text_completion_events,
    text_events,
)
from tests.fakes.responses import message_events, message_item, plain_response, response_events
from tests.fakes.scripts import Hang, Raw, Script, Status, Stream
from tests.fakes.upstream import Upstream
from tests.fakes.word_engine import WordEngine as Words
from tests.fakes.word_engine import WordHeads
from tests.patience import PATIENCE_S, until

SAY = "Be kind this time."
TOXIC = Rule(
    "toxicity", "toxicity", ("toxic", "harm"), flag=0.5, veto=0.9, action="regenerate", attempts=2
)
FAITHFUL = Rule("faithfulness", "faithfulness", ("unsupported",), veto=0.9)


def policy(*rules: Rule, **changes: Any) -> Policy:
    """A policy that asks again for what is toxic, at most twice, unless told otherwise."""
    found = {Side.PROMPT: PROMPT_RULES, Side.REPLY: rules or (TOXIC, FAITHFUL)}
    return replace(ENFORCE, rules=found, instruction=SAY, **changes)


@dataclass(frozen=True)
class Form:
    """One wire format: how it asks, how the upstream answers, where its instruction goes."""

    route: str
    ask: dict[str, Any]
    plain: Callable[[str], bytes]
    stream: Callable[..., list[bytes]]
    told: Callable[[Any], Any]
    end: str

    def script(self, text: str, *, is_stream: bool) -> Script:
        """An upstream's whole answer with this text."""
        if is_stream:
            return Stream([b"".join(self.stream(text))])
        return Status(200, self.plain(text))

    def body(self, text: str, *, is_stream: bool) -> bytes:
        """The bytes of that answer."""
        return b"".join(self.stream(text)) if is_stream else self.plain(text)


FORMS = {
    "chat": Form(
        "/v1/chat/completions",
        {"model": "m", "messages": [{"role": "user", "content": "Hi?"}]},
        lambda text: completion(text, x_new={"kept": [1.50]}),
        text_events,
        lambda body: body["messages"][0],
        '"finish_reason":"content_filter"',
    ),
    "completions": Form(
        "/v1/completions",
        {"model": "m", "prompt": "Hi?"},
        text_completion,
        text_completion_events,
        lambda body: body["prompt"],
        '"finish_reason":"content_filter"',
    ),
    "responses": Form(
        "/v1/responses",
        {"model": "m", "input": "Hi?"},
        lambda text: plain_response(message_item(text)),
        lambda *pieces: response_events(message_events(*pieces)),
        lambda body: body["instructions"],
        '"reason":"content_filter"',
    ),
    "messages": Form(
        "/v1/messages",
        anthropic.ask("Hi?"),
        anthropic.plain,
        anthropic.text_stream,
        lambda body: body["system"],
        '"stop_reason":"refusal"',
    ),
}
TOLD = {
    "chat": {"role": "system", "content": SAY},
    "completions": f"{SAY}\n\nHi?",
    "responses": SAY,
    "messages": SAY,
}
EACH = pytest.mark.parametrize(("name", "is_stream"), list(product(FORMS, [False, True])))
BOTH = pytest.mark.parametrize("is_stream", [False, True])


async def post(proxy: Running, form: Form, *, is_stream: bool, **fields: Any) -> httpx.Response:
    """One request in a format."""
    asked = form.ask | ({"stream": True} if is_stream else {}) | fields
    return await proxy.client.post(form.route, json=asked)


def counted(proxy: Running) -> dict[str, float]:
    """How many replies were asked for again, by outcome."""
    found = {}
    for family in proxy.metrics.registry.collect():
        if family.name == "fairlead_regenerations":
            for sample in family.samples:
                if sample.name.endswith("_total"):
                    found[sample.labels["outcome"]] = sample.value
    return found


def upstream_calls(proxy: Running) -> float:
    """How many calls the upstream's metric has counted."""
    families = proxy.metrics.registry.collect()
    samples = (s for f in families if f.name == "fairlead_upstream_seconds" for s in f.samples)
    return sum(sample.value for sample in samples if sample.name.endswith("_count"))


def attempt(record: InteractionRecord, at: int = 0) -> dict[str, Any]:
    """One of a record's attempts."""
    found: dict[str, Any] = record.attempts[at]
    return found


@EACH
async def test_a_vetoed_reply_is_asked_for_again(
    upstream: Upstream, name: str, is_stream: bool
) -> None:
    """The second reply passes byte for byte; headers, record and metrics tell of the first."""
    form = FORMS[name]
    upstream.script = [form.script(f"You {BAD}. ", is_stream=is_stream),
                       form.script("All is well. ", is_stream=is_stream)]  # fmt: skip
    async with running(Setting(upstream.url, policy=policy())) as proxy:
        got = await post(proxy, form, is_stream=is_stream, fairlead={"user": "u1"})

        assert got.content == form.body("All is well. ", is_stream=is_stream)
        assert (got.status_code, got.headers["x-fairlead-verdict"]) == (200, "allow")
        assert got.headers["x-fairlead-attempts"] == "2"
        assert counted(proxy) == {"accepted": 1}
        assert upstream_calls(proxy) == 2
        record = proxy.record
    asked = form.ask | ({"stream": True} if is_stream else {})
    first, second = (seen.json for seen in upstream.seen)
    assert first == asked
    assert form.told(second) == TOLD[name]
    assert {key: second[key] for key in asked if key not in ("messages", "prompt")} == {
        key: asked[key] for key in asked if key not in ("messages", "prompt")
    }
    assert (record.status, record.verdict, record.http_status) == ("completed", "allow", 200)
    assert "All is well." in json.dumps(record.choices[0]["message"])
    assert record.choices[0]["delivered"] == "All is well. "
    vetoed = attempt(record)
    assert (vetoed["number"], vetoed["error_code"]) == (1, None)
    assert (vetoed["choices"][0]["verdict"], vetoed["upstream"]) == ("veto", "default")
    assert BAD in json.dumps(vetoed["choices"][0]["message"])
    assert [(s["scorer"], s["risk"], s["verdict"]) for s in vetoed["scores"] if s["risk"]] == [
        ("toxicity", 0.99, "veto")
    ]
    assert record.timings["set_aside_ms"] > 0
    assert [s.risk for s in record.scores if s.side == "reply" and s.risk] == [0.01]


@EACH
async def test_the_last_of_several_vetoed_replies_is_replaced(
    upstream: Upstream, name: str, is_stream: bool
) -> None:
    """Asked as often as the rule says and not once more; the client gets one refusal."""
    form = FORMS[name]
    upstream.script = [
        form.script(f"{BAD} {at}. ", is_stream=is_stream) for at in ("one", "two", "three", "four")
    ]
    async with running(Setting(upstream.url, policy=policy())) as proxy:
        got = await post(proxy, form, is_stream=is_stream)
        record = proxy.record
        assert counted(proxy) == {"vetoed": 2}

    assert len(upstream.seen) == 3
    assert BAD not in got.text
    assert form.end in got.text.replace(" ", "")
    assert got.text.count(ENFORCE.refusal) >= 1
    assert '"attempts":3' in got.text
    assert (record.status, record.verdict) == ("vetoed", "veto")
    assert [one["number"] for one in record.attempts] == [1, 2]
    assert "three" in json.dumps(record.choices[0]["message"])
    assert record.choices[0]["delivered"] == ENFORCE.refusal


FAILURES: dict[str, tuple[Script, str]] = {
    "no answer": (Raw(), "upstream_refused"),
    "its own error": (Status(500, error_body("down")), "upstream_error"),
    "busy": (Status(429, error_body("busy")), "upstream_error"),
    "no reply of the format": (Status(200, b'{"x": 1}'), "upstream_malformed"),
    "cut": (Stream(text_events("Wel"), cut_at=60), "upstream_cut"),
    "an error event": (Stream([event({"error": {"message": "down"}})]), "upstream_error"),
}


@EACH
@pytest.mark.parametrize("failure", FAILURES)
async def test_an_upstream_that_fails_meanwhile_leaves_the_veto(
    upstream: Upstream, name: str, is_stream: bool, failure: str
) -> None:
    """The vetoed reply is replaced, never delivered, and the record says why."""
    form, (script, code) = FORMS[name], FAILURES[failure]
    upstream.script = [form.script(f"{BAD} one. ", is_stream=is_stream), script]
    async with running(Setting(upstream.url, policy=policy())) as proxy:
        got = await post(proxy, form, is_stream=is_stream)
        record = proxy.record
        assert counted(proxy) == {"failed": 1}
        assert upstream_calls(proxy) == 2

    assert len(upstream.seen) == 2
    assert got.status_code == 200
    assert BAD not in got.text
    assert form.end in got.text.replace(" ", "")
    assert got.headers["x-fairlead-attempts"] == "2"
    assert (record.status, record.verdict, record.http_status) == ("vetoed", "veto", 200)
    assert record.choices[0]["delivered"] == ENFORCE.refusal
    assert BAD in json.dumps(record.choices[0]["message"])
    assert len(record.choices) == 1
    assert [one["number"] for one in record.attempts] == [2]
    assert attempt(record)["error_code"] == code


@EACH
@pytest.mark.parametrize("stall", ["head", "text"])
async def test_the_deadline_ends_the_asking(
    upstream: Upstream, name: str, is_stream: bool, stall: str
) -> None:
    """What does not come in time is cancelled, and the vetoed reply is replaced."""
    form = FORMS[name]
    slow: Script = Hang() if stall == "head" else Stream(form.stream("Well"), stall_at=0)
    if stall == "text" and not is_stream:
        slow = _Slow(Status(200, form.plain("Well"), declared_bytes=10_000))
    upstream.script = [form.script(f"{BAD} one. ", is_stream=is_stream), slow]
    async with running(Setting(upstream.url, policy=policy(regeneration_s=0.2))) as proxy:
        got = await post(proxy, form, is_stream=is_stream)
        record = proxy.record
        assert counted(proxy) == {"late": 1}
        async with asyncio.timeout(PATIENCE_S):
            await upstream.seen[1].client_gone.wait()

    assert BAD not in got.text
    assert form.end in got.text.replace(" ", "")
    assert (record.status, attempt(record)["error_code"]) == ("vetoed", "no_new_reply")


@dataclass(frozen=True)
class _Slow:
    """Sends what it was given and then nothing more."""

    first: Status

    async def play(self, wire: Any) -> bool:
        """Answers in part."""
        await self.first.play(wire)
        await asyncio.Event().wait()
        return False


@EACH
async def test_a_deadline_that_is_over_asks_no_more(
    upstream: Upstream, name: str, is_stream: bool
) -> None:
    """A second veto after the deadline is replaced although an attempt is left."""
    form = FORMS[name]
    upstream.script = form.script(f"{BAD} one. ", is_stream=is_stream)
    engine = WordEngine(delay_s=lambda _: 0.6 if len(upstream.seen) > 1 else 0.0)
    setting = Setting(upstream.url, policy=policy(regeneration_s=0.5), engine=engine)
    async with running(setting) as proxy:
        got = await post(proxy, form, is_stream=is_stream)

    assert BAD not in got.text
    assert form.end in got.text.replace(" ", "")
    assert len(upstream.seen) == 2


@BOTH
async def test_a_client_that_leaves_ends_the_asking(upstream: Upstream, is_stream: bool) -> None:
    """Its second call is cancelled too; the record has the vetoed reply."""
    form = FORMS["chat"]
    upstream.script = [form.script(f"{BAD} one. ", is_stream=is_stream), Hang()]
    async with running(Setting(upstream.url, policy=policy())) as proxy:
        asking = asyncio.create_task(post(proxy, form, is_stream=is_stream))
        await until(lambda: len(upstream.seen) == 2)
        asking.cancel()
        async with asyncio.timeout(PATIENCE_S):
            await upstream.seen[1].client_gone.wait()
            record = (await proxy.recorded())[0]
        assert counted(proxy) == {"client_gone": 1}

    assert (record.status, record.choices) == ("client_gone", [])
    assert BAD in json.dumps(attempt(record)["choices"])


async def test_a_stream_that_has_spoken_is_not_asked_for_again(upstream: Upstream) -> None:
    """What was released stands, so a later veto ends the stream as ever."""
    upstream.script = Stream(text_events("So far so good. ", f"You {BAD}. "), delay_s=0.02)
    async with running(Setting(upstream.url, policy=policy())) as proxy:
        got = await post(proxy, FORMS["chat"], is_stream=True)

    assert len(upstream.seen) == 1
    assert "So far so good." in got.text
    assert FORMS["chat"].end in got.text
    assert proxy.record.attempts is None
    assert "x-fairlead-attempts" not in got.headers


async def test_a_chased_stream_is_not_asked_for_again(upstream: Upstream) -> None:
    """Under chase the first event has left before any veto can come."""
    upstream.script = Stream(text_events(f"You {BAD}. "))
    async with running(Setting(upstream.url, policy=policy(streaming="chase"))) as proxy:
        got = await post(proxy, FORMS["chat"], is_stream=True)

    assert len(upstream.seen) == 1
    assert FORMS["chat"].end in got.text


async def test_a_second_reply_is_veto_able_to_its_end(upstream: Upstream) -> None:
    """A new stream that turns bad after its first text is cut like any other."""
    upstream.script = [
        Stream(text_events(f"{BAD} one. ")),
        Stream(text_events("A good start. ", f"Then {BAD}. "), delay_s=0.02),
    ]
    async with running(Setting(upstream.url, policy=policy())) as proxy:
        got = await post(proxy, FORMS["chat"], is_stream=True)
        assert counted(proxy) == {"vetoed": 1}

    assert BAD not in got.text
    assert "A good start." in got.text
    assert FORMS["chat"].end in got.text
    assert proxy.record.choices[0]["delivered"] == f"A good start. {ENFORCE.refusal}"


async def test_a_comment_is_no_part_of_a_reply(upstream: Upstream) -> None:
    """A stream that began with a comment can be asked for again, and fall back to its refusal."""
    comment = b": working\n\n"
    gate = asyncio.Event()
    first = Stream([comment, *text_events(f"{BAD} one. ")], gates={1: gate})
    upstream.script = [first, Stream([comment, *text_events("Well. ")])]
    async with running(Setting(upstream.url, policy=policy())) as proxy:
        body = b""
        asked = FORMS["chat"].ask | {"stream": True}
        async with proxy.client.stream("POST", FORMS["chat"].route, json=asked) as got:
            async for chunk in got.aiter_bytes():
                body += chunk
                gate.set()
        assert body == comment + comment + b"".join(text_events("Well. "))

        for broken in (Status(200, completion("Well.")), Stream(text_events("We"), cut_at=60)):
            proxy.writer.records.clear()
            upstream.script = [first, broken]
            gate.clear()
            body = b""
            async with proxy.client.stream("POST", FORMS["chat"].route, json=asked) as got:
                async for chunk in got.aiter_bytes():
                    body += chunk
                    gate.set()
            assert BAD.encode() not in body
            assert body.count(b'"content_filter"') == 1
            assert body.endswith(b"data: [DONE]\n\n")
            assert proxy.record.status == "vetoed"


@BOTH
async def test_of_several_choices_all_are_asked_for_again(
    upstream: Upstream, is_stream: bool
) -> None:
    """One vetoed choice sets the whole reply aside; the new one is delivered whole."""
    upstream.script = (
        [Stream([b"".join(interleaved([[f"{BAD}. "], ["Fine. "]]))]),
         Stream([b"".join(interleaved([["Good. "], ["Better. "]]))])]
        if is_stream
        else [Status(200, completion("Fine.", BAD)), Status(200, completion("Good.", "Better."))]
    )  # fmt: skip
    async with running(Setting(upstream.url, policy=policy())) as proxy:
        got = await post(proxy, FORMS["chat"], is_stream=is_stream, n=2)
        record = proxy.record

    assert "Good." in got.text
    assert "Better." in got.text
    assert "Fine." not in got.text
    assert upstream.seen[1].json["n"] == 2
    assert [choice["verdict"] for choice in record.choices] == ["allow", "allow"]


async def test_a_plain_reply_of_several_choices_keeps_what_passed(upstream: Upstream) -> None:
    """Where nothing better comes, only the vetoed choices of the last reply are replaced."""
    upstream.script = [Status(200, completion("Fine.", BAD)), Status(500)]
    async with running(Setting(upstream.url, policy=policy())) as proxy:
        got = (await post(proxy, FORMS["chat"], is_stream=False, n=2)).json()

    assert [choice["finish_reason"] for choice in got["choices"]] == ["stop", "content_filter"]
    assert got["choices"][0]["message"]["content"] == "Fine."


async def test_a_stream_of_several_choices_is_refused_whole(upstream: Upstream) -> None:
    """Its call was ended to ask again, so no choice has its rest: each ends in one refusal."""
    events = interleaved([[f"{BAD}. "], ["Fine ", "and ", "long"]])
    upstream.script = [Stream(events, delay_s=0.01), Status(500)]
    async with running(Setting(upstream.url, policy=policy())) as proxy:
        got = await post(proxy, FORMS["chat"], is_stream=True, n=2)

    assert got.text.count('"finish_reason":"content_filter"') == 2
    assert got.text.count("[DONE]") == 1
    assert "Fine" not in got.text
    assert [c["delivered"] for c in proxy.record.choices] == [ENFORCE.refusal] * 2


WORDS = {"annotate": "MILD", "regenerate": BAD, "replace": "HARD", "error": "WORST"}
ORDER = ("annotate", "regenerate", "replace", "error")


class ActionEngine(WordEngine):
    """One scorer for each action, which vetoes its own word."""

    def _score(self, name: str, subject: Subject) -> Any:
        known = super()._score("toxicity", subject)
        risk = 0.99 if WORDS[name] in subject.fresh else 0.01
        return replace(known, scorer=name, risk=risk, heads={name: risk})


@BOTH
@pytest.mark.parametrize(("first", "second"), list(product(ORDER, ORDER)))
async def test_two_rules_that_veto_one_reply(
    upstream: Upstream, first: str, second: str, is_stream: bool
) -> None:
    """The hardest action of the two is what happens, in whatever order the rules stand."""
    rules = [
        Rule(name, name, (name,), veto=0.9, action=name, attempts=1)
        for name in dict.fromkeys((first, second))
    ]
    text = f"{WORDS[first]} {WORDS[second]}. "
    form = FORMS["chat"]
    upstream.script = [form.script(text, is_stream=is_stream),
                       form.script("Well. ", is_stream=is_stream)]  # fmt: skip
    only = replace(policy(*rules), rules={Side.PROMPT: (), Side.REPLY: tuple(rules)})
    setting = Setting(upstream.url, policy=only, engine=ActionEngine())
    async with running(setting) as proxy:
        got = await post(proxy, form, is_stream=is_stream)

    hardest = max((first, second), key=ORDER.index)
    assert len(upstream.seen) == (2 if hardest == "regenerate" else 1)
    assert got.status_code == (403 if hardest == "error" else 200)
    assert ("Well." in got.text) is (hardest == "regenerate")
    assert (WORDS["annotate"] in got.text) is (hardest == "annotate")
    assert (form.end in got.text) is (hardest == "replace")


@BOTH
@pytest.mark.parametrize("mode", ["shadow", "off"])
async def test_only_an_enforcing_policy_asks_again(
    upstream: Upstream, mode: Any, is_stream: bool
) -> None:
    """In shadow the vetoed reply passes as it came."""
    form = FORMS["chat"]
    upstream.script = form.script(f"{BAD}. ", is_stream=is_stream)
    shadow = policy(mode=mode)
    shadow = replace(shadow, rules={Side.PROMPT: (), Side.REPLY: ()}) if mode == "off" else shadow
    async with running(Setting(upstream.url, policy=shadow)) as proxy:
        got = await post(proxy, form, is_stream=is_stream)

    assert got.content == form.body(f"{BAD}. ", is_stream=is_stream)
    assert len(upstream.seen) == 1


@BOTH
async def test_a_flag_asks_nothing_again(upstream: Upstream, is_stream: bool) -> None:
    """Only a veto does."""
    flagging = replace(TOXIC, veto=None)
    upstream.script = FORMS["chat"].script(f"{BAD}. ", is_stream=is_stream)
    async with running(Setting(upstream.url, policy=policy(flagging))) as proxy:
        got = await post(proxy, FORMS["chat"], is_stream=is_stream)

    assert got.headers["x-fairlead-verdict"] == "flag"
    assert len(upstream.seen) == 1


@BOTH
async def test_a_harder_veto_of_the_new_reply_ends_the_asking(
    upstream: Upstream, is_stream: bool
) -> None:
    """The new reply is unsupported, which this policy replaces: nobody asks a third time."""
    form = FORMS["chat"]
    upstream.script = [form.script(f"{BAD}. ", is_stream=is_stream),
                       form.script(f"An {UNSUPPORTED} fact. ", is_stream=is_stream)]  # fmt: skip
    async with running(Setting(upstream.url, policy=policy())) as proxy:
        got = await post(proxy, form, is_stream=is_stream, fairlead={"context": ["Source."]})
        assert counted(proxy) == {"vetoed": 1}

    assert form.end in got.text
    assert UNSUPPORTED not in got.text
    assert len(upstream.seen) == 2


@BOTH
async def test_an_error_of_the_new_reply_is_one(upstream: Upstream, is_stream: bool) -> None:
    """A rule whose action is `error` answers with one also for a second reply."""
    form = FORMS["chat"]
    upstream.script = [form.script(f"{BAD}. ", is_stream=is_stream),
                       form.script(f"An {UNSUPPORTED} fact. ", is_stream=is_stream)]  # fmt: skip
    rules = (TOXIC, replace(FAITHFUL, action="error"))
    async with running(Setting(upstream.url, policy=policy(*rules))) as proxy:
        got = await post(proxy, form, is_stream=is_stream, fairlead={"context": ["Source."]})
        assert counted(proxy) == {"vetoed": 1}

    assert got.status_code == 403
    assert got.json()["error"]["fairlead"]["attempts"] == 2
    assert proxy.record.status == "vetoed"


@BOTH
async def test_a_new_reply_without_scores_is_not_delivered_by_a_closed_policy(
    upstream: Upstream, is_stream: bool
) -> None:
    """The vetoed reply is replaced; an open policy lets the new one pass as unscored."""
    form = FORMS["chat"]
    results = {}
    for on_failure in ("closed", "open"):
        upstream.script = [form.script(f"{BAD}. ", is_stream=is_stream),
                           form.script("Well. ", is_stream=is_stream)]  # fmt: skip
        engine = FailingEngine()
        changed = policy(on_scorer_failure=on_failure)
        async with running(Setting(upstream.url, policy=changed, engine=engine)) as proxy:
            got = await post(proxy, form, is_stream=is_stream)
            results[on_failure] = (form.end in got.text, proxy.record.choices[0]["verdict"])

    assert results == {"closed": (True, "veto"), "open": (False, "unscored")}


class FailingEngine(WordEngine):
    """Fails on every text after the first vetoed one."""

    async def score(self, subject: Subject, **options: Any) -> Any:
        """The scores, while they come."""
        if any(BAD in seen.text for seen in self.subjects):
            self.failure = DeadlineExceeded("late")
        return await super().score(subject, **options)


@BOTH
async def test_a_vetoed_prompt_is_not_asked_about_again(
    upstream: Upstream, is_stream: bool
) -> None:
    """The prompt's verdict is awaited first: its veto is the answer."""
    form = FORMS["chat"]
    upstream.script = form.script(f"{BAD}. ", is_stream=is_stream)
    engine = WordEngine(delay_s=lambda s: 0.1 if s.side is Side.PROMPT else 0.0)
    async with running(Setting(upstream.url, policy=policy(), engine=engine)) as proxy:
        messages = [{"role": "user", "content": ATTACK}]
        got = await post(proxy, form, is_stream=is_stream, messages=messages)

    assert got.status_code == 400
    assert len(upstream.seen) == 1


async def test_a_store_that_fails_is_told_as_ever(upstream: Upstream) -> None:
    """A new reply that cannot be recorded is not delivered, and neither is the old one."""
    upstream.script = [Status(200, completion(BAD)), Status(200, completion("Well."))]
    writer = ListWriter(failure=StoreUnavailable("away"))
    async with running(Setting(upstream.url, policy=policy(), writer=writer)) as proxy:
        got = await post(proxy, FORMS["chat"], is_stream=False)

    assert (got.status_code, got.json()["error"]["code"]) == (503, "store_unavailable")
    assert "Well." not in got.text


async def test_the_request_that_goes_out_again_is_another_one(upstream: Upstream) -> None:
    """The client's key of idempotency goes out once; its other headers go out again."""
    upstream.script = [Status(200, completion(BAD)), Status(200, completion("Well."))]
    headers = {"idempotency-key": "k1", "x-mine": "1"}
    async with running(Setting(upstream.url, policy=policy())) as proxy:
        await proxy.client.post(FORMS["chat"].route, json=FORMS["chat"].ask, headers=headers)

    first, second = (seen.headers for seen in upstream.seen)
    assert first["idempotency-key"] == "k1"
    assert "idempotency-key" not in second
    assert first["x-mine"] == second["x-mine"] == "1"


async def test_a_conversation_that_the_upstream_remembers_is_not_asked_again(
    upstream: Upstream,
) -> None:
    """It would hold the input twice: the reply is replaced at once."""
    form = FORMS["responses"]
    upstream.script = form.script(BAD, is_stream=False)
    async with running(Setting(upstream.url, policy=policy())) as proxy:
        got = await post(proxy, form, is_stream=False, conversation="conv_1")

    assert form.end in got.text
    assert len(upstream.seen) == 1
    assert encode(proxy.record.attempts) == b"null"


async def test_the_two_replies_are_a_pair_for_tuning(upstream: Upstream, tmp_path: Path) -> None:
    """From settings to the export: the record shows the attempt, until a thumb takes it back."""
    upstream.script = [Status(200, completion("You scoundrel.")), Status(200, completion("Dear."))]
    settings = local_settings(
        tmp_path,
        upstreams=[{"url": upstream.url}],
        policies={
            "default": {
                "prompt": {},
                "reply": {"toxicity": {"veto": {"fpr": 0.01}, "action": "regenerate"}},
            }
        },
    )
    async with serving_locally(settings, engine=Words(), heads=WordHeads()) as local:
        got = await local.client.post(FORMS["chat"].route, json=FORMS["chat"].ask)
        ident = got.headers["x-fairlead-id"]
        shown = (await local.client.get(f"/v1/interactions/{ident}")).json()
        export = {"format": "dpo"}
        row = (await local.client.get("/v1/preferences/export", params=export)).json()
        rated = {"id": got.json()["id"], "rating": "down"}
        assert (await local.client.post("/v1/feedback", json=rated)).status_code == 201
        left = await local.client.get("/v1/preferences/export", params=export)
        counts = (await local.client.get("/metrics")).text

    told = upstream.seen[1].json["messages"]
    assert told[0]["content"] == settings.policies["default"].regeneration.instruction
    assert shown["choices"][0]["message"]["content"] == "Dear."
    (attempt,) = shown["attempts"]
    assert attempt["choices"][0]["message"]["content"] == "You scoundrel."
    assert attempt["scores"][0]["verdict"] == "veto"
    assert (attempt["number"], attempt["usage"]["total_tokens"]) == (1, 12)
    assert row["prompt"] == FORMS["chat"].ask["messages"]
    assert (row["chosen"][0]["content"], row["rejected"][0]["content"]) == (
        "Dear.", "You scoundrel.",
    )  # fmt: skip
    assert (row["pair_source"], row["margin"], row["interaction_ids"]) == (
        "regenerations", 0.98, [ident],
    )  # fmt: skip
    assert left.content == b""
    assert 'fairlead_regenerations_total{outcome="accepted",policy="default"} 1.0' in counts


@BOTH
async def test_a_new_reply_waits_for_its_record(upstream: Upstream, is_stream: bool) -> None:
    """Its end is not seen before the record, attempts included, is durable."""
    form = FORMS["chat"]
    upstream.script = [form.script(f"{BAD}. ", is_stream=is_stream),
                       form.script("Well. ", is_stream=is_stream)]  # fmt: skip
    writer = ListWriter(gate=asyncio.Event())
    async with running(Setting(upstream.url, policy=policy(), writer=writer)) as proxy:
        asking = asyncio.create_task(post(proxy, form, is_stream=is_stream))
        await asyncio.sleep(0.3)
        assert not asking.done()
        assert writer.gate is not None
        writer.gate.set()
        got = await asking

    assert got.content == form.body("Well. ", is_stream=is_stream)
    assert len(proxy.record.attempts) == 1
