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
            exchange(
                "fl_1",
                scores=(SCORE,),
                tags=("beta",),
                user="ann",
                conversation="c1",
                key_id="key_1",
            ),
            exchange("fl_2", created_us=2_000_000, model="other", policy="strict"),
            exchange("fl_3", created_us=3_000_000, status="vetoed", verdict="veto"),
        )
        for ident, rating, rater in (
            ("fl_2", "up", "bob"),
            ("fl_3", "up", "ann"),
            ("fl_3", "down", "ann"),
        ):
            said = {"id": ident, "rating": rating, "rater": rater}
            assert (await running.client.post("/v1/feedback", json=said)).status_code == 201
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
        ({"response_id": "chatcmpl-fl_2"}, ["fl_2"]),
        ({"scorer": "toxicity"}, ["fl_1"]),
        ({"scorer": "toxicity", "min_risk": "0.25"}, ["fl_1"]),
        ({"min_risk": "0.26"}, []),
        ({"has_feedback": "true"}, ["fl_3", "fl_2"]),
        ({"has_feedback": "false"}, ["fl_1"]),
        ({"rating": "up"}, ["fl_2"]),
        ({"rating": "up", "rater": "ann"}, []),
        ({"rater": "ann"}, ["fl_3"]),
        ({"key": "key_1"}, ["fl_1"]),
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


async def test_a_time_may_stand_as_it_was_shown(local: Local) -> None:
    """`created_at` of an answer, its `+` unescaped, is no other time."""
    shown = "1970-01-01T00:00:02.000000+00:00"

    reply = await local.client.get(
        f"/v1/interactions?since={shown}&until=1970-01-01T01:00:03+01:00"
    )

    assert [item["id"] for item in reply.json()["items"]] == ["fl_2"]


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


@pytest.mark.parametrize("path", ["interactions", "feedback", "feedback/comparisons"])
@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("stauts=x", "stauts"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("since=yesterday", "since"),
        ("until=2026-13-01", "until"),
        ("since=2026-02-01&until=2026-01-01", "until"),
        ("cursor=nonsense", "cursor"),
        ("cursor=" + "x" * 600, "cursor"),
        ("cursor=%ff%00", "cursor"),
        ("cursor=", "cursor"),
        ("rater=" + "x" * 300, "rater"),
    ],
)
async def test_a_wrong_filter_is_refused(local: Local, path: str, query: str, param: str) -> None:
    """A filter that is misspelt must not list everything; the answer names it."""
    reply = await local.client.get(f"/v1/{path}?{query}")

    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("verdict=maybe", "verdict"),
        ("rating=meh", "rating"),
        ("min_risk=2", "min_risk"),
        ("min_risk=nan", "min_risk"),
        ("has_feedback=perhaps", "has_feedback"),
    ],
)
async def test_a_wrong_value_is_refused(local: Local, query: str, param: str) -> None:
    """Values out of range are told by the name of their filter."""
    reply = await local.client.get(f"/v1/interactions?{query}")

    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("query", ["user=%00", "user=%ff", "tag=%ED%A0%80", "user=a%00b"])
async def test_odd_texts_find_nothing(local: Local, query: str) -> None:
    """What no database can hold is nobody's name."""
    reply = await local.client.get(f"/v1/interactions?{query}")

    assert (reply.status_code, reply.json()["items"]) == (200, [])


async def test_a_cursor_is_refused_under_other_filters(local: Local) -> None:
    """Pages of one list do not go on in another, and the message says what to do."""
    first = (await local.client.get("/v1/interactions?limit=1&rating=down")).json()
    assert first["next_cursor"] is None
    first = (await local.client.get("/v1/interactions?limit=1&has_feedback=true")).json()
    cursor = first["next_cursor"]

    for query in ("", "has_feedback=false&", "has_feedback=true&user=ann&"):
        reply = await local.client.get(f"/v1/interactions?{query}cursor={cursor}")
        error = reply.json()["error"]
        assert (reply.status_code, error["param"]) == (400, "cursor")
        assert "other filters" in error["message"]
    rest = await local.client.get(f"/v1/interactions?limit=5&has_feedback=true&cursor={cursor}")
    assert [item["id"] for item in rest.json()["items"]] == ["fl_2"]
