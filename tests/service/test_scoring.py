"""Scoring in bulk: `POST /v1/score`."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from scorers.errors import Overloaded
from scorers.types import Score, Side
from service.access import Scope
from service.app import create_app
from service.exchange import Outcome, ScoredRule, Verdict
from service.policy import PolicyError
from service.reward import reward
from storage.keys import new_key
from tests.fakes.engine import ATTACK, BAD, UNSUPPORTED, WordEngine
from tests.fakes.heads import Heads
from tests.fakes.local import Local, local_settings, serving_locally

RULES = {
    "prompt": {"injection": {"veto": 0.9}, "toxicity": {"flag": 0.5}},
    "reply": {"toxicity": {"flag": 0.5, "veto": 0.9}, "faithfulness": {"veto": 0.9}},
}
POLICIES = {
    "default": RULES,
    "closed": RULES | {"on_scorer_failure": "closed"},
    "off": {"mode": "off"},
}


@pytest.fixture
def engine() -> WordEngine:
    """The engine of the service."""
    return WordEngine()


@pytest.fixture
async def local(tmp_path: Path, engine: WordEngine) -> AsyncIterator[Local]:
    """A service with an open, a closed and an idle policy."""
    settings = local_settings(tmp_path, policies=POLICIES)
    async with serving_locally(settings, engine=engine, heads=Heads()) as running:
        yield running


class Gated(WordEngine):
    """An engine that never answers, and tells when it was asked and when it was let off."""

    def __init__(self) -> None:
        super().__init__()
        self.was_asked = asyncio.Event()
        self.was_cancelled = asyncio.Event()

    async def score(self, subject: Any, *, scorers: Any = None, deadline: Any = None) -> Any:
        """Waits for ever."""
        self.was_asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled.set()
            raise


async def score(local: Local, *items: Any, **fields: Any) -> list[dict[str, Any]]:
    """The results of some items."""
    reply = await local.client.post("/v1/score", json={"items": items} | fields)
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["items"]
    return found


async def refused(local: Local, body: Any) -> tuple[int, dict[str, Any]]:
    """The status and the error of a request that is not served."""
    reply = await local.client.post("/v1/score", json=body)
    return reply.status_code, reply.json()["error"]


async def test_results_come_in_the_items_order(local: Local) -> None:
    """Good, bad and attacked items each have their own verdict, in the order of the request."""
    found = await score(
        local,
        {"prompt": "Hi", "response": "Hello."},
        {"prompt": "Hi", "response": BAD},
        {"prompt": ATTACK, "response": "No."},
        {"prompt": BAD, "response": "Please do not."},
    )

    assert [item["verdict"] for item in found] == ["allow", "veto", "veto", "flag"]
    assert [item["failure"] for item in found] == [None] * 4


async def test_a_score_is_told_as_in_a_veto(local: Local) -> None:
    """Each score carries its scorer, model, risk, threshold, heads, spans and status."""
    [item] = await score(
        local, {"prompt": "When?", "response": f"{UNSUPPORTED} at ten.", "context": ["At nine."]}
    )

    told = {(s["side"], s["scorer"]): s for s in item["scores"]}
    assert set(told) == {
        ("prompt", "injection"), ("prompt", "toxicity"),
        ("reply", "toxicity"), ("reply", "faithfulness"),
    }  # fmt: skip
    assert told["reply", "faithfulness"] == {
        "scorer": "faithfulness",
        "side": "reply",
        "choice_index": 0,
        "model": "words@1",
        "status": "scored",
        "verdict": "veto",
        "risk": 0.99,
        "threshold": 0.9,
        "heads": {"unsupported": 0.99},
        "spans": [{"start": 0, "end": 8, "risk": 0.99}],
    }


async def test_the_reward_is_the_weighted_sum_of_risks(local: Local) -> None:
    """A scorer that does not apply gives 0 to the reward, and says so."""
    good, bad, invented = await score(
        local,
        {"response": "Hello."},
        {"response": BAD},
        {"response": UNSUPPORTED, "context": ["x"]},
    )

    assert good["reward_terms"] == {"toxicity": -0.01, "faithfulness": None}
    assert (good["reward"], bad["reward"], invented["reward"]) == (-0.01, -0.99, -1.0)
    [told] = [s for s in good["scores"] if s["scorer"] == "faithfulness"]
    assert told["status"] == "not_applicable"
    assert "risk" not in told


async def test_weights_are_set(tmp_path: Path, engine: WordEngine) -> None:
    """`scoring.reward` names rules and their weights, of either sign."""
    settings = local_settings(
        tmp_path, policies=POLICIES, scoring={"reward": {"toxicity": -2.0, "faithfulness": 0.5}}
    )
    async with serving_locally(settings, engine=engine, heads=Heads()) as local:
        [item] = await score(local, {"response": BAD, "context": ["x"]})

    assert item["reward_terms"] == {"toxicity": -1.98, "faithfulness": 0.005}
    assert item["reward"] == -1.975


async def test_a_weight_of_nothing_is_refused_at_start(tmp_path: Path, engine: WordEngine) -> None:
    """A weight on a name that no scorer has stops the start and names the nearest."""
    settings = local_settings(tmp_path, scoring={"reward": {"toxicty": -1.0}})
    app = create_app(settings, engine=engine, heads=Heads())

    with pytest.raises(PolicyError, match=r"scoring\.reward\.toxicty: .*`toxicity`"):
        async with app.router.lifespan_context(app):
            pass


async def test_an_item_without_a_response_is_a_prompt(local: Local, engine: WordEngine) -> None:
    """Only the prompt side is scored, and there is nothing to reward."""
    [item] = await score(local, {"prompt": ATTACK})

    assert {subject.side for subject in engine.subjects} == {Side.PROMPT}
    assert (item["verdict"], item["reward"]) == ("veto", None)
    assert {s["side"] for s in item["scores"]} == {"prompt"}


async def test_an_empty_item_is_unscored(local: Local, engine: WordEngine) -> None:
    """An item without any text has a result too."""
    [item] = await score(local, {})

    assert (item["verdict"], item["reward"], item["scores"]) == ("unscored", None, [])
    assert not engine.subjects


async def test_too_many_items_are_refused(local: Local) -> None:
    """More than 256 items are a 400 that names the limit; 256 are served."""
    assert len(await score(local, *[{"response": "x"}] * 256)) == 256

    status, error = await refused(local, {"items": [{"response": "x"}] * 257})

    assert (status, error["param"]) == (400, "items")
    assert "256" in error["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"items": []}, "items"),
        ({}, "items"),
        ({"items": [{"response": 7}]}, "items.0.response"),
        ({"items": [{"reply": "x"}]}, "items.0.reply"),
        ({"items": [{}, {"context": ["c"] * 1001}]}, "items.1.context"),
        ({"items": [{}], "policy": "nobody"}, "policy"),
    ],
)
async def test_a_wrong_body_names_its_field(local: Local, body: Any, param: str) -> None:
    """What cannot be scored is a 400 with the field at fault."""
    status, error = await refused(local, body)

    assert (status, error["param"]) == (400, param)


async def test_an_open_policy_says_that_a_score_is_missing(
    local: Local, engine: WordEngine
) -> None:
    """A failed item is unscored with the failure's name, and its reward is null, never 0."""
    engine.failure = Overloaded("full")

    [item] = await score(local, {"prompt": "Hi", "response": "Hello."})

    assert (item["verdict"], item["reward"]) == ("unscored", None)
    assert item["failure"] == "overloaded"
    assert {s["status"] for s in item["scores"]} == {"failed"}


