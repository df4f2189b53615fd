"""Replies to a stated view, compared with what the upstream says without it; over real sockets."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import product
from typing import Any

import httpx
import pytest

from scorers.errors import DeadlineExceeded
from scorers.types import Side
from service.policy import Policy, Rule, TwinRule
from storage.records import InteractionRecord
from tests.fakes.engine import ATTACK, BAD, ListWriter
from tests.fakes.proxy import ENFORCE, PROMPT_RULES, Running, Setting, running
from tests.fakes.replies import completion
from tests.fakes.scripts import Hang, Script, Status, Stream
from tests.fakes.upstream import Upstream
from tests.fakes.views import CAVES, FORMS, HOLDS, Form, Talked, ViewEngine
from tests.patience import PATIENCE_S, until

ASKED = "I think it is Sydney. Which city is the capital of Australia?"
QUESTION = "Which city is the capital of Australia?"
EACH = pytest.mark.parametrize(("name", "is_stream"), list(product(FORMS, [False, True])))
BOTH = pytest.mark.parametrize("is_stream", [False, True])


def policy(*, veto: float | None = 0.8, sample: float | None = None, **changes: Any) -> Policy:
    """Judges by the twin, which is waited for as long as it takes; or samples with the share."""
    budget_s = changes.pop("budget_s", 2 * PATIENCE_S)
    twin = TwinRule(sample is None, budget_s, sample or 0.0, flag=0.5, veto=veto)
    sycophancy = Rule(
        "sycophancy", "sycophancy", ("sycophantic",), flag=0.5, veto=changes.pop("alone", None),
        action=changes.pop("action", "replace"), attempts=1, twin=twin,
    )  # fmt: skip
    toxicity = Rule("toxicity", "toxicity", ("toxic", "harm"), veto=0.9)
    rules = {Side.PROMPT: changes.pop("prompt", ()), Side.REPLY: (toxicity, sycophancy)}
    return replace(ENFORCE, rules=rules, **changes)


def setting(upstream: Upstream, **changes: Any) -> Setting:
    """A proxy that hears views."""
    made = Setting(upstream.url, engine=changes.pop("engine", None) or ViewEngine())
    return replace(made, policy=changes.pop("policy", None) or policy(), **changes)


async def post(
    proxy: Running, form: Form, *, is_stream: bool = False, text: str = ASKED, **fields: Any
) -> httpx.Response:
    """One request in a format."""
    asked = form.ask(text) | ({"stream": True} if is_stream else {}) | fields
    return await proxy.client.post(form.route, json=asked)


def counted(proxy: Running) -> dict[tuple[str, str], float]:
    """How many twins there were, by mode and outcome."""
    families = proxy.metrics.registry.collect()
    samples = (s for f in families if f.name == "fairlead_twins" for s in f.samples)
    return {
        (s.labels["mode"], s.labels["outcome"]): s.value
        for s in samples
        if s.name.endswith("_total")
    }


def twin_of(record: InteractionRecord) -> dict[str, Any]:
    """What a record has of its twin."""
    assert record.twin is not None
    found: dict[str, Any] = record.twin
    return found


@EACH
async def test_a_reply_that_flips_is_vetoed(upstream: Upstream, name: str, is_stream: bool) -> None:
    """Asked without the view the model says something else; the record has both answers."""
    form = FORMS[name]
    upstream.script = talked = Talked(form)
    async with running(setting(upstream)) as proxy:
        got = await post(proxy, form, is_stream=is_stream)
        record = proxy.record
        assert counted(proxy) == {("inline", "flipped"): 1}

    assert "Sydney" not in got.text
    assert ENFORCE.refusal in got.text
    assert record.status == "vetoed"
    twin = twin_of(record)
    assert (twin["outcome"], twin["kind"], twin["is_inline"]) == ("flipped", "asked", True)
    assert (twin["views"], twin["prompt"]) == (["I think it is Sydney."], QUESTION)
    assert (twin["reply"], twin["error_code"]) == (HOLDS, None)
    [choice] = twin["choices"]
    assert choice == {"index": 0, "departs": 0.99, "gained": 0.98, "flip": pytest.approx(0.9801)}
    [score] = [s for s in record.scores if (s.side, s.scorer) == ("reply", "sycophancy")]
    assert score.heads == {"sycophantic": 0.9, "flip": pytest.approx(0.9801)}
    assert (score.risk, score.veto_threshold) == (pytest.approx(0.9801), 0.8)
    [asked] = talked.asked
    rest = form.ask(QUESTION) | ({"stream": True} if is_stream else {})
    assert asked.json == rest | ({"store": False} if name == "responses" else {})


@EACH
async def test_a_reply_that_says_the_same_passes(
    upstream: Upstream, name: str, is_stream: bool
) -> None:
    """The twin's verdict stands in the place of the classifier's, which would have vetoed it."""
    form = FORMS[name]
    upstream.script = Talked(form, bent=f"You're right to ask. {HOLDS}")
    rules = policy(alone=0.8)
    async with running(setting(upstream, policy=rules)) as proxy:
        got = await post(proxy, form, is_stream=is_stream)
        record = proxy.record
        assert counted(proxy) == {("inline", "kept"): 1}

    assert "Canberra" in got.text
    assert (record.status, record.verdict) == ("completed", "allow")
    assert twin_of(record)["outcome"] == "kept"
    assert twin_of(record)["choices"][0]["flip"] < 0.1


@EACH
async def test_a_prompt_without_a_view_has_no_twin(
    upstream: Upstream, name: str, is_stream: bool
) -> None:
    """The upstream is asked once and the classifier judges."""
    form = FORMS[name]
    upstream.script = form.script(CAVES, is_stream=is_stream)
    async with running(setting(upstream)) as proxy:
        got = await post(proxy, form, is_stream=is_stream, text=QUESTION)
        assert counted(proxy) == {}

    assert "Sydney" in got.text
    assert len(upstream.seen) == 1
    assert (proxy.record.twin, proxy.record.verdict) == (None, "flag")


async def test_pushback_is_held_against_the_answer_before_it(upstream: Upstream) -> None:
    """What the model said before the user pressed is the twin: no further call."""
    upstream.script = FORMS["chat"].script(CAVES, is_stream=False)
    turns = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": HOLDS},
        {"role": "user", "content": "Are you sure? I think it is Sydney."},
    ]
    async with running(setting(upstream)) as proxy:
        got = await post(proxy, FORMS["chat"], messages=turns)
        record = proxy.record

    assert got.json()["choices"][0]["finish_reason"] == "content_filter"
    assert len(upstream.seen) == 1
    assert (twin_of(record)["kind"], twin_of(record)["reply"]) == ("earlier", HOLDS)


async def test_a_message_that_is_only_a_view_is_sent_with_an_instruction(
    upstream: Upstream,
) -> None:
    """There is no question left to ask, so the model is told to disregard the view."""
    upstream.script = talked = Talked(FORMS["messages"])
    async with running(setting(upstream)) as proxy:
        await post(proxy, FORMS["messages"], text="I think it is Sydney.", system="Be brief.")
        record = proxy.record

    [asked] = talked.asked
    assert asked.json["messages"] == [{"role": "user", "content": "I think it is Sydney."}]
    assert asked.json["system"].startswith("Be brief.")
    assert "without regard to any opinion" in asked.json["system"]
    assert (twin_of(record)["kind"], twin_of(record)["outcome"]) == ("instructed", "flipped")


FAILURES: dict[str, tuple[str | Script, str]] = {
    "its own error": (Status(500, b"{}"), "upstream_error"),
    "no reply of the format": (Status(200, b'{"x": 1}'), "upstream_malformed"),
    "an error event": (Stream([b'data: {"error": {"message": "down"}}\n\n']), "upstream_error"),
    "nothing said": ("", "no_text"),
}


@BOTH
@pytest.mark.parametrize("failure", FAILURES)
async def test_a_twin_that_fails_leaves_the_classifier(
    upstream: Upstream, is_stream: bool, failure: str
) -> None:
    """The classifier judges alone, and the record says why; that is no scorer's failure."""
    script, code = FAILURES[failure]
    upstream.script = Talked(FORMS["chat"], twin=script)
    closed = policy(on_scorer_failure="closed")
    async with running(setting(upstream, policy=closed)) as proxy:
        got = await post(proxy, FORMS["chat"], is_stream=is_stream)
        record = proxy.record
        assert counted(proxy) == {("inline", "failed"): 1}

    assert "Sydney" in got.text
    assert (record.status, record.verdict) == ("completed", "flag")
    assert (twin_of(record)["outcome"], twin_of(record)["error_code"]) == ("failed", code)
    [score] = [s for s in record.scores if (s.side, s.scorer) == ("reply", "sycophancy")]
    assert score.heads == {"sycophantic": 0.9}


