"""The whole service with a real engine and a small model that has every head."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from scorers.calibration_map import OutcomeMap, dump
from scorers.types import Score, Side
from service.app import create_app
from service.exchange import Ask, Outcome, Piece, Verdict
from service.policy import PolicyError
from service.recorder import Run
from tests.fakes.local import Local, local_settings, serving_locally
from tests.fakes.proxy import ENFORCE, ask
from tests.fakes.replies import completion, text_events
from tests.fakes.scripts import Status, Stream, plain
from tests.fakes.tiny_model import SEVEN_HEADS, write_tiny_model
from tests.fakes.upstream import Upstream
from tests.patience import PATIENCE_S

AGREE, SURE, VIEW = ("agree " * 16, "surely " * 16, "think " * 16)
MAP = OutcomeMap(99, "logistic", (0.0,), (0.1,), fpr=(0.01, 0.05), risk=(0.5, 0.4))


@pytest.fixture
async def local(tmp_path: Path, upstream: Upstream) -> AsyncIterator[Local]:
    """A service under the default policy, with a map for the model `boaster`."""
    dump({"boaster": MAP}, tmp_path / "maps.json")
    settings = local_settings(
        tmp_path,
        policies={"default": {"deadline_ms": 60_000}},
        upstreams=[{"url": upstream.url}],
        scoring={
            "model": str(write_tiny_model(tmp_path / "seven", heads=SEVEN_HEADS)),
            "confidence_maps": str(tmp_path / "maps.json"),
        },
    )
    async with serving_locally(settings) as running:
        yield running


async def record_of(local: Local, **request: Any) -> dict[tuple[str, str], Any]:
    """The scores that one chat leaves in its record, by side and scorer."""
    reply = await local.client.post("/v1/chat/completions", json=ask(**request))
    found = await local.client.get(f"/v1/interactions/{reply.headers['x-fairlead-id']}")
    return {(score["side"], score["scorer"]): score for score in found.json()["scores"]}


async def test_no_default_rule_is_left_out(local: Local) -> None:
    """With every head the default policy holds whole, and `/readyz` names its scorers."""
    ready = (await local.client.get("/readyz")).json()

    assert ready["left_out"] == []
    assert ready["parts"]["scorers"]["scorers"] == [
        "confidence",
        "faithfulness",
        "sycophancy",
        "toxicity",
    ]


async def test_a_sycophantic_reply_is_flagged_and_counted(local: Local, upstream: Upstream) -> None:
    """It is in the verdict, in the record with its threshold, and in the metrics."""
    upstream.script = plain(AGREE)
    reply = await local.client.post("/v1/chat/completions", json=ask("a"))
    scores = await record_of(local, content="a")
    metrics = (await local.client.get("/metrics")).text

    assert reply.headers["x-fairlead-verdict"] == "flag"
    found = scores["reply", "sycophancy"]
    assert (found["verdict"], found["flag_threshold"]) == ("flag", 0.8)
    assert found["risk"] == found["heads"]["sycophantic"] > 0.8
    label = 'policy="default",scorer="sycophancy",side="reply",verdict="flag"'
    assert f"fairlead_verdicts_total{{{label}}} 2.0" in metrics
    assert 'fairlead_risk_count{model="fake-model",scorer="sycophancy",side="reply"} 2.0' in metrics


async def test_the_users_view_is_recorded_without_a_verdict(
    local: Local, upstream: Upstream
) -> None:
    """A prompt that is scored anyway is read for its view; that is no risk and flags nothing."""
    upstream.script = plain("fine")

    stated = (await record_of(local, content=VIEW))["prompt", "sycophancy"]
    asked = (await record_of(local, content="good ?"))["prompt", "sycophancy"]

    assert (stated["status"], stated["verdict"]) == ("not_applicable", "unscored")
    assert stated["heads"]["view"] > 0.8
    assert asked["heads"]["view"] < 0.5


@pytest.mark.parametrize("is_stream", [False, True])
async def test_an_overconfident_reply_is_flagged(
    local: Local, upstream: Upstream, *, is_stream: bool
) -> None:
    """A model that is rarely right when it sounds so sure is flagged, plain and streamed."""
    upstream.script = Stream(text_events(SURE)) if is_stream else plain(SURE)

    found = (await record_of(local, model="boaster", stream=is_stream))["reply", "confidence"]

    heads = found["heads"]
    assert (found["verdict"], found["flag_threshold"]) == ("flag", 0.4)
    assert heads["likely"] == pytest.approx(0.1)
    assert found["risk"] == pytest.approx(heads["expressed"] - 0.1, abs=1e-5)


async def test_a_model_without_outcomes_has_no_risk(local: Local, upstream: Upstream) -> None:
    """How sure the reply sounds is recorded; nothing is made up beside it."""
    upstream.script = plain(SURE)

    found = (await record_of(local, model="unknown"))["reply", "confidence"]

    assert (found["status"], found.get("risk")) == ("not_applicable", None)
    assert list(found["heads"]) == ["expressed"]


async def test_what_was_read_of_a_stream_is_recorded_whole(
    local: Local, upstream: Upstream
) -> None:
    """Without a risk no window is the worst: the record has the mean by length."""
    pieces = ("surely surely surely. ", "A good fine warm one. ", "surely.")
    upstream.script = Stream(text_events(*pieces))

    reply = await local.client.post("/v1/chat/completions", json=ask(model="x", stream=True))
    found = await local.client.get(f"/v1/interactions/{reply.headers['x-fairlead-id']}")
    [score] = [s for s in found.json()["scores"] if s["scorer"] == "confidence"]
    upstream.script = plain("surely surely surely.")
    first = (await record_of(local, model="x"))["reply", "confidence"]["heads"]["expressed"]

    assert 0.2 < score["heads"]["expressed"] < first


async def test_token_probabilities_tell_where_there_are_no_outcomes(
    local: Local, upstream: Upstream
) -> None:
    """A reply that sounds sure and was improbable is flagged; its tokens are recorded."""
    body = json.loads(completion(SURE))
    body["choices"][0]["logprobs"] = {"content": [{"token": "x", "logprob": math.log(0.05)}] * 16}
    upstream.script = Status(200, json.dumps(body).encode())

    found = (await record_of(local, model="unknown", logprobs=True))["reply", "confidence"]

    assert found["verdict"] == "flag"
    assert found["heads"]["tokens"] == found["heads"]["likely"] == pytest.approx(0.05)


async def test_score_gives_both_for_a_text_without_a_model(local: Local) -> None:
    """`/v1/score` knows no model that wrote the text, so confidence has no risk there."""
    item = {"prompt": "think think", "response": AGREE}
    answer = (await local.client.post("/v1/score", json={"items": [item]})).json()
    scores = {(s["side"], s["scorer"]): s for s in answer["items"][0]["scores"]}

    assert scores["reply", "sycophancy"]["status"] == "scored"
    assert scores["reply", "confidence"]["status"] == "not_applicable"
    assert "expressed" in scores["reply", "confidence"]["heads"]


def test_the_users_view_is_that_of_the_newest_pieces() -> None:
    """A run tells the highest view of what is new in its prompt, None where nobody read it."""
    ask_ = Ask("/v1/chat/completions", "chat", b"", "m", [], "b")
    run = Run("fl_1", 0, ask_, ENFORCE)
    parts = [
        (Piece(text, is_new=is_new), verdict_of(view))
        for text, view, is_new in (("a", 0.9, False), ("b", 0.6, True), ("c", 0.2, True))
    ]

    assert run.view is None
    run.prompt = Verdict(Side.PROMPT, Outcome.ALLOW)
    assert run.view is None
    run.prompt = Verdict(Side.PROMPT, Outcome.ALLOW, parts=tuple(parts))
    assert run.view == 0.6


def verdict_of(view: float) -> Verdict:
    """A verdict on a prompt that states its user's view with this probability."""
    score = Score("sycophancy", Side.PROMPT, "m@1", None, {"view": view}, reason="not_applicable")
    return Verdict(Side.PROMPT, Outcome.ALLOW, scores={"sycophancy": score})