async def test_a_closed_policy_answers_503(local: Local, engine: WordEngine) -> None:
    """Where nothing may pass unscored, a missing score fails the request and names the item."""
    engine.failure = Overloaded("full")

    status, error = await refused(local, {"items": [{"response": "x"}], "policy": "closed"})

    assert (status, error["code"], error["param"]) == (503, "scorer_unavailable", "items.0")


async def test_a_policy_without_rules_gives_no_reward(local: Local, engine: WordEngine) -> None:
    """Nothing is scored under mode `off`, so that there is no number to train on."""
    [item] = await score(local, {"response": BAD}, policy="off")

    assert (item["verdict"], item["reward"], item["scores"]) == ("unscored", None, [])
    assert not engine.subjects


async def test_nothing_is_recorded_or_counted_as_traffic(local: Local) -> None:
    """Scored texts leave no interaction and no verdict behind; the request itself is counted."""
    await score(local, {"response": BAD})

    page = (await local.client.get("/v1/interactions")).json()
    metrics = (await local.client.get("/metrics")).text
    assert page["items"] == []
    verdicts = re.findall(r"^fairlead_verdicts_total\{.*\} (.+)$", metrics, re.MULTILINE)
    assert set(verdicts) == {"0.0"}
    assert 'fairlead_requests_total{model="",route="/v1/score",status="200"} 1.0' in metrics


