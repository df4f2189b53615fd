"""Which part of an exchange was seen, as the record tells it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from scorers.errors import Overloaded
from scorers.types import Score, Side
from service.dialects import by_route
from service.dialects.base import ReadLimits
from service.exchange import CONTENT, Outcome, ScoredRule, Verdict
from service.seen import choice_seen
from service.settings import Settings
from service.veto import Window
from tests.fakes.engine import BAD, WordEngine
from tests.fakes.local import serving_locally
from tests.fakes.proxy import OFF, Setting, running
from tests.fakes.scripts import plain, streamed
from tests.fakes.upstream import Upstream
from tests.fakes.word_engine import WordEngine as LocalEngine
from tests.fakes.word_engine import WordHeads


def scored(start: int, stop: int, *, cut_rows: int = 0, **window: Any) -> tuple[Window, Verdict]:
    """A window that was scored."""
    score = Score("toxicity", Side.REPLY, "fake@1", 0.1, cut_rows=cut_rows)
    verdict = Verdict(Side.REPLY, Outcome.ALLOW, (ScoredRule(score, Outcome.ALLOW),))
    return Window(
        **({"choice": 0, "group": CONTENT} | window), text="", start=start, stop=stop
    ), verdict


def test_ranges_are_joined_where_nothing_is_between() -> None:
    """Gaps stay gaps, other texts and choices stand by themselves, and cut rows are told."""
    failed = Verdict(Side.REPLY, Outcome.UNSCORED, failure="deadline")
    windows = [
        scored(0, 10),
        scored(10, 30),
        (replace(scored(30, 40)[0]), failed),
        scored(40, 50),
        scored(50, 60, cut_rows=2),
        scored(0, 5, group="tool:0"),
        scored(0, 7, choice=1),
    ]

    assert choice_seen(windows, 0) == {
        CONTENT: [[0, 30], [40, 50], [50, 60, 2]],
        "tool:0": [[0, 5]],
    }
    assert choice_seen(windows, 1) == {CONTENT: [[0, 7]]}
    assert choice_seen(windows, 2) is None


async def test_the_record_says_what_was_seen(upstream: Upstream) -> None:
    """Of a plain exchange: each text of the prompt, each of the reply, and the evidence."""
    upstream.script = plain("A fine reply.")
    async with running(Setting(upstream.url)) as proxy:
        await proxy.chat("Hello?", fairlead={"context": ["One.", "Two."]})

    record = proxy.record
    assert record.request["seen"] == {
        "prompt": [{"at": "messages[0]", "scored": [[0, 6]]}],
        "earlier_left_out": 0,
        "context": {"texts": 2, "left_out": 0, "windows": 2},
    }
    assert record.choices[0]["seen"] == {CONTENT: [[0, 13]]}


async def test_a_stream_tells_its_windows_as_one_range(upstream: Upstream) -> None:
    """What was scored in pieces was seen whole; behind a veto nothing was."""
    upstream.script = streamed("One. ", "Two. ", f"{BAD}. ", "Never.")
    async with running(Setting(upstream.url)) as proxy:
        await proxy.chat(stream=True)
        await asyncio.sleep(0)

    [[start, stop]] = proxy.record.choices[0]["seen"][CONTENT]
    assert (start, stop >= len("One. Two. VILE. ")) == (0, True)


async def test_what_was_not_scored_is_in_no_range(upstream: Upstream) -> None:
    """A score that did not come leaves its text unseen, and `off` sees nothing."""
    engine = WordEngine(failure=Overloaded("full"))
    async with running(Setting(upstream.url, engine=engine)) as proxy:
        await proxy.chat("Hello?")
    assert proxy.record.request["seen"]["prompt"] == [{"at": "messages[0]", "scored": []}]
    assert proxy.record.choices[0]["seen"] == {CONTENT: []}

    async with running(Setting(upstream.url, policy=OFF)) as proxy:
        await proxy.chat("Hello?")
    assert "seen" not in proxy.record.request
    assert proxy.record.choices[0]["seen"] is None


async def test_earlier_texts_that_were_left_out_are_counted(upstream: Upstream) -> None:
    """A history that is longer than the limit is not passed off as seen."""
    past = [{"role": "user", "content": "x" * 10_001}, {"role": "assistant", "content": "Well."}]
    asked = {"model": "m", "messages": [*past, {"role": "user", "content": "Go on."}]}
    async with running(Setting(upstream.url)) as proxy:
        await proxy.client.post("/v1/chat/completions", json=asked)

    assert proxy.record.request["seen"]["earlier_left_out"] == 1


def test_sources_over_the_limit_are_counted() -> None:
    """The newest sources stay, and the request says how many older ones do not."""
    body = (
        b'{"model": "m", "max_tokens": 1, "messages": [{"role": "tool", "content": "a"},'
        b'{"role": "tool", "content": "b"}, {"role": "tool", "content": "c"}]}'
    )
    blocks = (
        b'{"model": "m", "messages": [{"role": "user", "content": ['
        b'{"type": "search_result", "content": "a"}, {"type": "search_result", "content": "b"},'
        b'{"type": "search_result", "content": "c"}]}]}'
    )
    limits = ReadLimits(max_context_items=2)
    for route, sent in (("/v1/chat/completions", body), ("/v1/messages", blocks)):
        asked = by_route()[route].parse(sent, route, limits=limits)
        assert (asked.context, asked.context_left_out) == (("b", "c"), 1)


async def test_the_interaction_shows_what_was_seen(tmp_path: Path, upstream: Upstream) -> None:
    """`GET /v1/interactions/{id}` has it."""
    settings = Settings.model_validate({
        "database_url": f"sqlite+aiosqlite:///{tmp_path / 'f.db'}",
        "upstreams": [{"url": upstream.url}],
        "policies": {"default": {"prompt": {"toxicity": {"flag": 0.5}}, "reply": {}}},
    })  # fmt: skip
    async with serving_locally(settings, engine=LocalEngine(), heads=WordHeads()) as local:
        asked = {"model": "m", "messages": [{"role": "user", "content": "Hello?"}]}
        got: httpx.Response = await local.client.post("/v1/chat/completions", json=asked)
        found = await local.client.get(f"/v1/interactions/{got.headers['x-fairlead-id']}")

    assert found.json()["request"]["seen"]["prompt"] == [{"at": "messages[0]", "scored": [[0, 6]]}]