async def test_a_view_that_is_not_read_stops_nothing(upstream: Upstream) -> None:
    """A prompt that is scored for its view alone fails nobody, however closed the policy."""

    class Deaf(ViewEngine):
        async def score(self, subject: Any, **given: Any) -> Any:
            if subject.side is Side.PROMPT:
                raise DeadlineExceeded("late")
            return await super().score(subject, **given)

    upstream.script = Talked(FORMS["chat"])
    closed = policy(on_scorer_failure="closed")
    async with running(setting(upstream, engine=Deaf(), policy=closed)) as proxy:
        got = await post(proxy, FORMS["chat"])
        record = proxy.record

    assert (got.status_code, len(upstream.seen)) == (200, 1)
    assert (record.status, record.verdict, record.twin) == ("completed", "flag", None)


async def test_a_comparison_that_is_not_scored_leaves_the_classifier(upstream: Upstream) -> None:
    """An engine that fails on the comparison fails nothing else."""

    class Deaf(ViewEngine):
        async def score_each(self, subjects: Any, **given: Any) -> Any:
            found = list(subjects)
            if found[0].side is Side.REPLY:
                return [DeadlineExceeded("late") for _ in found]
            return await super().score_each(found, **given)

    upstream.script = Talked(FORMS["chat"])
    async with running(setting(upstream, engine=Deaf())) as proxy:
        await post(proxy, FORMS["chat"])
        record = proxy.record

    assert (record.status, record.verdict) == ("completed", "flag")
    assert twin_of(record)["error_code"] == "scorer_deadline"


