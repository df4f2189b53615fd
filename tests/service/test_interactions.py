"""What happened, as it is listed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from storage.records import ScoreRecord
from tests.fakes.local import Local, exchange, local_settings, serving_locally

SCORE = ScoreRecord(
    side="reply", scorer="toxicity", model="fake@1", status="scored", choice_index=0, risk=0.25,
    flag_threshold=0.5, verdict="allow", heads={"toxic": 0.25}, windows=[[0, 10, 0.25]],
)  # fmt: skip


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    """A service that has recorded three exchanges."""
    async with serving_locally(local_settings(tmp_path)) as running:
        await running.keep(
            exchange("fl_1", scores=(SCORE,), tags=("beta",), user="ann", conversation="c1"),
            exchange("fl_2", created_us=2_000_000, model="other", policy="strict"),
            exchange("fl_3", created_us=3_000_000, status="vetoed", verdict="veto"),
        )
        yield running


async def listed(local: Local, **query: Any) -> list[str]:
    """The ids on one page."""
    reply = await local.client.get("/v1/interactions", params=query)
    assert reply.status_code == 200, reply.text
    return [item["id"] for item in reply.json()["items"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["fl_3", "fl_2", "fl_1"]),
        ({"model": "other"}, ["fl_2"]),
        ({"status": "vetoed"}, ["fl_3"]),
        ({"verdict": "allow"}, ["fl_2", "fl_1"]),
        ({"user": "ann"}, ["fl_1"]),
        ({"conversation": "c1"}, ["fl_1"]),
        ({"policy": "strict"}, ["fl_2"]),
        ({"route": "/v1/messages"}, []),
        ({"tag": "beta"}, ["fl_1"]),
        ({"since": "1970-01-01T00:00:02Z"}, ["fl_3", "fl_2"]),
        ({"until": "1970-01-01T00:00:02"}, ["fl_1"]),
        ({"model": "fake-model", "verdict": "veto"}, ["fl_3"]),
    ],
)
async def test_interactions_are_filtered(
    local: Local, query: dict[str, str], expected: list[str]
) -> None:
    """Newest first; every filter narrows."""
    assert await listed(local, **query) == expected


async def test_interactions_are_paged(local: Local) -> None:
    """The cursor leads to the next page, and on the last there is none."""
    first = (await local.client.get("/v1/interactions?limit=2")).json()
    second = (
        await local.client.get(
            "/v1/interactions", params={"limit": 2, "cursor": first["next_cursor"]}
        )
    ).json()

    assert [item["id"] for item in first["items"] + second["items"]] == ["fl_3", "fl_2", "fl_1"]
    assert second["next_cursor"] is None


@pytest.mark.parametrize("ident", ["fl_1", "chatcmpl-fl_1"])
async def test_one_interaction_is_shown_whole(local: Local, ident: str) -> None:
    """By its own id or its reply's: texts, scores, thresholds and model version."""
    found = (await local.client.get(f"/v1/interactions/{ident}")).json()

    assert found["id"] == "fl_1"
    assert found["created_at"] == "1970-01-01T00:00:01.000000+00:00"
    assert found["request"]["messages"] == [{"role": "user", "content": "Hello?"}]
    assert found["choices"][0]["delivered"] == "Hello from fl_1."
    assert found["feedback"] == []
    assert "key_id" not in found
    assert found["scores"] == [
        {
            "side": "reply", "scorer": "toxicity", "model": "fake@1", "status": "scored",
            "choice_index": 0, "risk": 0.25, "flag_threshold": 0.5, "veto_threshold": None,
            "verdict": "allow", "heads": {"toxic": 0.25}, "windows": [[0, 10, 0.25]],
            "spans": None,
        }
    ]  # fmt: skip


async def test_an_unknown_interaction_is_not_found(local: Local) -> None:
    """404 in OpenAI's envelope."""
    reply = await local.client.get("/v1/interactions/fl_nope")

    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(("query", "param"), [("verdict=maybe", "verdict"), ("stauts=x", "stauts")])
async def test_a_wrong_filter_is_refused(local: Local, query: str, param: str) -> None:
    """A filter that is misspelt must not list everything."""
    reply = await local.client.get(f"/v1/interactions?{query}")

    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)