async def test_a_client_that_leaves_ends_the_work(tmp_path: Path) -> None:
    """Scoring that nobody waits for is given up at once."""
    engine = Gated()
    app = create_app(local_settings(tmp_path, policies=POLICIES), engine=engine, heads=Heads())
    body = b'{"items": [{"response": "x"}]}'
    sent: list[Any] = []

    async def receive() -> Any:
        if not engine.was_asked.is_set() and not sent:
            sent.append(None)
            return {"type": "http.request", "body": body}
        await engine.was_asked.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async with app.router.lifespan_context(app) as state:
        scope = {
            "type": "http", "method": "POST", "path": "/v1/score", "query_string": b"",
            "headers": [(b"content-type", b"application/json")], "state": dict(state or {}),
        }  # fmt: skip
        await app(scope, receive, send)
        await engine.was_cancelled.wait()

    assert sent[1]["status"] == 499


async def test_a_key_needs_the_proxys_scope(tmp_path: Path, engine: WordEngine) -> None:
    """A key for feedback alone may not score; one of the proxy may, within its policies."""
    settings = local_settings(tmp_path, policies=POLICIES, access={"required": True})
    async with serving_locally(settings, engine=engine, heads=Heads()) as local:
        proxy = {"authorization": f"Bearer {await _key(local, 'proxy')}"}
        other = {"authorization": f"Bearer {await _key(local, 'feedback')}"}
        body = {"items": [{"response": "x"}]}
        asked = [(proxy, body), (proxy, body | {"policy": "off"}), (other, body)]
        replies = [
            await local.client.post("/v1/score", json=body, headers=headers)
            for headers, body in asked
        ]

    assert [reply.status_code for reply in replies] == [200, 403, 403]
    assert replies[1].json()["error"]["param"] == "policy"


async def _key(local: Local, scope: Scope) -> str:
    """A new key in the store."""
    key, record = new_key(scope, scopes=(scope,), policies=("default",))
    async with local.state.store.writing() as unit:
        await unit.keys.add(record)
    return key


def rule(name: str, risk: float | None) -> ScoredRule:
    """A rule of a reply that gave this risk."""
    return ScoredRule(Score(name, Side.REPLY, "m@1", risk), Outcome.ALLOW, rule=name)


def test_a_reward_lies_between_the_sums_of_its_weights() -> None:
    """At the highest risks the reward is the sum of the weights, at the lowest 0."""
    weights = {"toxicity": -1.0, "faithfulness": -0.5}

    worst = Verdict(Side.REPLY, Outcome.VETO, (rule("toxicity", 1.0), rule("faithfulness", 1.0)))
    best = Verdict(Side.REPLY, Outcome.ALLOW, (rule("toxicity", 0.0), rule("faithfulness", None)))

    assert reward(worst, weights).value == -1.5
    assert reward(best, weights).value == 0.0


def test_a_missing_score_is_no_reward() -> None:
    """A reward of which a part is missing would be too good."""
    verdict = Verdict(Side.REPLY, Outcome.UNSCORED, (rule("toxicity", 0.9),), failure="deadline")

    found = reward(verdict, {"toxicity": -1.0, "faithfulness": -1.0})

    assert (found.value, found.terms) == (None, {"toxicity": -0.9, "faithfulness": None})


async def test_the_deadline_is_that_of_bulk_work(tmp_path: Path) -> None:
    """A batch is given `scoring.bulk_deadline_s`, not the time that one exchange has."""
    asked: list[float] = []

    class Noting(WordEngine):
        async def score(self, subject: Any, *, scorers: Any = None, deadline: Any = None) -> Any:
            asked.append(deadline - time.monotonic())
            return await super().score(subject, scorers=scorers, deadline=deadline)

    settings = local_settings(tmp_path, policies=POLICIES, scoring={"bulk_deadline_s": 900})
    async with serving_locally(settings, engine=Noting(), heads=Heads()) as local:
        await score(local, {"response": "x"})

    assert 800 < asked[0] <= 900
