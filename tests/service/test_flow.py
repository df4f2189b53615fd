"""One exchange through the proxied routes: real sockets, scripted upstream, scores by word."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from scorers.errors import DeadlineExceeded
from scorers.types import Side
from service.policy import Rule
from service.upstream import Target, UpstreamTimeouts
from storage.errors import StorageError
from tests.fakes.engine import ATTACK, BAD, UNSUPPORTED, ListWriter, WordEngine
from tests.fakes.proxy import ENFORCE, OFF, Setting, ask, running
from tests.fakes.replies import (
    DONE,
    chunk,
    completion,
    event,
    interleaved,
    message,
    text_events,
    tool_call,
    tool_events,
    usage_chunk,
)
from tests.fakes.scripts import Hang, Raw, Status, Stream, plain, streamed
from tests.fakes.upstream import Upstream, closed_port_url
from tests.patience import PATIENCE_S, until

REFUSAL = ENFORCE.refusal
LONG = UpstreamTimeouts(PATIENCE_S, PATIENCE_S, PATIENCE_S)
SHORT = UpstreamTimeouts(PATIENCE_S, head_s=0.2, idle_s=0.2)


def events_of(body: bytes) -> list[Any]:
    """The data of each event, parsed where it is JSON."""
    datas = [line[6:] for line in body.decode().split("\n") if line.startswith("data: ")]
    return [data if data == "[DONE]" else json.loads(data) for data in datas]


def text_of(body: bytes, choice: int = 0) -> str:
    """The text that a client reads from a stream."""
    found = [c for e in events_of(body) if e != "[DONE]" for c in e.get("choices", ())]
    return "".join(c["delta"].get("content") or "" for c in found if c["index"] == choice)


def finishes(body: bytes, choice: int = 0) -> list[str]:
    """The finish reasons of one choice, in order."""
    found = [c for e in events_of(body) if e != "[DONE]" for c in e.get("choices", ())]
    return [c["finish_reason"] for c in found if c["index"] == choice and c["finish_reason"]]


async def test_an_allowed_plain_reply_is_byte_identical(upstream: Upstream) -> None:
    """Body and unknown fields pass both ways; the reply carries id, verdict and overhead."""
    body = completion("All is well.", x_unknown={"kept": [1, 2.50]})
    upstream.script = Status(200, body, {"x-request-id": "r1"})
    async with running(Setting(upstream.url)) as proxy:
        raw = b'{"model":"m",  "messages":[{"role":"user","content":"Hi"}], "x_new": 1.0}'
        got = await proxy.client.post("/v1/chat/completions", content=raw)

    assert got.content == body
    assert upstream.seen[0].body == raw
    assert got.headers["x-request-id"] == "r1"
    assert got.headers["x-fairlead-verdict"] == "allow"
    assert got.headers["x-fairlead-id"] == proxy.record.id
    assert float(got.headers["x-fairlead-overhead-ms"]) >= 0
    assert proxy.record.status == "completed"


async def test_the_fairlead_key_stays_here(upstream: Upstream) -> None:
    """The extension is taken out before the request goes upstream, and recorded."""
    async with running(Setting(upstream.url)) as proxy:
        await proxy.chat(fairlead={"user": "u1", "tags": ["t"], "context": ["c"]}, seed=7)

    assert upstream.seen[0].json == ask(seed=7)
    assert (proxy.record.user, proxy.record.tags) == ("u1", ("t",))
    assert proxy.record.context == ["c"]


async def test_a_vetoed_plain_reply_keeps_its_envelope(upstream: Upstream) -> None:
    """HTTP 200, same id, model and usage; the vetoed choice is refused, the other unchanged."""
    upstream.script = plain("Fine.", f"You {BAD} thing.")
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.chat(n=2)

    body, sent = got.json(), json.loads(completion("Fine.", "x"))
    assert got.status_code == 200
    assert [body[k] for k in ("id", "model", "usage")] == [
        sent[k] for k in ("id", "model", "usage")
    ]
    assert body["choices"][0] == sent["choices"][0]
    assert body["choices"][1]["message"]["content"] == REFUSAL
    assert body["choices"][1]["finish_reason"] == "content_filter"
    assert body["fairlead"]["verdict"] == "veto"
    assert body["fairlead"]["id"] == got.headers["x-fairlead-id"]
    record = proxy.record
    assert record.status == "vetoed"
    assert record.choices[1]["message"]["content"] == f"You {BAD} thing."
    assert record.choices[1]["delivered"] == REFUSAL


async def test_a_vetoed_tool_call_is_not_passed(upstream: Upstream) -> None:
    """A bad argument vetoes the whole choice: no tool call reaches the client."""
    calls = [tool_call("mail", json.dumps({"text": BAD}))]
    upstream.script = plain(message(None, tool_calls=calls))
    async with running(Setting(upstream.url)) as proxy:
        got = (await proxy.chat()).json()["choices"][0]

    assert got["finish_reason"] == "content_filter"
    assert "tool_calls" not in got["message"]
    assert BAD not in json.dumps(got)


async def test_unsupported_text_is_vetoed_only_against_a_context(upstream: Upstream) -> None:
    """Faithfulness needs a context; its spans are told."""
    upstream.script = plain(f"An {UNSUPPORTED} fact.")
    async with running(Setting(upstream.url)) as proxy:
        without = await proxy.chat()
        with_context = await proxy.chat(fairlead={"context": ["Source."]})

    assert without.json()["choices"][0]["finish_reason"] == "stop"
    assert without.headers["x-fairlead-verdict"] == "allow"
    scores = with_context.json()["fairlead"]["scores"]
    told = next(s for s in scores if s["scorer"] == "faithfulness")
    assert told["spans"] == [{"start": 3, "end": 11, "risk": 0.99}]
    assert (told["verdict"], told["threshold"], told["model"]) == ("veto", 0.9, "words@1")


@pytest.mark.parametrize(("text", "status"), [(ATTACK, 400), ("Hello", 502)])
async def test_a_vetoed_prompt_is_told_before_a_broken_reply(
    upstream: Upstream, text: str, status: int
) -> None:
    """A reply that cannot be read waits for the prompt's verdict, which goes first."""
    upstream.script = Status(200, b"{}")
    async with running(Setting(upstream.url, engine=WordEngine(delay_s=0.1))) as proxy:
        got = await proxy.chat(text)

    assert got.status_code == status


