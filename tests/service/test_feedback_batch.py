"""Many judgements in one request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.local import Local, exchange, local_settings, serving_locally


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    """A service that has recorded two replies."""
    async with serving_locally(local_settings(tmp_path)) as running:
        await running.keep(exchange("fl_1"), exchange("fl_2"))
        yield running


async def give(local: Local, *items: Any, **fields: Any) -> tuple[int, Any]:
    """Posts a batch: the status and the answer."""
    body = {"items": list(items)} | fields
    reply = await local.client.post("/v1/feedback/batch", json=body)
    return reply.status_code, reply.json()


async def stored(local: Local, **query: Any) -> list[Any]:
    """The feedback in the store, oldest first."""
    reply = await local.client.get("/v1/feedback", params={"limit": 1000} | query)
    items: list[Any] = reply.json()["items"]
    return items[::-1]


def rated(ident: str, rating: str | None = "up", **fields: Any) -> dict[str, Any]:
    """One item."""
    return {"id": ident, "rating": rating, "rater": "ann"} | fields


async def test_a_batch_is_stored_in_order(local: Local) -> None:
    """By either id, as single feedback would be, the last word of a rater counting."""
    status, answer = await give(
        local,
        rated("fl_1", comment="fine", tags=["tone"]),
        rated("chatcmpl-fl_2", "down", correction="Better."),
        rated("fl_1", "down"),
    )

    assert status == 201
    assert answer == {"items": 3, "added": 3, "known": 0, "refused": [], "dry_run": False}
    rows = await stored(local)
    assert [(row["interaction_id"], row["rating"]) for row in rows] == [
        ("fl_1", "up"),
        ("fl_2", "down"),
        ("fl_1", "down"),
    ]
    assert rows[1]["response_id"] == "chatcmpl-fl_2"
    assert (rows[0]["comment"], rows[0]["tags"], rows[0]["source"]) == ("fine", ["tone"], "import")
    assert {row["rating"] for row in await stored(local, latest="true")} == {"down"}


async def test_a_batch_that_comes_again_adds_nothing(local: Local) -> None:
    """Known by content, in whatever batch; metrics count what was stored."""
    items = [rated("fl_1"), rated("fl_1", "down"), rated("fl_1"), rated("fl_2")]
    await give(local, *items)

    status, answer = await give(local, *items, rated("fl_2", "down"))

    assert (status, answer["added"], answer["known"]) == (201, 1, 4)
    assert len(await stored(local)) == 5
    counted = local.state.metrics.render().decode()
    assert 'fairlead_feedback_total{rating="up"} 3.0' in counted
    assert 'fairlead_feedback_total{rating="down"} 2.0' in counted


async def test_the_same_said_twice_in_a_row_is_one(local: Local) -> None:
    """Unless the rater said something else in between."""
    _, answer = await give(local, rated("fl_1"), rated("fl_1"), rated("fl_1", rater="bob"))

    assert (answer["added"], answer["known"]) == (2, 1)


async def test_batches_at_once_are_stored_once(local: Local) -> None:
    """Overlapping retries add every row once and count it once."""
    items = [rated("fl_1", rater=str(at)) for at in range(50)]

    answers = await asyncio.gather(*(give(local, *items) for _ in range(4)))

    assert sum(answer["added"] for _, answer in answers) == 50
    assert len(await stored(local)) == 50
    assert 'fairlead_feedback_total{rating="up"} 50.0' in local.state.metrics.render().decode()


async def test_a_time_says_when_it_was_said(local: Local) -> None:
    """An old rating does not replace a newer one, and with its time it can be said again."""
    await give(local, rated("fl_1", "up"))
    await give(local, rated("fl_1", "down", created_at="2020-01-01T00:00:00Z"))
    assert [row["rating"] for row in await stored(local, latest="true")] == ["up"]

    now = datetime.now(UTC)
    for at, rating in ((now, "down"), (now + timedelta(seconds=1), "up")):
        _, answer = await give(local, rated("fl_1", rating, created_at=at.isoformat()))
        assert answer["added"] == 1
    assert [row["rating"] for row in await stored(local, latest="true")] == ["up"]


BAD = (
    (rated("nope"), "id"),
    (rated("fl_1", "meh"), "rating"),
    (rated("fl_1", choice_index=4), "choice_index"),
    (rated("fl_1", comment="x" * 1_000_000), "comment"),
    (rated("fl_1", comment="a\0b"), "comment"),
    (rated("fl_1", thumb="up"), "thumb"),
    (rated("fl_1", created_at="yesterday"), "created_at"),
    (rated("fl_1", created_at="2999-01-01"), "created_at"),
    (rated("fl_1", tags="tone"), "tags"),
    ({"id": "fl_1", "comment": " "}, "rating"),
    ({}, "id"),
    (7, None),
)


@pytest.mark.parametrize(("item", "param"), BAD[:4] + BAD[5:])
async def test_one_wrong_item_refuses_the_batch(local: Local, item: Any, param: str | None) -> None:
    """The answer says which item and field; with `skip_bad` the others are stored."""
    status, answer = await give(local, rated("fl_1"), item, rated("fl_2"))

    error = answer["error"]
    assert (status, error["param"]) == (400, f"items.1.{param}" if param else "items.1")
    assert [(fault["item"], fault["param"]) for fault in error["refused"]] == [(1, param)]
    assert await stored(local) == []

    status, answer = await give(local, rated("fl_1"), item, rated("fl_2"), skip_bad=True)
    assert (status, answer["added"]) == (201, 2)
    assert [(fault["item"], fault["param"]) for fault in answer["refused"]] == [(1, param)]


async def test_a_nul_refuses_the_request(local: Local) -> None:
    """As in every body of feedback."""
    status, answer = await give(local, rated("fl_1"), BAD[4][0])

    assert (status, answer["error"]["param"]) == (400, "items.1.comment")


async def test_a_dry_run_stores_nothing(local: Local) -> None:
    """It counts what would be added."""
    await give(local, rated("fl_1"))

    status, answer = await give(local, rated("fl_1"), rated("fl_2"), dry_run=True)

    assert status == 200
    assert (answer["added"], answer["known"], answer["dry_run"]) == (1, 1, True)
    assert len(await stored(local)) == 1


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_batch_has_limits(local: Local, count: int) -> None:
    """At least one item and at most a thousand."""
    status, answer = await give(local, *[rated("fl_1")] * count)

    assert (status, answer["error"]["param"]) == (400, "items")


async def test_an_ambiguous_id_is_refused(local: Local) -> None:
    """Nothing is guessed where an upstream used an id twice."""
    await local.keep(exchange("fl_3", response_ids=("chatcmpl-fl_1",)))

    _, answer = await give(local, rated("chatcmpl-fl_1"))

    assert "fl_1, fl_3" in answer["error"]["message"]


async def test_a_relaxed_record_is_waited_for(local: Local) -> None:
    """A batch that comes before its exchange is written finds it all the same."""
    await local.state.writer.put(exchange("fl_9"), is_durable=False)

    status, answer = await give(local, rated("fl_9"))

    assert (status, answer["added"]) == (201, 1)
