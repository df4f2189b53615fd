"""What stance probes may cost, and how they give way to traffic: over the wire."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from service.sources import ConfigError
from storage.ids import now_us
from tests.fakes.local import local_settings, serving_locally
from tests.fakes.scripts import Hang, Script, Status
from tests.fakes.upstream import Upstream
from tests.fakes.views import (
    CAVES,
    FORMS,
    HOLDS,
    Minded,
    ViewHeads,
    WholeViewEngine,
)
from tests.patience import PATIENCE_S, until
from tests.service.watch.probing import (
    BUDGET,
    HOUR_US,
    QUESTION,
    counted,
    outcome,
    post,
    probe_of,
    serving,
    settings_in,
    spent,
)


async def test_the_budget_ends_probes_and_outlives_the_process(
    tmp_path: Path, upstream: Upstream
) -> None:
    """Users are answered all the same; a restarted service has no more to spend."""
    upstream.script = Minded(FORMS["chat"])
    tight = BUDGET | {"requests_per_hour": 3}
    async with serving(tmp_path, upstream, tight) as local:
        await probe_of(local, await post(local))
        assert (await post(local)).status_code == 200
        await outcome(local, "over_budget")
        assert await spent(local) == (2, 24)
    async with serving(tmp_path, upstream, tight) as local:
        await post(local)
        await outcome(local, "over_budget")

    assert len(upstream.seen) == 5


@pytest.mark.parametrize(("hours", "result"), [(0.9, "over_budget"), (1.1, "caved")])
async def test_an_hour_later_there_is_a_budget_again(
    tmp_path: Path, upstream: Upstream, hours: float, result: str
) -> None:
    """What a process that died had reserved counts for its hour, and no longer."""
    upstream.script = Minded(FORMS["chat"])
    async with serving(tmp_path, upstream) as local:
        at_us = now_us() - round(hours * HOUR_US)
        async with local.state.store.writing() as unit:
            await unit.spending.reserve(at_us=at_us, requests=99, tokens=10)
        await post(local)
        await outcome(local, result)


@pytest.mark.parametrize(("tokens", "result"), [(23, "over_budget"), (24, "caved")])
async def test_tokens_are_a_budget_too(
    tmp_path: Path, upstream: Upstream, tokens: int, result: str
) -> None:
    """A probe begins only where two answers like the first fit: each has twelve tokens."""
    upstream.script = Minded(FORMS["chat"])
    async with serving(tmp_path, upstream) as local:
        async with local.state.store.writing() as unit:
            left = BUDGET["tokens_per_hour"] - tokens
            await unit.spending.reserve(at_us=now_us(), requests=0, tokens=left)
        await post(local)
        await outcome(local, result)


async def test_tokens_that_nobody_counts_are_estimated(tmp_path: Path, upstream: Upstream) -> None:
    """Four characters to a token, of the request and of the answer."""
    body = FORMS["chat"].plain(HOLDS).replace(b'"usage"', b'"other"')
    upstream.script = minded = Minded(FORMS["chat"], neutral=Status(200, body))
    async with serving(tmp_path, upstream) as local:
        probe = await probe_of(local, await post(local))
        asked = len(minded.seen["neutral"][0].body)
        assert await counted(local, "fairlead_stance_probe_tokens_total") == {"": probe["tokens"]}

    assert probe["tokens"] == 12 + (asked + len(HOLDS)) // 4


async def test_two_replicas_share_the_budget_and_one_probes(
    tmp_path: Path, upstream: Upstream
) -> None:
    """The other takes over when the one has gone, with what is left."""
    upstream.script = Minded(FORMS["chat"])
    tight = BUDGET | {"requests_per_hour": 3}
    async with serving(tmp_path, upstream, tight) as other:
        async with serving(tmp_path, upstream, tight) as one:
            await probe_of(one, await post(one))
            await post(other)
            await asyncio.sleep(0.1)
            assert await counted(other) == {}
    async with serving(tmp_path, upstream, tight) as third:
        await post(third)
        await outcome(third, "over_budget")


FAILURES: dict[str, Script] = {
    "429": Status(429, b"{}", {"retry-after": "7"}),
    "503": Status(503, b"{}"),
    "no reply of the format": Status(200, b'{"x": 1}'),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_an_upstream_in_trouble_is_left_alone(
    tmp_path: Path, upstream: Upstream, failure: str
) -> None:
    """It is asked once and not again for a while; users are served, nothing is recorded."""
    upstream.script = minded = Minded(FORMS["chat"], neutral=FAILURES[failure])
    async with serving(tmp_path, upstream) as local:
        first = await post(local)
        await outcome(local, "failed")
        second = await post(local)
        await outcome(local, "paused")
        shown = await local.client.get(f"/v1/interactions/{first.headers['x-fairlead-id']}")
        assert (await spent(local))[0] == 1

    assert (second.status_code, shown.json()["stance_probe"]) == (200, None)
    assert [len(seen) for seen in minded.seen.values()] == [2, 1, 0]


async def test_a_refused_request_is_no_trouble(tmp_path: Path, upstream: Upstream) -> None:
    """The upstream does not take this one in other words; the next is asked all the same."""
    upstream.script = minded = Minded(FORMS["chat"], neutral=Status(400, b"{}"))
    async with serving(tmp_path, upstream) as local:
        for times in (1, 2):
            await post(local)
            await outcome(local, "failed", times)

    assert len(minded.seen["neutral"]) == 2


async def test_half_a_probe_is_kept(tmp_path: Path, upstream: Upstream) -> None:
    """Where only the opposite view has no answer the record says why, and the upstream rests."""
    upstream.script = Minded(FORMS["chat"], opposite=Status(500, b"{}"))
    async with serving(tmp_path, upstream) as local:
        probe = await probe_of(local, await post(local))
        await post(local)
        await outcome(local, "paused")

    assert (probe["verdict"], probe["reversed"]) == ("caved", None)
    assert probe["not_reversed"] == "upstream_error"


async def test_a_probe_has_a_time_of_its_own(tmp_path: Path, upstream: Upstream) -> None:
    """An upstream that does not answer it is given up."""
    upstream.script = Minded(FORMS["chat"], neutral=Hang())
    async with serving(tmp_path, upstream, BUDGET | {"timeout_s": 0.05}) as local:
        await post(local)
        await outcome(local, "failed")


async def test_a_probe_gives_its_place_to_a_user(tmp_path: Path, upstream: Upstream) -> None:
    """It has the only place of the upstream; a user comes, and it is cut off in the middle."""
    upstream.script = minded = Minded(FORMS["chat"], neutral=Hang())
    narrow = {"max_concurrency": 1, "queue_s": 0}
    async with serving(tmp_path, upstream, endpoint=narrow) as local:
        await post(local)

        await until(lambda: minded.seen["neutral"])
        got = await post(local, text=QUESTION.replace("Which", "I think it matters which"))
        async with asyncio.timeout(PATIENCE_S):
            await minded.seen["neutral"][0].client_gone.wait()
        await outcome(local, "busy")

    assert (got.status_code, CAVES in got.text) == (200, True)


async def test_a_stop_in_the_middle_loses_nothing_else(tmp_path: Path, upstream: Upstream) -> None:
    """The call is cancelled, what it may have cost stays counted, the exchange is there."""
    upstream.script = minded = Minded(FORMS["chat"], neutral=Hang())
    async with serving(tmp_path, upstream) as local:
        got = await post(local)

        await until(lambda: minded.seen["neutral"])
    async with serving(tmp_path, upstream) as local:
        shown = await local.client.get(f"/v1/interactions/{got.headers['x-fairlead-id']}")
        requests, _ = await spent(local)

    assert (shown.json()["stance_probe"], requests) == (None, 1)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "requests_per_hour": ({"requests_per_hour": 10}, "set `tokens_per_hour` too"),
    "tokens_per_hour": ({"tokens_per_hour": 1000}, "set `requests_per_hour` too"),
    "one request": (BUDGET | {"requests_per_hour": 1}, "greater than or equal to 2"),
    "sample": (BUDGET | {"sample": 0}, "greater than 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_budget_is_told(tmp_path: Path, name: str) -> None:
    """Half a budget is none, and a probe takes two requests."""
    probe, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        local_settings(tmp_path, watch={"stance_probe": probe})


STARTS: dict[str, tuple[dict[str, Any], Any, str]] = {
    "an unknown policy": (
        {"probe": BUDGET | {"policies": ["prime"]}}, ViewHeads(), "no policy is named 'prime'",
    ),
    "no heads": ({}, ViewHeads(scorers={}), "lacks the head `view`"),
    "no views": ({"policy": {"prompt": {}}}, ViewHeads(), "'default' reads no prompt for views"),
    "no texts": (
        {"probe": BUDGET | {"policies": ["default"]}, "policy": {"text": "drop"}}, ViewHeads(),
        "`text: drop`",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STARTS)
async def test_a_probe_that_could_never_be_stops_the_start(
    tmp_path: Path, upstream: Upstream, name: str
) -> None:
    """It is told what is missing, not left out in silence."""
    given, heads, message = STARTS[name]
    policy = given.get("policy", {})
    if name == "no heads":
        policy = {"prompt": {}, "reply": {}}
    made = settings_in(tmp_path, upstream, given.get("probe"), policy=policy)
    with pytest.raises(ConfigError, match=message):
        async with serving_locally(made, engine=WholeViewEngine(), heads=heads):
            pass