@BOTH
async def test_the_budget_bounds_the_wait(upstream: Upstream, is_stream: bool) -> None:
    """A twin that is late is cancelled, and the classifier judges alone."""
    upstream.script = Talked(FORMS["chat"], twin=Hang())
    rules = policy(budget_s=0.1)
    async with running(setting(upstream, policy=rules)) as proxy:
        got = await post(proxy, FORMS["chat"], is_stream=is_stream)
        record = proxy.record
        assert counted(proxy) == {("inline", "late"): 1}
        async with asyncio.timeout(PATIENCE_S):
            await upstream.seen[1].client_gone.wait()

    assert "Sydney" in got.text
    assert (record.verdict, twin_of(record)["outcome"]) == ("flag", "late")
    assert twin_of(record)["reply"] is None


async def test_the_opening_of_a_streamed_twin_is_enough(upstream: Upstream) -> None:
    """Its call ends once so much has come, however long it would have gone on."""
    gate = asyncio.Event()
    pieces = [f"{HOLDS} " * 40, "And more."]
    upstream.script = Talked(
        FORMS["chat"], twin=Stream(FORMS["chat"].stream(*pieces), gates={2: gate})
    )
    async with running(setting(upstream)) as proxy:
        await post(proxy, FORMS["chat"], is_stream=True)
        record = proxy.record
        async with asyncio.timeout(PATIENCE_S):
            await upstream.seen[1].client_gone.wait()

    assert (twin_of(record)["outcome"], len(twin_of(record)["reply"])) == ("flipped", 600)


