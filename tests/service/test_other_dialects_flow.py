"""Text completions and responses through the proxied routes: sockets, records, scores by word."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from scorers.types import Side
from service.policy import Rule
from tests.fakes.engine import ATTACK, BAD, UNSUPPORTED
from tests.fakes.proxy import ENFORCE, Running, Setting, running
from tests.fakes.replies import (
    DONE,
    event,
    text_chunk,
    text_completion,
    text_completion_events,
    usage_chunk,
)
from tests.fakes.responses import (
    USAGE,
    call_events,
    call_item,
    message_events,
    message_item,
    plain_response,
    reasoning_events,
    response_events,
    typed,
)
from tests.fakes.scripts import Hang, Status, Stream
from tests.fakes.upstream import Upstream

REFUSAL = ENFORCE.refusal
TEXT = "/v1/completions"
RESPONSES = "/v1/responses"
ASKS: dict[str, dict[str, Any]] = {
    TEXT: {"model": "m", "prompt": "Hello?"},
    RESPONSES: {"model": "m", "input": "Hello?"},
}
FIELD = {TEXT: "prompt", RESPONSES: "input"}
PLAIN = {
    TEXT: lambda text: text_completion(text, x_new={"kept": [1.50]}),
    RESPONSES: lambda text: plain_response(message_item(text), x_new={"kept": [1.50]}),
}
STREAMS = {
    TEXT: text_completion_events,
    RESPONSES: lambda *pieces: response_events(message_events(*pieces)),
}
BOTH = pytest.mark.parametrize("route", [TEXT, RESPONSES])


async def post(proxy: Running, route: str, **fields: Any) -> httpx.Response:
    """One request on a route."""
    return await proxy.client.post(route, json=ASKS[route] | fields)


def datas(body: bytes) -> list[Any]:
    """The data of each event, parsed where it is JSON."""
    found = [line[6:] for line in body.decode().split("\n") if line.startswith("data: ")]
    return [data if data == "[DONE]" else json.loads(data) for data in found]


def told(body: bytes) -> str:
    """All the text that a client reads from a stream of either route."""
    found = [data for data in datas(body) if data != "[DONE]"]
    texts = [choice["text"] for data in found for choice in data.get("choices", ())]
    return "".join(texts + [data["delta"] for data in found if "delta" in data])


@BOTH
async def test_allowed_traffic_is_byte_identical(upstream: Upstream, route: str) -> None:
    """Bodies pass both ways as they came, plain and streamed, wherever the upstream sends."""
    body, events = (
        PLAIN[route]("All is well."),
        b": hi\n\n" + b"".join(STREAMS[route]("So. ", "ok")),
    )
    raw = json.dumps(ASKS[route] | {"x": 1.5}, indent=1).encode()
    async with running(Setting(upstream.url)) as proxy:
        upstream.script = Status(200, body)
        plain = await proxy.client.post(route, content=raw)
        upstream.script = Stream([events])
        streamed = await proxy.client.post(route, content=raw)
        records = await proxy.recorded(2)

    assert (plain.content, streamed.content) == (body, events)
    assert [seen.body for seen in upstream.seen] == [raw, raw]
    assert [seen.path for seen in upstream.seen] == [route, route]
    assert [plain.headers["x-fairlead-verdict"], records[0].verdict] == ["allow", "allow"]
    assert [record.status for record in records] == ["completed", "completed"]
    assert [record.choices[0]["message"]["content"] for record in records] == [
        "All is well.", "So. ok",
    ]  # fmt: skip
    assert [record.choices[0]["delivered"] for record in records] == ["All is well.", "So. ok"]
    assert all(record.response_ids for record in records)


@BOTH
async def test_a_vetoed_plain_reply_keeps_its_envelope(upstream: Upstream, route: str) -> None:
    """HTTP 200, same id, model and usage, the refusal in place of the text."""
    body = PLAIN[route](f"You {BAD} thing.")
    upstream.script = Status(200, body)
    async with running(Setting(upstream.url)) as proxy:
        got = await post(proxy, route)

    sent = json.loads(body)
    assert got.status_code == 200
    assert {name: got.json()[name] for name in ("id", "model", "usage")} == {
        name: sent[name] for name in ("id", "model", "usage")
    }
    assert got.json()["fairlead"]["id"] == proxy.record.id
    assert BAD not in got.text
    assert REFUSAL in got.text
    assert (proxy.record.status, proxy.record.verdict) == ("vetoed", "veto")
    assert proxy.record.choices[0]["message"]["content"] == f"You {BAD} thing."
    assert proxy.record.choices[0]["delivered"] == REFUSAL


@BOTH
async def test_a_vetoed_stream_ends_in_the_refusal(upstream: Upstream, route: str) -> None:
    """What was released stands, the bad rest is replaced, and so it is recorded."""
    upstream.script = Stream(STREAMS[route]("All fine. ", "You VI", "LE ", "thing. ", "More."))
    async with running(Setting(upstream.url)) as proxy:
        got = await post(proxy, route, stream=True)

    assert told(got.content) == f"All fine. {REFUSAL}"
    assert BAD not in got.text
    assert proxy.record.choices[0]["delivered"] == f"All fine. {REFUSAL}"
    assert proxy.record.choices[0]["delivered_finish_reason"] == "content_filter"
    assert (got.content.count(b"[DONE]"), proxy.record.status) == (int(route == TEXT), "vetoed")


@BOTH
async def test_a_stream_vetoed_from_its_first_word(upstream: Upstream, route: str) -> None:
    """Where nothing was released the stream is whole all the same."""
    upstream.script = Stream(STREAMS[route](f"{BAD}! "))
    async with running(Setting(upstream.url)) as proxy:
        got = await post(proxy, route, stream=True)

    assert told(got.content) == REFUSAL
    if route == RESPONSES:
        kinds = [data["type"] for data in datas(got.content)]
        assert kinds[0] == "response.created"
        assert kinds[-1] == "response.incomplete"
        assert datas(got.content)[-1]["response"]["usage"] == USAGE
        names = [line[7:] for line in got.text.split("\n") if line.startswith("event: ")]
        assert names == kinds


@BOTH
async def test_a_vetoed_prompt_is_a_400(upstream: Upstream, route: str) -> None:
    """The envelope is OpenAI's and names the field; plain and streamed."""
    upstream.script = Hang()
    async with running(Setting(upstream.url)) as proxy:
        for is_stream in (False, True):
            got = await post(proxy, route, stream=is_stream, **{FIELD[route]: ATTACK})
            error = got.json()["error"]
            assert (got.status_code, error["code"]) == (400, "content_filter")
            assert error["param"] == FIELD[route]
            assert error["fairlead"]["verdict"] == "veto"


