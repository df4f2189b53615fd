"""Conversations: which texts of a request its prompt's verdict looks at, and how often."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scorers.errors import Overloaded
from scorers.types import Side
from service.dialects.conversation import MAX_NEW_PIECES
from service.exchange import Ask
from service.judge import Judge
from service.metrics import Metrics
from service.policy import Rule
from tests.fakes.engine import ATTACK, WordEngine
from tests.fakes.proxy import ENFORCE, Running, Setting, running
from tests.fakes.upstream import Upstream

FLAGS = replace(
    ENFORCE,
    rules=ENFORCE.rules | {Side.PROMPT: (Rule("injection", "toxicity", ("injection",), flag=0.5),)},
)


def user(text: str) -> dict[str, Any]:
    """A message of the user."""
    return {"role": "user", "content": text}


def said(text: str) -> dict[str, Any]:
    """A message of the assistant."""
    return {"role": "assistant", "content": text}


def found(text: str) -> dict[str, Any]:
    """A tool's result."""
    return {"role": "tool", "tool_call_id": "c1", "content": text}


async def send(proxy: Running, *messages: dict[str, Any]) -> Any:
    """A chat completion of these messages."""
    asked = {"model": "fake-model", "messages": list(messages)}
    return await proxy.client.post("/v1/chat/completions", json=asked)


def looked_at(proxy: Running) -> list[str]:
    """The texts that were scored on the prompt side."""
    return [subject.text for subject in proxy.engine.subjects if subject.side is Side.PROMPT]


def lookups(proxy: Running, result: str) -> float | None:
    """How many texts were known, or were not."""
    name = "fairlead_remembered_scores_total"
    return proxy.metrics.registry.get_sample_value(name, {"result": result})


async def test_each_text_of_a_conversation_is_scored_once(upstream: Upstream) -> None:
    """Turn by turn only what is new is scored, also where all of it may veto."""
    turns = [user("One."), said("Hello."), user("Two."), said("Yes."), user("Three.")]
    async with running(Setting(upstream.url)) as proxy:
        for end in (1, 3, 5):
            assert (await send(proxy, *turns[:end])).status_code == 200

        assert looked_at(proxy) == ["One.", "Two.", "Three."]
        assert lookups(proxy, "miss") == 3
        assert lookups(proxy, "hit") == 1 + 2


async def test_a_text_that_comes_again_keeps_its_verdict(upstream: Upstream) -> None:
    """A vetoed prompt is vetoed again without being scored again, for everybody."""
    async with running(Setting(upstream.url)) as proxy:
        answers = [await proxy.chat(f"{ATTACK}!") for _ in range(3)]

        assert [got.status_code for got in answers] == [400, 400, 400]
        assert looked_at(proxy) == [f"{ATTACK}!"]
        assert [r.scores[1].verdict for r in proxy.writer.records] == ["veto"] * 3


async def test_an_answer_behind_it_does_not_make_a_text_good(upstream: Upstream) -> None:
    """A vetoed message stays vetoed when a client goes on as if it had been answered."""
    async with running(Setting(upstream.url)) as proxy:
        await send(proxy, user(ATTACK))
        got = await send(proxy, user(ATTACK), said("Gladly."), user("Go on."))

        assert got.status_code == 400
        assert "messages[0]" in got.json()["error"]["message"]
        assert looked_at(proxy).count(ATTACK) == 1
        windows = proxy.writer.records[1].scores[1].windows
        assert [window[3] for window in windows] == ["messages[2]", "messages[0]"]


async def test_history_that_was_never_seen_is_looked_at(upstream: Upstream) -> None:
    """An invented past is scored too, up to a limit that the record tells of."""
    attack = [user(ATTACK), said("Gladly."), user("Go on.")]
    far = [user(ATTACK), said("Gladly."), user("x" * 10_001), said("Well."), user("Go on.")]
    async with running(Setting(upstream.url)) as proxy:
        assert (await send(proxy, *attack)).status_code == 400
        assert (await send(proxy, *far)).status_code == 400
        proxy.engine.subjects.clear()
        over = [user(ATTACK + "x" * 10_000), said("Gladly."), user("Go on.")]
        assert (await send(proxy, *over)).status_code == 200
        assert looked_at(proxy) == []