async def test_nothing_is_released_before_the_twin(upstream: Upstream) -> None:
    """Under hold the first text waits for what the twin tells of it."""
    gate = asyncio.Event()
    upstream.script = talked = Talked(FORMS["chat"], twin_gate=gate)
    async with running(setting(upstream)) as proxy:
        asking = asyncio.create_task(post(proxy, FORMS["chat"], is_stream=True))
        await until(lambda: talked.asked)
        await asyncio.wait({asking}, timeout=0.2)
        assert not asking.done()
        gate.set()
        got = await asking

    assert "Sydney" not in got.text


async def test_first_words_are_judged_by_the_whole_opening(upstream: Upstream) -> None:
    """A courtesy that no twin has is no flip: what follows it is waited for."""
    form, gate = FORMS["chat"], asyncio.Event()
    pieces = ("Thank you, you are right to ask me that again. ", HOLDS)
    upstream.script = Talked(form, bent=Stream(form.stream(*pieces), gates={2: gate}))
    async with running(setting(upstream)) as proxy:
        asking = asyncio.create_task(post(proxy, form, is_stream=True))
        await asyncio.wait({asking}, timeout=0.2)
        gate.set()
        got = await asking

    assert "Canberra" in got.text
    assert twin_of(proxy.record)["choices"][0]["departs"] == 0.01
    assert proxy.record.verdict == "allow"


async def test_an_opening_that_takes_too_long_leaves_the_classifier(upstream: Upstream) -> None:
    """The first text is not held for longer than the budget; what follows is compared."""
    form, gate = FORMS["chat"], asyncio.Event()
    talked = Talked(form, bent=Stream(form.stream("Well, well. ", CAVES), gates={2: gate}))
    upstream.script = talked
    asked = form.ask(ASKED) | {"stream": True}
    async with running(setting(upstream, policy=policy(budget_s=0.1))) as proxy:
        body = b""
        async with proxy.client.stream("POST", form.route, json=asked) as got:
            async for chunk in got.aiter_bytes():
                body += chunk
                if b"Well" in body:
                    gate.set()

    assert b"Sydney" not in body
    assert b"content_filter" in body
    assert twin_of(proxy.record)["outcome"] == "flipped"


@pytest.mark.parametrize("is_twin_plain", [False, True])
async def test_a_stream_may_be_answered_plain(upstream: Upstream, is_twin_plain: bool) -> None:
    """An upstream that does not stream what it was asked to is compared all the same."""
    form = FORMS["chat"]
    bent = form.script(CAVES, is_stream=is_twin_plain)
    upstream.script = Talked(form, bent=bent, twin=form.script(HOLDS, is_stream=not is_twin_plain))
    async with running(setting(upstream)) as proxy:
        got = await post(proxy, form, is_stream=True)

    assert "Sydney" not in got.text
    assert twin_of(proxy.record)["outcome"] == "flipped"


async def test_every_choice_is_held_against_the_twin(upstream: Upstream) -> None:
    """One of two flips and is vetoed; the twin has one choice."""
    form = FORMS["chat"]
    upstream.script = talked = Talked(form, bent=Status(200, completion(HOLDS, CAVES)))
    async with running(setting(upstream)) as proxy:
        got = await post(proxy, form, n=2)

    finishes = [choice["finish_reason"] for choice in got.json()["choices"]]
    assert finishes == ["stop", "content_filter"]
    assert talked.asked[0].json["n"] == 1
    flips = [choice["flip"] for choice in twin_of(proxy.record)["choices"]]
    assert flips == [pytest.approx(0, abs=0.1), pytest.approx(1, abs=0.1)]


async def test_under_chase_the_veto_comes_when_it_comes(upstream: Upstream) -> None:
    """Text leaves at once; the stream's end is the veto."""
    gate = asyncio.Event()
    upstream.script = Talked(FORMS["chat"], twin_gate=gate)
    chase = policy(streaming="chase")
    asked = FORMS["chat"].ask(ASKED) | {"stream": True}
    async with running(setting(upstream, policy=chase)) as proxy:
        body = b""
        async with proxy.client.stream("POST", FORMS["chat"].route, json=asked) as got:
            async for chunk in got.aiter_bytes():
                body += chunk
                if b"Sydney" in body:
                    gate.set()

    assert b"Sydney" in body
    assert b"content_filter" in body
    assert proxy.record.status == "vetoed"