async def test_a_vetoed_prompt_is_a_400_and_cancels_the_upstream(upstream: Upstream) -> None:
    """The prompt's veto answers before the upstream does, whose call is cancelled."""
    upstream.script = Hang()
    engine = WordEngine(delay_s=0.1)
    async with running(Setting(upstream.url, engine=engine)) as proxy:
        got = await proxy.chat(ATTACK)
        async with asyncio.timeout(PATIENCE_S):
            await upstream.seen[0].client_gone.wait()

    error = got.json()["error"]
    assert got.status_code == 400
    assert (error["type"], error["param"]) == ("invalid_request_error", "messages")
    assert error["code"] == "content_filter"
    assert error["content_filter_result"]["injection"]["filtered"] is True
    assert error["fairlead"]["verdict"] == "veto"
    assert proxy.record.status == "prompt_vetoed"


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_vetoed_prompt_can_be_refused_politely(upstream: Upstream, is_stream: bool) -> None:
    """With `prompt_as: refusal` the answer is 200 with the refusal text, streamed or not."""
    policy = replace(ENFORCE, prompt_as="refusal")
    async with running(Setting(upstream.url, policy=policy)) as proxy:
        got = await proxy.chat(ATTACK, stream=is_stream)

    assert got.status_code == 200
    text = text_of(got.content) if is_stream else got.json()["choices"][0]["message"]["content"]
    assert text == REFUSAL


async def test_before_sends_no_bad_prompt_out(upstream: Upstream) -> None:
    """With `prompt_scoring: before` a vetoed prompt never reaches the upstream."""
    policy = replace(ENFORCE, prompt_scoring="before")
    async with running(Setting(upstream.url, policy=policy)) as proxy:
        assert (await proxy.chat(ATTACK)).status_code == 400
        assert upstream.seen == []
        assert (await proxy.chat("Hi")).status_code == 200


async def test_an_allowed_stream_is_byte_identical(upstream: Upstream) -> None:
    """Every byte of an allowed stream passes, comments and odd line ends included."""
    events = [b": ping\r\n\r\n", *text_events("One. ", "Two. ", "Three", usage=True, ends="\r\n")]
    upstream.script = Stream(events, chunking="bytes:7")
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.chat(stream=True)

    assert got.content == b"".join(events)
    assert got.headers["content-type"] == "text/event-stream"
    assert proxy.record.choices[0]["message"]["content"] == "One. Two. Three"
    assert proxy.record.choices[0]["delivered"] == "One. Two. Three"
    assert proxy.record.choices[0]["delivered_finish_reason"] == "stop"
    assert proxy.record.usage["total_tokens"] == 12
    assert proxy.record.is_stream


