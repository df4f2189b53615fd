"""How far raters agree, as it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from service.cli import main, parser
from service.commands import feedback_agreement
from tests.fakes.local import Local, exchange, local_settings, serving_locally
from tests.service.test_tenants import key_for

RATERS = ("ann", "bob", "cid", "zoe")


async def fill(local: Local, count: int = 24) -> None:
    """Replies that all raters but one judge alike; the first two are compared too."""
    await local.keep(*(exchange(f"fl_{at}") for at in range(count)))
    items = [
        {"id": f"fl_{at}", "rater": rater, "rating": _rating(at, rater)}
        for at in range(count)
        for rater in RATERS
    ]
    reply = await local.client.post("/v1/feedback/batch", json={"items": items})
    assert reply.json()["added"] == count * len(RATERS)
    for rater in RATERS:
        body = {"chosen": "fl_0", "rejected": "fl_1", "rater": rater}
        await local.client.post("/v1/feedback/comparisons", json=body)


def _rating(at: int, rater: str) -> str:
    return "up" if (at % 3 == 0) == (rater == "zoe") else "down"


async def told(local: Local, **query: Any) -> Any:
    """The answer of the route."""
    reply = await local.client.get("/v1/feedback/agreement", params=query)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def test_agreement_is_told(tmp_path: Path) -> None:
    """Alpha with its interval, and the one who is against the others stands first."""
    async with serving_locally(local_settings(tmp_path)) as local:
        await fill(local)
        found = await told(local)
        old = await told(local, until="2020-01-01")

    ratings = found["ratings"]
    assert ratings["low"] < ratings["alpha"] < ratings["high"]
    assert (ratings["units"], ratings["judgements"], ratings["raters_total"]) == (24, 96, 4)
    first, *others = ratings["raters"]
    assert (first["rater"], first["compared"], first["agreed"]) == ("zoe", 24, 0)
    assert first["is_contrary"]
    assert {(r["rater"], r["agreed"], r["is_contrary"]) for r in others} == {
        (name, 24, False) for name in ("ann", "bob", "cid")
    }
    comparisons = found["comparisons"]
    assert (comparisons["alpha"], comparisons["units"], comparisons["judgements"]) == (None, 1, 4)
    assert comparisons["reason"]
    assert old["ratings"]["raters"] == []


@pytest.mark.parametrize(
    ("query", "param"),
    [("limit=5", "limit"), ("since=x", "since"), ("since=2026-02-01&until=2026-01-01", "until")],
)
async def test_a_wrong_query_is_refused(tmp_path: Path, query: str, param: str) -> None:
    """By the name of its field."""
    async with serving_locally(local_settings(tmp_path)) as local:
        reply = await local.client.get(f"/v1/feedback/agreement?{query}")

    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


async def test_a_key_is_told_of_its_own(tmp_path: Path) -> None:
    """Neither another's raters nor another's numbers."""
    settings = local_settings(tmp_path, access={"required": True})
    async with serving_locally(settings) as local:
        for name in ("me", "you"):
            ident, headers = await key_for(local, name, "feedback")
            await local.keep(exchange(f"fl_{name}", key_id=ident))
            body = {"id": f"fl_{name}", "rating": "up", "rater": f"of {name}"}
            await local.client.post("/v1/feedback", json=body, headers=headers)

        mine = await local.client.get("/v1/feedback/agreement", headers=headers)
        other = await local.client.get(
            "/v1/feedback/agreement", headers=headers, params={"key": "key_other"}
        )

    assert [rater["rater"] for rater in mine.json()["ratings"]["raters"]] == ["of you"]
    assert other.status_code == 403


async def test_the_command_tells_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a table and as JSON."""
    settings = local_settings(tmp_path)
    monkeypatch.setenv("FAIRLEAD_DATABASE_URL", settings.database_url)
    async with serving_locally(settings) as local:
        await fill(local)
        found = await told(local)

    assert await feedback_agreement.run(parser().parse_args(["feedback", "agreement"])) == 0
    table = capsys.readouterr().out
    assert f"ratings: Krippendorff's alpha {found['ratings']['alpha']:.3f} (95% " in table
    assert "comparisons: Krippendorff's alpha none" in table
    assert "contrary: the interval" in table
    assert len([line for line in table.splitlines() if line.endswith("contrary")]) == 1
    arguments = parser().parse_args(["feedback", "agreement", "--json"])
    assert await feedback_agreement.run(arguments) == 0
    assert json.loads(capsys.readouterr().out) == found


def test_a_wrong_time_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and the flag's name."""
    assert main(("feedback", "agreement", "--since", "soon")) == 2
    assert "--since" in capsys.readouterr().err