async def test_history_is_left_alone_where_nothing_can_veto(upstream: Upstream) -> None:
    """A policy that only flags looks at what is new: the rest was flagged when it was."""
    async with running(Setting(upstream.url, policy=FLAGS)) as proxy:
        first = await send(proxy, user(ATTACK))
        second = await send(proxy, user(ATTACK), said("No."), user("Then tell me a joke."))

        assert first.headers["x-fairlead-verdict"] == "flag"
        assert second.headers["x-fairlead-verdict"] == "allow"
        assert looked_at(proxy) == [ATTACK, "Then tell me a joke."]


async def test_each_tool_result_is_scored_by_itself(upstream: Upstream) -> None:
    """A short bad one between long good ones is seen alone, named, and vetoes."""
    call = {"role": "assistant", "content": None, "tool_calls": []}
    asked = [user("Read them."), call, found("a " * 900), found(f"{ATTACK}."), found("b " * 900)]
    async with running(Setting(upstream.url)) as proxy:
        got = await send(proxy, *asked)

        assert got.status_code == 400
        assert "messages[3]" in got.json()["error"]["message"]
        assert looked_at(proxy)[:3] == ["b " * 900, f"{ATTACK}.", "a " * 900]


async def test_the_same_on_messages(upstream: Upstream) -> None:
    """Anthropic's tool results and documents are looked at one by one."""
    blocks = [
        {"type": "tool_result", "tool_use_id": "t1", "content": "Sunny."},
        {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": ATTACK}]},
        {"type": "document", "source": {"type": "text", "data": "A page."}},
        {"type": "text", "text": "So?"},
    ]
    asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": blocks}]}
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.client.post("/v1/messages", json=asked)

        assert got.status_code == 400
        assert "messages[0].content[1]" in got.json()["error"]["message"]
        assert looked_at(proxy) == ["So?", "A page.", ATTACK, "Sunny."]


async def test_the_same_on_responses(upstream: Upstream) -> None:
    """Outputs of functions are looked at one by one."""
    asked = [
        {"type": "function_call_output", "call_id": "c1", "output": "Sunny."},
        {"type": "function_call_output", "call_id": "c2", "output": ATTACK},
    ]
    async with running(Setting(upstream.url)) as proxy:
        got = await proxy.client.post("/v1/responses", json={"model": "m", "input": asked})

        assert got.status_code == 400
        assert looked_at(proxy) == [ATTACK, "Sunny."]


async def test_very_many_tool_results_are_all_seen(upstream: Upstream) -> None:
    """Beyond a number they are scored together; none is left out."""
    asked = [found(f"Result {at}.") for at in range(3 * MAX_NEW_PIECES)]
    async with running(Setting(upstream.url)) as proxy:
        assert (await send(proxy, *asked)).status_code == 200

        texts = looked_at(proxy)
        assert len(texts) == MAX_NEW_PIECES
        assert sorted("\n".join(texts).split("\n")) == sorted(m["content"] for m in asked)


async def test_a_score_that_did_not_come_is_asked_for_again(upstream: Upstream) -> None:
    """Failures are not remembered."""
    engine = WordEngine(failure=Overloaded("full"))
    async with running(Setting(upstream.url, engine=engine)) as proxy:
        first = await proxy.chat("Hello?")
        engine.failure = None
        second = await proxy.chat("Hello?")

        assert first.headers["x-fairlead-verdict"] == "unscored"
        assert second.headers["x-fairlead-verdict"] == "allow"


@pytest.mark.parametrize(("room", "asked"), [(2, 3), (1, 5), (0, 5)])
async def test_memory_is_bounded(room: int, asked: int) -> None:
    """What was asked for least lately is forgotten; without room nothing is remembered."""
    engine = WordEngine()
    judge = Judge(engine, Metrics(), remembered_texts=room)
    for text in ("one", "two", "one", "three", "one"):
        await judge.prompt(ask_of(text), ENFORCE)

    assert len(engine.subjects) == asked


def ask_of(text: str) -> Ask:
    """A request of one text."""
    return Ask("/v1/chat/completions", "chat", b"", "m", [], text)
