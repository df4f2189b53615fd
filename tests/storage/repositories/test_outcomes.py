"""Checked replies out of scores and feedback."""

from __future__ import annotations

from typing import Any

import pytest

from storage.records import FeedbackRecord, InteractionRecord
from storage.repositories import outcomes
from storage.repositories.outcomes import CheckedReply, OutcomeFilter, checked_replies
from storage.store import Store
from tests.storage.building import exchange, score, thumb

HEADS = {"expressed": 0.9, "tokens": 0.7, "likely": 0.6}


def said(**changes: Any) -> InteractionRecord:
    """An exchange that the confidence scorer has read."""
    return exchange(scores=(score(scorer="confidence", heads=HEADS),), **changes)


async def read(
    store: Store, records: list[InteractionRecord], words: list[FeedbackRecord], **where: Any
) -> list[CheckedReply]:
    """What is found after these were stored."""
    async with store.writing() as unit:
        for record in records:
            await unit.interactions.add(record)
        for word in words:
            await unit.feedback.add(word)
    async with store.reading() as unit:
        found = checked_replies(unit.connection, OutcomeFilter(**where))
        return [each async for each in found]


async def test_a_thumb_tells_of_a_scored_reply(store: Store) -> None:
    """The reply comes with what the scorer knew when it was scored."""
    record = said(model="m-1")

    (found,) = await read(store, [record], [thumb(record, "down")])

    assert found == CheckedReply(
        interaction_id=record.id,
        choice_index=0,
        created_us=record.created_us,
        model="m-1",
        expressed=0.9,
        tokens=0.7,
        likely=0.6,
        is_right=False,
        judge="thumb",
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([("up", {}), ("up", {}), ("down", {})], (True, "thumb")),
        ([("up", {}), (None, {"correction": "No, five."})], (False, "correction")),
        ([("down", {"correction": "Yes."}), (None, {"tags": ("correct",)})], (True, "checked")),
        ([("up", {}), ("down", {})], None),
        ([("up", {"tags": ("correct", "incorrect")})], (True, "thumb")),
        ([(None, {"comment": "Hm."})], None),
    ],
    ids=["majority", "correction", "checked", "tie", "both tags", "no word"],
)  # fmt: skip
async def test_the_firmest_word_decides(
    store: Store, words: list[tuple[Any, dict[str, Any]]], expected: tuple[bool, str] | None
) -> None:
    """Tags of a check come before corrections, those before thumbs; a tie says nothing."""
    record = said()
    rows = [thumb(record, rating, f"r{at}", **more) for at, (rating, more) in enumerate(words)]

    found = await read(store, [record], rows)

    assert [(one.is_right, one.judge) for one in found] == ([expected] if expected else [])


async def test_a_change_of_mind_counts_once(store: Store) -> None:
    """The latest thumb of a rater is the one that counts."""
    record = said()
    words = [thumb(record, "up", created_us=1), thumb(record, "down", created_us=2)]

    (found,) = await read(store, [record], words)

    assert not found.is_right


async def test_what_tells_nothing_is_left_out(store: Store) -> None:
    """A withheld reply, one without a confidence score and one without feedback."""
    withheld, unscored, unrated = said(status="vetoed"), exchange(), said()

    assert not await read(
        store, [withheld, unscored, unrated], [thumb(withheld, "up"), thumb(unscored, "up")]
    )


async def test_filters(store: Store) -> None:
    """By model, by time and by the kind of word."""
    early, late = said(created_us=100, model="m-1"), said(created_us=200, model="m-2")
    words = [thumb(early, "up"), thumb(late, None, tags=("incorrect",))]

    assert len(await read(store, [early, late], words)) == 2
    for where in (
        {"model": "m-2"},
        {"since_us": 200},
        {"judges": frozenset({"checked"})},
    ):
        (found,) = await read(store, [], [], **where)
        assert found.interaction_id == late.id
    (found,) = await read(store, [], [], until_us=200)
    assert found.interaction_id == early.id


async def test_pages_join_without_loss(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pages give every reply once."""
    monkeypatch.setattr(outcomes, "_PAGE", 3)
    records = [said() for _ in range(10)]

    found = await read(store, records, [thumb(each, "up") for each in records])

    assert sorted(one.interaction_id for one in found) == sorted(each.id for each in records)
