"""Replies in order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.local import Local, exchange, local_settings, serving_locally


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    """A service that has recorded forty replies to one prompt."""
    async with serving_locally(local_settings(tmp_path)) as running:
        await running.keep(*(exchange(f"fl_{at}", created_us=at) for at in range(40)))
        yield running


async def rank(local: Local, ranking: Any, **fields: Any) -> tuple[int, Any]:
    """Posts a ranking: the status and the answer."""
    reply = await local.client.post("/v1/feedback/rankings", json={"ranking": ranking} | fields)
    return reply.status_code, reply.json()


async def compared(local: Local, **query: Any) -> list[tuple[str, str, bool]]:
    """(chosen, rejected, is a tie) of the comparisons, the first first."""
    reply = await local.client.get("/v1/feedback/comparisons", params={"limit": 1000} | query)
    items = reversed(reply.json()["items"])
    return [(item["chosen"], item["rejected"], item["is_tie"]) for item in items]


async def test_a_ranking_is_stored_as_comparisons(local: Local) -> None:
    """Each two replies once, ties marked; it is read back as it was given."""
    status, stored = await rank(
        local, ["fl_2", ["chatcmpl-fl_1", {"id": "fl_3"}]], rater="ann", comment="clear"
    )

    assert status == 201
    assert stored["id"].startswith("rnk_")
    assert stored["ranking"] == [
        [{"id": "fl_2", "choice_index": 0}],
        [{"id": "fl_1", "choice_index": 0}, {"id": "fl_3", "choice_index": 0}],
    ]
    assert (stored["rater"], stored["comment"], stored["comparisons"]) == ("ann", "clear", 3)
    assert await compared(local, ranking_id=stored["id"]) == [
        ("fl_2", "fl_1", False),
        ("fl_2", "fl_3", False),
        ("fl_1", "fl_3", True),
    ]
    again = await local.client.get(f"/v1/feedback/rankings/{stored['id']}")
    assert again.json() == stored
    assert 'fairlead_feedback_total{rating="ranking"} 1.0' in local.state.metrics.render().decode()


async def test_a_ranking_is_stored_once(local: Local) -> None:
    """Under an idempotency key a repeated request adds nothing."""
    headers = {"idempotency-key": "r1"}
    body = {"ranking": ["fl_1", "fl_2"]}

    replies = [
        await local.client.post("/v1/feedback/rankings", json=body, headers=headers)
        for _ in range(2)
    ]

    assert replies[0].json() == replies[1].json()
    assert len(await compared(local)) == 1


async def test_the_longest_ranking_is_stored_whole(local: Local) -> None:
    """Thirty-two replies are 496 comparisons."""
    order = [f"fl_{at}" for at in range(32)]

    status, stored = await rank(local, order)

    assert (status, stored["comparisons"]) == (201, 496)
    assert [tier[0]["id"] for tier in stored["ranking"]] == order


async def test_a_ranking_is_exported(local: Local) -> None:
    """Its preferences become pairs, its ties none; a later tie takes a preference back."""
    await rank(local, ["fl_2", ["fl_1", "fl_3"]])
    tie = {"chosen": "fl_3", "rejected": "fl_2", "is_tie": True}
    assert (await local.client.post("/v1/feedback/comparisons", json=tie)).status_code == 201

    reply = await local.client.get("/v1/preferences/export?format=dpo")

    assert reply.text.count("Hello from fl_2.") == 1
    assert reply.text.count("Hello from fl_1.") == 1
    assert "fl_3" not in reply.text


@pytest.mark.parametrize(
    ("ranking", "status", "param"),
    [
        ([], 400, "ranking"),
        (["fl_1"], 400, "ranking"),
        ("fl_1", 400, "ranking"),
        ([["fl_1"], []], 400, "ranking.1"),
        ([f"fl_{at}" for at in range(33)], 400, "ranking"),
        ([[f"fl_{at}" for at in range(20)], [f"fl_{at}" for at in range(20, 40)]], 400, "ranking"),
        (["fl_1", 7], 400, "ranking.1.0"),
        (["fl_1", {"id": "fl_2", "x": 1}], 400, "ranking.1.0.x"),
        (["fl_1", ["fl_2", {"choice_index": 0}]], 400, "ranking.1.1.id"),
        (["fl_1", {"id": "fl_2", "choice_index": 4}], 400, "ranking.1.0.choice_index"),
        (["fl_1", "fl_2", "chatcmpl-fl_1"], 400, "ranking.2.0"),
        (["fl_1", "nope"], 404, "ranking.1.0.id"),
    ],
)
async def test_a_ranking_that_makes_no_sense_is_refused(
    local: Local, ranking: Any, status: int, param: str
) -> None:
    """The answer names the place, and nothing of the ranking is stored."""
    found, answer = await rank(local, ranking)

    assert (found, answer["error"]["param"]) == (status, param)
    assert await compared(local) == []


async def test_an_unknown_ranking_is_not_found(local: Local) -> None:
    """404 in OpenAI's envelope."""
    reply = await local.client.get("/v1/feedback/rankings/rnk_nope")

    assert (reply.status_code, reply.json()["error"]["param"]) == (404, "id")