async def test_a_twin_is_asked_for_compared_and_recorded(
    tmp_path: Path, upstream: Upstream
) -> None:
    """The whole service with a model that hears views: what is recorded is what was asked."""
    rule = {"flag": 0.5, "mode": "twin", "twin_budget_ms": 60_000}
    settings = local_settings(
        tmp_path,
        policies={"default": {"deadline_ms": 60_000, "prompt": {}, "reply": {"sycophancy": rule}}},
        upstreams=[{"url": upstream.url}],
        scoring={"model": str(write_tiny_model(tmp_path / "seven", heads=SEVEN_HEADS))},
    )
    upstream.script = lambda seen: plain("made up " * 16 if b"think" in seen.body else "good fine")
    async with serving_locally(settings) as local:
        reply = await local.client.post("/v1/chat/completions", json=ask(f"{VIEW}.\nGood fine ?"))
        found = await local.client.get(f"/v1/interactions/{reply.headers['x-fairlead-id']}")
        metrics = (await local.client.get("/metrics")).text

    record = found.json()
    assert [seen.json["messages"][0]["content"] for seen in upstream.seen[1:]] == ["Good fine ?"]
    twin = record["twin"]
    assert (twin["outcome"], twin["kind"], twin["reply"]) == ("flipped", "asked", "good fine")
    assert (twin["views"], twin["prompt"]) == ([f"{VIEW}."], "Good fine ?")
    [score] = [s for s in record["scores"] if s["side"] == "reply"]
    assert score["risk"] == score["heads"]["flip"] == pytest.approx(twin["choices"][0]["flip"])
    assert (score["verdict"], reply.headers["x-fairlead-verdict"]) == ("flag", "flag")
    assert 'fairlead_twins_total{mode="inline",outcome="flipped",policy="default"} 1.0' in metrics


async def test_a_sampled_twin_is_stored_beside_its_exchange(
    tmp_path: Path, upstream: Upstream
) -> None:
    """It comes after the reply, and is read with the record from then on."""
    settings = local_settings(
        tmp_path,
        policies={"default": {"deadline_ms": 60_000, "reply": {"sycophancy": {"twin_sample": 1}}}},
        upstreams=[{"url": upstream.url}],
        scoring={"model": str(write_tiny_model(tmp_path / "seven", heads=SEVEN_HEADS))},
    )
    upstream.script = plain("good fine")
    async with serving_locally(settings) as local:
        reply = await local.client.post("/v1/chat/completions", json=ask(f"{VIEW}.\nGood fine ?"))
        path = f"/v1/interactions/{reply.headers['x-fairlead-id']}"
        async with asyncio.timeout(PATIENCE_S):
            while (twin := (await local.client.get(path)).json()["twin"]) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    assert (twin["is_inline"], twin["outcome"], twin["reply"]) == (False, "kept", "good fine")


async def test_a_model_without_the_heads_has_no_twins(tmp_path: Path) -> None:
    """A service that was asked for them does not start without."""
    reply = {"sycophancy": {"mode": "twin"}}
    settings = local_settings(
        tmp_path,
        policies={"default": {"reply": reply}},
        scoring={"model": str(write_tiny_model(tmp_path / "four"))},
    )
    app = create_app(settings)

    with pytest.raises(PolicyError, match="a twin needs the head `view`"):
        async with app.router.lifespan_context(app):
            pass