async def test_a_vetoed_stream_ends_as_the_contract_says(upstream: Upstream) -> None:
    """What was released stands; then the refusal, one finish `content_filter`, `[DONE]`."""
    upstream.script = streamed("Good one. ", f"You {BAD} ", "thing. ", "More. ", delay_s=0.01)
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.chat(stream=True)

    assert BAD not in got.text
    assert text_of(got.content) == f"Good one. {REFUSAL}"
    assert finishes(got.content) == ["content_filter"]
    assert got.content.endswith(DONE)
    assert got.content.count(b"[DONE]") == 1
    assert proxy.record.status == "vetoed"
    assert BAD in proxy.record.choices[0]["message"]["content"]
    assert proxy.record.choices[0]["delivered"] == f"Good one. {REFUSAL}"


async def test_a_vetoed_stream_keeps_the_usage_that_was_asked_for(upstream: Upstream) -> None:
    """With `include_usage` the upstream is read on for its usage."""
    events = text_events(f"{BAD}. ", "More. ", usage=True)
    upstream.script = Stream(events)
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.chat(stream=True, stream_options={"include_usage": True})

    told = events_of(got.content)
    assert [e["usage"]["total_tokens"] for e in told[:-1] if e.get("usage")] == [12]
    assert finishes(got.content) == ["content_filter"]
    assert text_of(got.content) == REFUSAL


async def test_one_choice_of_a_stream_is_vetoed(upstream: Upstream) -> None:
    """With n = 2 the bad choice is refused and the good one arrives whole."""
    upstream.script = Stream(interleaved([["Fine. ", "Really."], [f"{BAD}. ", "Worse."]]))
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.chat(stream=True, n=2)

    assert text_of(got.content, 0) == "Fine. Really."
    assert text_of(got.content, 1) == REFUSAL
    assert (finishes(got.content, 0), finishes(got.content, 1)) == (["stop"], ["content_filter"])


async def test_streamed_tool_arguments_are_held(upstream: Upstream) -> None:
    """A bad word cut in two inside streamed arguments is vetoed before any of it leaves."""
    upstream.script = Stream(tool_events("mail", '{"text": "VI', 'LE"}'))
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.chat(stream=True)

    assert b"VI" not in got.content
    assert finishes(got.content) == ["content_filter"]
    call = proxy.record.choices[0]["message"]["tool_calls"][0]
    assert call["function"] == {"name": "mail", "arguments": '{"text": "VILE"}'}
    assert call["id"] == "call_1"


async def test_text_is_held_until_its_score_comes(upstream: Upstream) -> None:
    """Under hold the first sentence leaves only when the engine has answered."""
    engine = WordEngine(gate=asyncio.Event())
    upstream.script = streamed("One. ", "Two.", delay_s=0.01)
    async with running(Setting(upstream.url, engine=engine)) as proxy:
        request = proxy.client.build_request("POST", "/v1/chat/completions", json=ask(stream=True))
        sending = asyncio.create_task(proxy.client.send(request, stream=True))
        await asyncio.sleep(0.2)
        assert not sending.done()
        engine.gate.set()
        response = await sending
        assert text_of(await response.aread()) == "One. Two."


async def test_chase_lets_text_out_and_cuts_it(upstream: Upstream) -> None:
    """Under chase text leaves at once; the veto still ends the stream properly."""
    policy = replace(ENFORCE, streaming="chase")
    engine = WordEngine(delay_s=0.05)
    upstream.script = streamed(f"{BAD}. ", "More. ", delay_s=0.02)
    async with running(Setting(upstream.url, policy=policy, engine=engine)) as proxy:
        got = await proxy.chat(stream=True)

    assert text_of(got.content).startswith(f"{BAD}. ")
    assert text_of(got.content).endswith(REFUSAL)
    assert finishes(got.content) == ["content_filter"]
    assert proxy.record.choices[0]["delivered"].startswith(BAD)


@pytest.mark.parametrize("is_stream", [False, True])
async def test_shadow_changes_nothing(upstream: Upstream, is_stream: bool) -> None:
    """In shadow bad text passes as it came and the record has the veto that would have been."""
    policy = replace(ENFORCE, mode="shadow")
    upstream.script = streamed(f"{BAD}.") if is_stream else plain(f"{BAD}.")
    async with running(Setting(upstream.url, policy=policy)) as proxy:
        got = await proxy.chat(ATTACK, stream=is_stream)

    expected = b"".join(text_events(f"{BAD}.")) if is_stream else completion(f"{BAD}.")
    assert got.content == expected
    assert (proxy.record.verdict, proxy.record.mode) == ("veto", "shadow")
    assert proxy.record.status == "completed"