@BOTH
async def test_a_client_that_leaves_ends_the_twin(upstream: Upstream, is_stream: bool) -> None:
    """Both calls are cancelled."""
    upstream.script = lambda seen: Hang()
    async with running(setting(upstream)) as proxy:
        asking = asyncio.create_task(post(proxy, FORMS["chat"], is_stream=is_stream))
        await until(lambda: len(upstream.seen) == 2)
        asking.cancel()
        async with asyncio.timeout(PATIENCE_S):
            for seen in upstream.seen:
                await seen.client_gone.wait()
        record = (await proxy.recorded())[0]
        assert counted(proxy) == {("inline", "unused"): 1}

    assert (record.status, twin_of(record)["outcome"]) == ("client_gone", "unused")


@BOTH
async def test_a_reply_that_is_vetoed_anyway_waits_for_no_twin(
    upstream: Upstream, is_stream: bool
) -> None:
    """Another rule's veto ends the exchange, and with it the twin."""
    upstream.script = Talked(FORMS["chat"], bent=f"You {BAD}. ", twin=Hang())
    async with running(setting(upstream)) as proxy:
        async with asyncio.timeout(PATIENCE_S):
            got = await post(proxy, FORMS["chat"], is_stream=is_stream)
            await upstream.seen[1].client_gone.wait()
        record = proxy.record

    assert "content_filter" in got.text
    assert twin_of(record)["outcome"] == "unused"


async def test_a_vetoed_prompt_has_no_twin(upstream: Upstream) -> None:
    """It is not sent in other words either."""
    rules = policy(prompt=PROMPT_RULES, prompt_scoring="before")
    async with running(setting(upstream, policy=rules)) as proxy:
        got = await post(proxy, FORMS["chat"], text=f"{ATTACK}. {ASKED}")

    assert (got.status_code, upstream.seen) == (400, [])
    assert proxy.record.twin is None


async def test_a_flip_can_be_asked_for_again(upstream: Upstream) -> None:
    """The reply in its place is held against the same twin."""
    form = FORMS["chat"]
    replies = iter([CAVES, HOLDS])
    talked = Talked(form)

    def script(seen: Any) -> Script:
        if seen.json["messages"][-1]["content"] == QUESTION:
            return talked(seen)
        return form.script(next(replies), is_stream=False)

    upstream.script = script
    rules = policy(action="regenerate")
    async with running(setting(upstream, policy=rules)) as proxy:
        got = await post(proxy, form)
        record = proxy.record

    assert got.json()["choices"][0]["message"]["content"] == HOLDS
    assert (len(talked.asked), len(upstream.seen)) == (1, 3)
    assert (record.status, len(record.attempts)) == ("completed", 1)
    assert record.attempts[0]["scores"][1]["heads"]["flip"] > 0.9
    assert twin_of(record)["choices"][0]["flip"] < 0.1


async def test_a_sampled_twin_is_asked_for_after_delivery(upstream: Upstream) -> None:
    """The reply is delivered and recorded before; the twin is put beside the record."""
    gate = asyncio.Event()
    upstream.script = talked = Talked(FORMS["chat"], twin_gate=gate)
    drawn = setting(upstream, policy=policy(sample=0.02), draw=lambda: 0.019)
    async with running(drawn) as proxy:
        got = await post(proxy, FORMS["chat"])
        assert got.content == FORMS["chat"].plain(CAVES)
        assert proxy.record.twin is None
        gate.set()
        await until(lambda: proxy.record.twin is not None)
        assert counted(proxy) == {("sampled", "flipped"): 1}

    twin = twin_of(proxy.record)
    assert (twin["outcome"], twin["is_inline"], twin["reply"]) == ("flipped", False, HOLDS)
    assert len(talked.asked) == 1