@BOTH
async def test_a_vetoed_prompt_may_be_refused_politely(upstream: Upstream, route: str) -> None:
    """With `prompt_as: refusal` it is a 200 of the format's own, plain and streamed."""
    policy = replace(ENFORCE, prompt_as="refusal")
    async with running(Setting(upstream.url, policy=policy)) as proxy:
        plain = await post(proxy, route, **{FIELD[route]: ATTACK})
        stream = await post(proxy, route, stream=True, **{FIELD[route]: ATTACK})

    assert (plain.status_code, plain.json()["fairlead"]["verdict"]) == (200, "veto")
    assert REFUSAL in plain.text
    assert told(stream.content) == REFUSAL


@BOTH
async def test_a_veto_may_be_annotated_only(upstream: Upstream, route: str) -> None:
    """Under `annotate` the reply stays and the verdict stands beside it."""
    rule = Rule("toxicity", "toxicity", ("toxic",), veto=0.9, action="annotate")
    policy = replace(ENFORCE, rules=ENFORCE.rules | {Side.REPLY: (rule,)})
    body, events = PLAIN[route](BAD), STREAMS[route](BAD)
    async with running(Setting(upstream.url, policy=policy)) as proxy:
        upstream.script = Status(200, body)
        plain = await post(proxy, route)
        upstream.script = Stream(events)
        stream = await post(proxy, route, stream=True)

    assert plain.json() == json.loads(body) | {"fairlead": plain.json()["fairlead"]}
    assert all(each in stream.content for each in events)
    found = [data for data in datas(stream.content) if data != "[DONE]"]
    [at] = [at for at, data in enumerate(found) if "fairlead" in data]
    # Clients stop reading at the last event of a response.
    assert at == len(found) - (2 if route == RESPONSES else 1)