async def test_off_scores_nothing_and_records_all(upstream: Upstream) -> None:
    """With the mode `off` no scorer is asked, and the exchange is recorded."""
    async with running(Setting(upstream.url, policy=OFF)) as proxy:
        got = await proxy.chat()

    assert proxy.engine.subjects == []
    assert got.headers["x-fairlead-verdict"] == "unscored"
    assert proxy.record.choices[0]["delivered"] == "Hello there."


@pytest.mark.parametrize("is_stream", [False, True])
async def test_annotate_tells_and_lets_pass(upstream: Upstream, is_stream: bool) -> None:
    """The action `annotate` changes no text and adds the `fairlead` object."""
    rules = (Rule("toxicity", "toxicity", ("toxic",), veto=0.9, action="annotate"),)
    policy = replace(ENFORCE, rules={Side.PROMPT: (), Side.REPLY: rules})
    upstream.script = streamed(f"{BAD}.") if is_stream else plain(f"{BAD}.")
    async with running(Setting(upstream.url, policy=policy)) as proxy:
        got = await proxy.chat(stream=is_stream)

    if is_stream:
        assert text_of(got.content) == f"{BAD}."
        assert finishes(got.content) == ["stop"]
        note = events_of(got.content)[-2]
    else:
        note = got.json()
        assert note["choices"][0]["message"]["content"] == f"{BAD}."
    assert note["fairlead"]["verdict"] == "veto"


@pytest.mark.parametrize("is_stream", [False, True])
async def test_the_action_error_answers_403(upstream: Upstream, is_stream: bool) -> None:
    """The action `error` tells an error while nothing was sent yet."""
    rules = (Rule("toxicity", "toxicity", ("toxic",), veto=0.9, action="error"),)
    policy = replace(ENFORCE, rules={Side.PROMPT: (), Side.REPLY: rules})
    upstream.script = streamed(f"{BAD}.") if is_stream else plain(f"{BAD}.")
    async with running(Setting(upstream.url, policy=policy)) as proxy:
        got = await proxy.chat(stream=is_stream)

    assert got.status_code == 403
    assert got.json()["error"]["code"] == "content_filter"
    assert proxy.record.status == "vetoed"


@pytest.mark.parametrize("is_stream", [False, True])
async def test_an_open_policy_passes_what_cannot_be_scored(
    upstream: Upstream, is_stream: bool
) -> None:
    """Open: text passes, is called `unscored`, and the record names the failure."""
    engine = WordEngine(failure=DeadlineExceeded("late"))
    async with running(Setting(upstream.url, engine=engine)) as proxy:
        got = await proxy.chat(stream=is_stream)

    assert got.status_code == 200
    assert got.headers["x-fairlead-verdict"] == "unscored"
    assert {s.heads["failure"] for s in proxy.record.scores} == {"deadline"}


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_closed_policy_stops_what_cannot_be_scored(
    upstream: Upstream, is_stream: bool
) -> None:
    """Closed: nothing unscored passes, and the client is told that it is our failure."""
    policy = replace(ENFORCE, on_scorer_failure="closed")
    engine = WordEngine(failure=DeadlineExceeded("late"))
    async with running(Setting(upstream.url, policy=policy, engine=engine)) as proxy:
        got = await proxy.chat(stream=is_stream)

    assert got.status_code == 503
    assert got.json()["error"]["code"] == "scorer_unavailable"
    assert proxy.record.error_code == "scorer_unavailable"


async def test_a_closed_stream_that_has_begun_ends_with_an_error_frame(upstream: Upstream) -> None:
    """After text was released a scorer's failure is an error frame, not a silent end."""
    policy = replace(ENFORCE, on_scorer_failure="closed")
    engine = WordEngine()
    gate = asyncio.Event()
    events = text_events("One.\n", "Two.\n")
    upstream.script = Stream(events, gates={2: gate})
    async with running(Setting(upstream.url, policy=policy, engine=engine)) as proxy:
        async with proxy.client.stream(
            "POST", "/v1/chat/completions", json=ask(stream=True)
        ) as response:
            chunks = response.aiter_bytes()
            got = await anext(chunks)
            while b"One." not in got:
                got += await anext(chunks)
            engine.failure = DeadlineExceeded("late")
            gate.set()
            got += b"".join([part async for part in chunks])

    assert b"Two." not in got
    assert events_of(got)[-2]["error"]["code"] == "scorer_unavailable"
    assert finishes(got) == []