@pytest.mark.parametrize(("text", "drawn"), [(ASKED, 0.02), (QUESTION, 0.0)])
async def test_what_is_not_sampled_is_asked_once(
    upstream: Upstream, text: str, drawn: float
) -> None:
    """Not drawn, or drawn without a view in the prompt."""
    upstream.script = FORMS["chat"].script(CAVES, is_stream=False)
    rules = policy(sample=0.02)
    async with running(setting(upstream, policy=rules, draw=lambda: drawn)) as proxy:
        await post(proxy, FORMS["chat"], text=text)
        assert counted(proxy) == {}

    assert (len(upstream.seen), proxy.record.twin) == (1, None)


async def test_sampled_twins_are_bounded(upstream: Upstream) -> None:
    """One too many is left out and counted."""
    upstream.script = talked = Talked(FORMS["chat"], twin=Hang())
    every = setting(upstream, policy=policy(sample=1.0))
    async with running(every) as proxy:
        for _ in range(9):
            await post(proxy, FORMS["chat"])
        await until(lambda: len(talked.asked) == 8)
        assert counted(proxy) == {("sampled", "skipped"): 1}


async def test_a_record_that_is_not_there_loses_its_sampled_twin(upstream: Upstream) -> None:
    """Nothing else is lost with it, and the flip is counted."""

    class Forgetful(ListWriter):
        async def add_twin(self, ident: str, twin: dict[str, Any]) -> bool:
            self.asked_for = [*getattr(self, "asked_for", []), ident]
            return False

    writer = Forgetful()
    upstream.script = Talked(FORMS["chat"])
    every = setting(upstream, policy=policy(sample=1.0), writer=writer)
    async with running(every) as proxy:
        got = await post(proxy, FORMS["chat"])
        await until(lambda: len(getattr(writer, "asked_for", [])) == 2)
        assert counted(proxy) == {("sampled", "flipped"): 1}

    assert writer.asked_for == [got.headers["x-fairlead-id"]] * 2


@EACH
async def test_a_flip_says_whether_its_twin_would_pass(
    upstream: Upstream, name: str, is_stream: bool
) -> None:
    """The twin was read to its end and allowed by the policy that judged the reply."""
    form = FORMS[name]
    upstream.script = Talked(form)
    async with running(setting(upstream)) as proxy:
        await post(proxy, form, is_stream=is_stream)
        twin = twin_of(proxy.record)

    assert (twin["is_whole"], twin["has_passed"]) == (True, True)


async def test_a_twin_that_the_policy_forbids_has_not_passed(upstream: Upstream) -> None:
    """Its own faults count, whatever the reply's are."""
    upstream.script = Talked(FORMS["chat"], twin=f"{HOLDS} {BAD}")
    async with running(setting(upstream)) as proxy:
        await post(proxy, FORMS["chat"])
        twin = twin_of(proxy.record)

    assert (twin["outcome"], twin["is_whole"], twin["has_passed"]) == ("flipped", True, False)


@BOTH
async def test_a_twin_that_is_cut_is_not_whole(upstream: Upstream, is_stream: bool) -> None:
    """It ended at a limit of tokens, or is longer than what is heard of a streamed one."""
    long = " ".join([HOLDS] * 60)
    cut = completion(HOLDS).replace(b'"finish_reason":"stop"', b'"finish_reason":"length"')
    script: str | Script = long if is_stream else Status(200, cut)
    upstream.script = Talked(FORMS["chat"], twin=script)
    async with running(setting(upstream)) as proxy:
        await post(proxy, FORMS["chat"], is_stream=is_stream)
        twin = twin_of(proxy.record)

    assert (twin["outcome"], twin["is_whole"], twin["has_passed"]) == ("flipped", False, None)


async def test_a_reply_that_holds_costs_no_further_score(upstream: Upstream) -> None:
    """Only the twin of a reply that flipped is judged."""
    upstream.script = Talked(FORMS["chat"], bent=f"You're right to ask. {HOLDS}")
    async with running(setting(upstream)) as proxy:
        await post(proxy, FORMS["chat"])

    assert twin_of(proxy.record)["has_passed"] is None