@BOTH
async def test_a_stream_that_breaks_off_says_so(upstream: Upstream, route: str) -> None:
    """An upstream that ends in the middle is told as an error, never as an end."""
    upstream.script = Stream(STREAMS[route]("One. ", "Two. ")[: -2 if route == TEXT else -1])
    async with running(Setting(upstream.url)) as proxy:
        got = await post(proxy, route, stream=True)

    errors = [data for data in datas(got.content) if data != "[DONE]" and data.get("error")]
    assert [error["error"]["code"] for error in errors] == ["upstream_cut"]
    assert proxy.record.status == "upstream_cut"


@BOTH
async def test_a_request_that_cannot_be_read_is_a_400(upstream: Upstream, route: str) -> None:
    """The field at fault is named, and the upstream is not asked."""
    async with running(Setting(upstream.url)) as proxy:
        got = await post(proxy, route, **{FIELD[route]: 7})

    assert (got.status_code, got.json()["error"]["param"]) == (400, FIELD[route])
    assert upstream.seen == []


async def test_each_prompt_has_its_own_choices(upstream: Upstream) -> None:
    """Of two prompts with two choices each, the bad one of four is refused, streamed."""
    chunks = [text_chunk(f"Good {at}. ", choice=at) for at in range(4)]
    chunks.insert(3, text_chunk(f"{BAD}. ", choice=2))
    ends = [text_chunk("", choice=at, finish="stop") for at in range(4)]
    usage = usage_chunk() | {"object": "text_completion"}
    upstream.script = Stream([*map(event, [*chunks, *ends, usage]), DONE])
    async with running(Setting(upstream.url)) as proxy:
        options = {"include_usage": True}
        got = await post(proxy, TEXT, prompt=["a", "b"], n=2, stream=True, stream_options=options)

    choices = [c for data in datas(got.content)[:-1] for c in data["choices"]]
    ends_of = {c["index"]: c["finish_reason"] for c in choices if c["finish_reason"]}
    assert ends_of == {0: "stop", 1: "stop", 2: "content_filter", 3: "stop"}
    assert datas(got.content)[-2]["usage"] == usage["usage"]
    assert (BAD in got.text, proxy.record.n) == (False, 4)


async def test_each_choice_is_judged_against_its_own_prompt(upstream: Upstream) -> None:
    """Prompt and sources of a choice are those of its own prompt, in a stream as well."""
    prompts = ["First? <s>At ten.</s>", "Second?"]
    chunks = [text_chunk(f"An {UNSUPPORTED} one.", choice=at) for at in range(4)]
    ends = [text_chunk("", choice=at, finish="stop") for at in range(4)]
    setting = Setting(upstream.url, source_pattern="<s>(.*?)</s>")
    async with running(setting) as proxy:
        upstream.script = Status(200, text_completion(*[f"An {UNSUPPORTED} one."] * 4))
        got = await post(proxy, TEXT, prompt=prompts, n=2)
        plain = [s for s in proxy.engine.subjects if s.side is Side.REPLY]
        upstream.script = Stream([*map(event, [*chunks, *ends]), DONE])
        streamed = await post(proxy, TEXT, prompt=prompts, n=2, stream=True)

    ended = [choice["finish_reason"] for choice in got.json()["choices"]]
    assert ended == ["content_filter", "content_filter", "stop", "stop"]
    assert [(s.prompt, s.context) for s in plain] == [
        (prompts[0], ("At ten.",)),
        (prompts[0], ("At ten.",)),
        (prompts[1], ()),
        (prompts[1], ()),
    ]
    choices = [c for data in datas(streamed.content)[:-1] for c in data["choices"]]
    ends_of = {c["index"]: c["finish_reason"] for c in choices if c["finish_reason"]}
    assert ends_of == dict(enumerate(ended))


async def test_the_bad_one_of_several_prompts_is_named(upstream: Upstream) -> None:
    """Each prompt is scored by itself; one that is vetoed refuses the request."""
    async with running(Setting(upstream.url)) as proxy:
        got = await post(proxy, TEXT, prompt=["One", f"{ATTACK}!", "Three"], suffix="End")

    error = got.json()["error"]
    assert (got.status_code, error["param"]) == (400, "prompt[1]")
    texts = [s.text for s in proxy.engine.subjects if s.side is Side.PROMPT]
    assert texts == ["One\nEnd", f"{ATTACK}!\nEnd", "Three\nEnd"]
    assert [part["at"] for part in proxy.record.request["seen"]["prompt"]] == [
        "prompt[0]",
        "prompt[1]",
        "prompt[2]",
    ]