async def test_the_end_waits_for_the_record(upstream: Upstream) -> None:
    """Under strict neither a finish nor `[DONE]` is seen before the record is durable."""
    writer = ListWriter(gate=asyncio.Event())
    upstream.script = streamed("One.\n", "Two.\n")
    async with running(Setting(upstream.url, writer=writer)) as proxy:
        async with proxy.client.stream(
            "POST", "/v1/chat/completions", json=ask(stream=True)
        ) as response:
            chunks = response.aiter_bytes()
            got = b""
            while b"Two." not in got:
                got += await anext(chunks)
            await asyncio.sleep(0.1)
            assert b"stop" not in got
            writer.gate.set()
            got += b"".join([part async for part in chunks])

    assert got == b"".join(text_events("One.\n", "Two.\n"))


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_strict_record_that_fails_is_told(upstream: Upstream, is_stream: bool) -> None:
    """Strict: without a record there is no complete reply."""
    writer = ListWriter(failure=StorageError("away"))
    async with running(Setting(upstream.url, writer=writer)) as proxy:
        got = await proxy.chat(stream=is_stream)

    if is_stream:
        assert events_of(got.content)[-2]["error"]["code"] == "store_unavailable"
        assert finishes(got.content) == []
    else:
        assert got.status_code == 503
        assert got.json()["error"]["code"] == "store_unavailable"


async def test_a_relaxed_record_that_fails_stops_nobody(upstream: Upstream) -> None:
    """Relaxed: the reply arrives all the same."""
    writer = ListWriter(failure=StorageError("away"))
    async with running(Setting(upstream.url, writer=writer, is_strict=False)) as proxy:
        assert (await proxy.chat()).status_code == 200


UPSTREAM_FAILURES = [
    (Raw(b""), 502, "upstream_refused"),
    (Raw(b"this is not http\r\n\r\n"), 502, "upstream_malformed"),
    (Hang(), 504, "upstream_timeout"),
    (Status(200, b"<html>hello</html>", content_type="text/html"), 502, "upstream_malformed"),
    (Status(200, b'{"id": 1}'), 502, "upstream_malformed"),
    (Status(200, completion("Half"), declared_bytes=9999), 502, "upstream_cut"),
    (Status(200, completion("x"), {"content-encoding": "compress"}), 502, "upstream_malformed"),
    (Stream([event("{not json")]), 502, "upstream_malformed"),
    (Stream([b"data: \xff\xfe\n\n"]), 502, "upstream_malformed"),
]


@pytest.mark.parametrize(("script", "status", "code"), UPSTREAM_FAILURES)
async def test_an_upstreams_failure_is_a_clear_error(
    upstream: Upstream, script: Any, status: int, code: str
) -> None:
    """Whatever an upstream does wrong, the client gets an error with a code, and it is recorded."""
    upstream.script = script
    waits = replace(LONG, head_s=0.2) if isinstance(script, Hang) else LONG
    async with running(Setting(upstream.url, timeouts=waits)) as proxy:
        got = await proxy.chat(stream=isinstance(script, Stream))

    assert (got.status_code, got.json()["error"]["code"]) == (status, code)
    assert proxy.record.error_code == code


async def test_an_upstream_has_times_of_its_own(upstream: Upstream) -> None:
    """They hold in place of those for all, for the head and for what comes after it."""
    target = Target("quick", upstream.url, timeouts=SHORT)
    async with running(Setting(upstream.url, targets=(target,), timeouts=LONG)) as proxy:
        upstream.script = Hang()
        head = await proxy.chat()
        upstream.script = Stream([event(chunk({"content": "One. "}))], gates={0: asyncio.Event()})
        body = await proxy.chat(stream=True)

    assert [got.status_code for got in (head, body)] == [504, 504]


async def test_a_refused_connection_names_the_upstream(upstream: Upstream) -> None:
    """A closed port is told as such, with a hint."""
    async with running(Setting(closed_port_url())) as proxy:
        got = await proxy.chat()

    assert got.status_code == 502
    assert "upstream default" in got.json()["error"]["message"]
    assert proxy.record.error_code == "upstream_refused"


@pytest.mark.parametrize("status", [401, 404, 422, 429, 500, 503])
@pytest.mark.parametrize("is_stream", [False, True])
async def test_an_upstreams_own_error_passes_untouched(
    upstream: Upstream, status: int, is_stream: bool
) -> None:
    """The upstream's error body, status and headers are the client's."""
    body = b'{"error": {"message":  "no", "odd": 1}}'
    upstream.script = Status(status, body, {"retry-after": "7"})
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.chat(stream=is_stream)

    assert (got.status_code, got.content) == (status, body)
    assert got.headers["retry-after"] == "7"
    assert proxy.record.http_status == status
    assert proxy.record.status == "upstream_error"


@pytest.mark.parametrize("status", [201, 203])
async def test_every_success_is_scored(upstream: Upstream, status: int) -> None:
    """An upstream that answers with another 2xx does not slip by unscored."""
    upstream.script = Status(status, completion(f"{BAD}."))
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.chat()

    assert got.status_code == status
    assert got.json()["choices"][0]["finish_reason"] == "content_filter"


async def test_a_stream_cut_in_the_middle_is_told(upstream: Upstream) -> None:
    """A cut upstream: what came is scored and delivered, then an error frame follows."""
    events = text_events("One. ", "Two. ", "Three")
    size = len(b"".join(events[:4]))
    upstream.script = Stream(events, cut_at=size)
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.chat(stream=True)

    assert text_of(got.content[: got.content.index(b'data: {"error"')]) == "One. Two. Three"
    assert events_of(got.content)[-2]["error"]["code"] == "upstream_cut"
    assert proxy.record.status == "upstream_cut"


async def test_a_stream_that_stalls_is_told(upstream: Upstream) -> None:
    """An upstream that falls silent ends in an error frame, never a hang."""
    upstream.script = Stream(text_events("One. ", "Two. "), stall_at=3)
    async with running(Setting(upstream.url, timeouts=replace(LONG, idle_s=0.5))) as proxy:
        got = await proxy.chat(stream=True)

    assert events_of(got.content)[-2]["error"]["code"] == "upstream_timeout"


async def test_an_upstreams_error_frame_passes(upstream: Upstream) -> None:
    """An error frame of the upstream's own reaches the client as it came."""
    frame = event({"error": {"message": "overheated", "code": 7}})
    upstream.script = Stream([*text_events("One. ", done=False, finish=None), frame])
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.chat(stream=True)

    assert got.content.endswith(frame)
    assert proxy.record.status == "upstream_error"


async def test_a_connection_is_kept_for_the_next_stream(upstream: Upstream) -> None:
    """An upstream that ends its body a little after `[DONE]` keeps its connection."""
    upstream.script = Stream([*text_events("One."), b""], delay_s=0.01)
    async with running(Setting(upstream.url)) as proxy:
        for _ in range(3):
            await proxy.chat(stream=True)
            await upstream.seen[-1].finished.wait()
            await asyncio.sleep(0.05)

    assert upstream.connections == 1


async def test_a_stream_without_done_passes_as_it_is(upstream: Upstream) -> None:
    """Some upstreams send no end mark: nothing is added."""
    events = text_events("One. ", "Two.", done=False)
    upstream.script = Stream(events)
    async with running(Setting(upstream.url)) as proxy:
        assert (await proxy.chat(stream=True)).content == b"".join(events)


async def test_text_in_the_last_event_is_recorded_as_delivered(upstream: Upstream) -> None:
    """Some upstreams put text and finish into one event; its text counts as delivered."""
    upstream.script = Stream([chunk({"content": "All."}, finish="length"), DONE])
    async with running(Setting(upstream.url)) as proxy:
        await proxy.chat(stream=True)

    choice = proxy.record.choices[0]
    assert (choice["delivered"], choice["delivered_finish_reason"]) == ("All.", "length")


async def test_an_event_left_open_is_ended_before_ours(upstream: Upstream) -> None:
    """A cut event's half is not glued to the error frame that follows."""
    events = text_events("One. ", done=False, finish=None)
    upstream.script = Stream([*events[:-1], events[-1].rstrip()])
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.chat(stream=True)

    assert events_of(got.content)[-2]["error"]["code"] == "upstream_cut"
    assert b'\n\ndata: {"error"' in got.content


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_compressed_replies_are_read(
    upstream: Upstream, encoding: str, is_stream: bool
) -> None:
    """A reply that is compressed against our wish is decoded, scored and passed decoded."""
    upstream.script = (
        streamed(f"{BAD}.", encoding=encoding) if is_stream else plain("Hi.", encoding=encoding)
    )
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.chat(stream=is_stream)

    assert upstream.seen[0].headers["accept-encoding"] == "identity"
    assert "content-encoding" not in got.headers
    if is_stream:
        assert finishes(got.content) == ["content_filter"]
    else:
        assert got.content == completion("Hi.")