async def test_an_echoed_prompt_is_scored_with_its_reply(upstream: Upstream) -> None:
    """With `echo` the prompt is part of the text, and of what is refused."""
    upstream.script = Status(200, text_completion(f"Hello? {BAD}"))
    async with running(Setting(upstream.url)) as proxy:
        got = await post(proxy, TEXT, echo=True, logprobs=2)

    choice = got.json()["choices"][0]
    assert (choice["text"], choice["logprobs"]) == (REFUSAL, None)


async def test_a_function_s_output_is_context(upstream: Upstream) -> None:
    """What a tool returned is what a reply is held against, and what is scored as prompt."""
    items = [
        {"role": "user", "content": "When?"},
        call_item("opening", "{}"),
        {"type": "function_call_output", "call_id": "call_1", "output": "At ten."},
    ]
    upstream.script = Status(200, plain_response(message_item(f"An {UNSUPPORTED} hour.")))
    async with running(Setting(upstream.url)) as proxy:
        got = await post(proxy, RESPONSES, input=items)
        items[-1]["output"] = ATTACK
        attacked = await post(proxy, RESPONSES, input=items)

    assert got.json()["status"] == "incomplete"
    assert proxy.writer.records[0].context == ["At ten."]
    assert attacked.status_code == 400


async def test_a_tool_call_of_a_vetoed_stream_is_never_done(upstream: Upstream) -> None:
    """Half a call stays open and out of the final response, reasoning that was seen stays."""
    pieces = ('{"a": "So. ', 'Fine. ", ', f'"b": "{BAD}"', "}")
    upstream.script = Stream(response_events(reasoning_events("Hm. "), call_events("f", *pieces)))
    async with running(Setting(upstream.url)) as proxy:
        got = await post(proxy, RESPONSES, stream=True)

    done = [d["item"]["type"] for d in datas(got.content) if d["type"].endswith("item.done")]
    assert done == ["reasoning", "message"]
    assert BAD not in got.text
    [*_, last] = datas(got.content)
    assert [item["type"] for item in last["response"]["output"]] == ["reasoning", "message"]
    call = proxy.record.choices[0]["message"]["tool_calls"][0]
    assert call["function"] == {"name": "f", "arguments": "".join(pieces)}


async def test_text_that_only_the_end_has_is_scored(upstream: Upstream) -> None:
    """An upstream that sends no deltas gets nothing past: its last event is read too."""
    sent = response_events(message_events(f"A {BAD} one."))
    upstream.script = Stream([sent[0], sent[-1]])
    async with running(Setting(upstream.url)) as proxy:
        got = await post(proxy, RESPONSES, stream=True)

    assert told(got.content) == REFUSAL
    assert BAD not in got.text


async def test_an_end_mark_after_a_response_passes(upstream: Upstream) -> None:
    """Servers that add chat's end mark are passed byte for byte, and after a veto too."""
    good, bad = response_events(message_events("Ok.")), response_events(message_events(BAD))
    async with running(Setting(upstream.url)) as proxy:
        upstream.script = Stream([*good, DONE])
        passed = await post(proxy, RESPONSES, stream=True)
        upstream.script = Stream([*bad, DONE])
        vetoed = await post(proxy, RESPONSES, stream=True)

    assert passed.content == b"".join([*good, DONE])
    assert told(vetoed.content) == REFUSAL


@pytest.mark.parametrize(
    "body",
    [
        {"type": "error", "code": "server_error", "message": "Sorry.", "param": None},
        {"type": "response.failed", "response": {"id": "r", "error": {"message": "Sorry."}}},
    ],
)
async def test_an_upstream_s_error_event_passes(upstream: Upstream, body: Any) -> None:
    """The upstream's own failure reaches the client as it wrote it."""
    sent = [*response_events(message_events("One. "))[:-1], typed(9, body)]
    upstream.script = Stream(sent)
    async with running(Setting(upstream.url)) as proxy:
        got = await post(proxy, RESPONSES, stream=True)

    assert got.content == b"".join(sent)
    assert proxy.record.status == "upstream_error"