async def test_a_client_that_leaves_cancels_the_upstream(upstream: Upstream) -> None:
    """Leaving ends the upstream's call, and the record has what was delivered."""
    upstream.script = Stream(text_events("One.\n", "Two.\n"), stall_at=2)
    async with running(Setting(upstream.url)) as proxy:
        async with proxy.client.stream(
            "POST", "/v1/chat/completions", json=ask(stream=True)
        ) as response:
            async for part in response.aiter_bytes():
                if b"One." in part:
                    break
        async with asyncio.timeout(PATIENCE_S):
            await upstream.seen[0].client_gone.wait()
        record = (await proxy.recorded())[0]

    assert record.status == "client_gone"
    assert record.choices[0]["delivered"] == "One.\n"


async def test_a_client_that_leaves_while_waiting_is_recorded(upstream: Upstream) -> None:
    """Leaving before a plain reply came cancels the upstream and is recorded."""
    upstream.script = Hang()
    async with running(Setting(upstream.url)) as proxy:
        asking = asyncio.create_task(proxy.chat())
        await until(lambda: upstream.seen)
        asking.cancel()
        async with asyncio.timeout(PATIENCE_S):
            await upstream.seen[0].client_gone.wait()
        assert (await proxy.recorded())[0].status == "client_gone"


async def test_other_routes_pass_unscored(upstream: Upstream) -> None:
    """Everything else below /v1 passes as it is, both ways, and is called unscored."""
    upstream.script = Status(200, b"\x1f\x8bnot really", {"content-encoding": "gzip", "x-a": "1"})
    async with running(Setting(upstream.url)) as proxy:
        request = proxy.client.build_request(
            "POST", "/v1/embeddings?a=b%20c", content=b'{"model": "m",  "input": "x"}'
        )
        got = await proxy.client.send(request, stream=True)
        raw = b"".join([part async for part in got.aiter_raw()])

    assert raw == b"\x1f\x8bnot really"
    assert got.headers["x-fairlead-verdict"] == "unscored"
    assert upstream.seen[0].path == "/v1/embeddings?a=b%20c"
    assert upstream.seen[0].body == b'{"model": "m",  "input": "x"}'
    assert proxy.writer.records == []


async def test_uploads_are_streamed_through(upstream: Upstream) -> None:
    """A body that is not JSON passes through in pieces."""
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.client.post(
            "/v1/files", content=b"a" * 100_000, headers={"content-type": "multipart/form-data"}
        )

    assert got.status_code == 200
    assert upstream.seen[0].body == b"a" * 100_000


BAD_BODIES = [
    (b"", "invalid_request"),
    (b"{", "invalid_request"),
    (b"[]", "invalid_request"),
    (b"\xff\xfe", "invalid_request"),
    (b'{"model": "m"}', "invalid_request"),
    (b'{"model": "m", "messages": []}', "invalid_request"),
    (b'{"model": "m", "messages": [{"role": "user", "content": 7}]}', "invalid_request"),
    (json.dumps(ask(n=0)).encode(), "invalid_request"),
    (json.dumps(ask(n=10**6)).encode(), "invalid_request"),
    (json.dumps(ask(fairlead={"context": "x", "odd": 1})).encode(), "invalid_request"),
    (json.dumps(ask(fairlead={"policy": "nope"})).encode(), "invalid_request"),
    (b'{"a":' * 5000 + b"1" + b"}" * 5000, "invalid_request"),
    (b'{"model":"m","messages":[{"role":"user","content":"a","content":"b"}]}', "invalid_request"),
    (
        b'{"model": "m", "messages": [{"role": "user", "content": "a", "\\u0063ontent" : "b"}]}',
        "invalid_request",
    ),
    (json.dumps(ask(Messages=[{"role": "user", "content": "b"}])).encode(), "invalid_request"),
    (
        json.dumps({"model": "m", "messages": [{"role": "user", "Content": "b"}]}).encode(),
        "invalid_request",
    ),
    (json.dumps(ask([{"type": "text", "text": "a", "TEXT": "b"}])).encode(), "invalid_request"),
    (json.dumps(ask(meſſages=[])).encode(), "invalid_request"),
]


@pytest.mark.parametrize(("body", "code"), BAD_BODIES)
async def test_a_bad_request_is_a_clear_400(upstream: Upstream, body: bytes, code: str) -> None:
    """What cannot be read is refused in OpenAI's envelope, recorded, and never sent upstream."""
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.client.post("/v1/chat/completions", content=body)

    assert got.status_code == 400
    assert got.json()["error"]["code"] == code
    assert got.json()["error"]["message"]
    assert upstream.seen == []
    assert proxy.record.status == "rejected"


async def test_text_that_looks_like_names_is_no_name(upstream: Upstream) -> None:
    """Quoted names in a text, and names that repeat in different objects, pass."""
    text = '{"a": 1, "a": 2, "Content": ["role"]}'
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"Content": 1, "x": 2}}}]
    body = json.dumps(ask(text, tools=tools, metadata={"Text": "t", "text": "t"}), indent=1)
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.client.post("/v1/chat/completions", content=body.encode())

    assert (got.status_code, upstream.seen[0].body) == (200, body.encode())


async def test_a_body_over_the_limit_is_413(upstream: Upstream) -> None:
    """Too large a body is refused, stated length or not."""
    async with running(Setting(upstream.url, body_bytes=1000)) as proxy:
        got = await proxy.chat("x" * 2000)

        async def pieces() -> Any:
            for _ in range(4):
                yield b"x" * 500

        chunked = await proxy.client.post("/v1/chat/completions", content=pieces())

    assert (got.status_code, chunked.status_code) == (413, 413)
    assert chunked.json()["error"]["code"] == "body_too_large"


async def test_an_unknown_model_is_a_404(upstream: Upstream) -> None:
    """A model that no upstream serves is told, with what there is."""
    targets = (Target("a", upstream.url, ("gpt-*",)),)
    async with running(Setting(upstream.url, targets=targets)) as proxy:
        got = await proxy.chat()

    assert got.status_code == 404
    assert "a (gpt-*)" in got.json()["error"]["message"]


async def test_odd_replies_pass(upstream: Upstream) -> None:
    """Null content, no choices and fifty choices are no errors."""
    stream = {"stream": True}
    for script, fields in [
        (plain(None), {}),
        (plain(), {}),
        (plain(*(f"Choice {i}." for i in range(50))), {"n": 50}),
        (Stream([chunk({"content": None}), chunk({}, finish="stop"), usage_chunk(), DONE]), stream),
        (Stream([event({"id": "x", "choices": []}), *text_events("Hi.")]), stream),
    ]:
        upstream.script = script
        async with running(Setting(upstream.url)) as proxy:
            got = await proxy.chat(**fields)
        assert got.status_code == 200
        assert got.headers["x-fairlead-verdict"] in {"allow", "unscored"}
        assert proxy.record.status == "completed"


async def test_a_single_line_of_ten_megabytes_passes_or_is_refused(upstream: Upstream) -> None:
    """A huge event passes below the limit and is a clear error above it."""
    big = text_events("x" * 10_000_000)
    upstream.script = Stream(big, chunking="bytes:65536")
    async with running(Setting(upstream.url)) as proxy:
        assert (await proxy.chat(stream=True)).content == b"".join(big)
    limits = replace(Setting("").limits, event_bytes=1_000_000)
    async with running(Setting(upstream.url, limits=limits)) as proxy:
        got = await proxy.chat(stream=True)
        told = got.json() if got.status_code != 200 else events_of(got.content)[-2]

    assert told["error"]["code"] == "upstream_event_too_large"


async def test_the_upstreams_key_comes_from_the_configuration(upstream: Upstream) -> None:
    """A configured key replaces the client's; without one the client's is passed on."""
    headers = {"authorization": "Bearer sk-client"}
    async with running(Setting(upstream.url)) as proxy:
        await proxy.client.post("/v1/chat/completions", json=ask(), headers=headers)
    targets = (Target("a", upstream.url, api_key="sk-ours"),)
    async with running(Setting(upstream.url, targets=targets)) as proxy:
        await proxy.client.post("/v1/chat/completions", json=ask(), headers=headers)

    told = [seen.headers["authorization"] for seen in upstream.seen]
    assert told == ["Bearer sk-client", "Bearer sk-ours"]
    assert "sk-" not in json.dumps(proxy.record.request)
