from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from storage.errors import DuplicateRecord, MissingRecord
from storage.records import FeedbackRecord, InteractionRecord
from storage.repositories.feedback import FeedbackCounts, FeedbackFilter
from storage.repositories.interactions import InteractionFilter
from storage.store import Store
from tests.storage.building import exchange, thumb


@pytest.fixture
async def about(store: Store) -> InteractionRecord:
    """A stored exchange to judge."""
    record = exchange("One.", "Two.")
    async with store.writing() as unit:
        await unit.interactions.add(record)
    return record


async def _add(store: Store, *records: FeedbackRecord) -> None:
    for record in records:
        async with store.writing() as unit:
            await unit.feedback.add(record)


async def test_feedback_comes_back_whole(store: Store, about: InteractionRecord) -> None:
    """A judgement is read as it was written."""
    said = thumb(
        about,
        "down",
        response_id="chatcmpl-1",
        choice_index=1,
        comment="Häßlich",
        correction="Schön",
        key_id="key_1",
        tags=("tone",),
        source="console",
    )
    await _add(store, said)

    async with store.reading() as unit:
        assert said == await unit.feedback.get(said.id)
        assert await unit.feedback.get("fb_nobody") is None


async def test_nothing_is_overwritten(store: Store, about: InteractionRecord) -> None:
    """A second judgement with the same id is refused and the first stays."""
    said = thumb(about, "up")
    await _add(store, said)

    with pytest.raises(DuplicateRecord):
        await _add(store, thumb(about, "down", id=said.id))

    async with store.reading() as unit:
        assert said == await unit.feedback.get(said.id)


async def test_feedback_on_nothing_is_refused(store: Store) -> None:
    """An exchange that is not stored cannot be judged."""
    with pytest.raises(MissingRecord):
        await _add(store, thumb(exchange(), "up"))


async def test_latest_rating_of_each_rater_stands(store: Store, about: InteractionRecord) -> None:
    """Of each rater, key and choice only the newest thumb counts; a later comment is no thumb."""
    standing = [
        thumb(about, "up", "ann", created_us=3),
        thumb(about, "down", "bob", created_us=4),
        thumb(about, "down", "ann", created_us=5, choice_index=1),
        thumb(about, "down", "ann", created_us=6, key_id="key_2"),
        thumb(about, "up", "", created_us=8),
    ]
    await _add(
        store,
        thumb(about, "down", "ann", created_us=1),
        thumb(about, "down", "", created_us=7),
        thumb(about, None, "ann", created_us=9, comment="well"),
        *standing,
    )

    async with store.reading() as unit:
        assert standing == await unit.feedback.latest([about.id])


async def test_a_rating_can_be_taken_back(store: Store, about: InteractionRecord) -> None:
    """Nothing of the rater stands then, until the rater says something again; others stay."""
    said = [
        thumb(about, "up", "ann", created_us=1),
        thumb(about, "up", "bob", created_us=2),
        thumb(about, "withdrawn", "ann", created_us=3),
    ]
    await _add(store, *said)
    async with store.reading() as unit:
        assert [said[1]] == await unit.feedback.latest([about.id])

    again = thumb(about, "down", "ann", created_us=4)
    await _add(store, again)
    async with store.reading() as unit:
        assert [said[1], again] == await unit.feedback.latest([about.id])
        assert (again, said[1]) == (
            await unit.feedback.page(FeedbackFilter(is_standing=True))
        ).items
        assert (said[2], said[0]) == (
            await unit.feedback.page(FeedbackFilter(is_standing=False))
        ).items


async def test_what_is_known_is_not_added_again(store: Store, about: InteractionRecord) -> None:
    """Of many rows those whose id is there are left as they are, also within one call."""
    old, new = thumb(about, "up"), thumb(about, "down", tags=("a\0",))
    await _add(store, old)
    async with store.writing() as unit:
        added = await unit.feedback.add_new([thumb(about, "down", id=old.id), new, new])
        assert await unit.feedback.add_new([]) == []

    async with store.reading() as unit:
        assert [record.id for record in added] == [new.id]
        assert await unit.feedback.get(old.id) == old
        assert await unit.feedback.known([old.id, new.id, "fb_none"]) == {old.id, new.id}


async def test_many_rows_are_added_in_order(store: Store, about: InteractionRecord) -> None:
    """More than one statement takes."""
    said = [thumb(about, "up", str(at), created_us=at) for at in range(1_200)]
    async with store.writing() as unit:
        assert await unit.feedback.add_new(said) == said

    async with store.reading() as unit:
        assert (await unit.feedback.counts()).up == 1_200
        rows = [row async for row in unit.feedback.ratings()]
    assert [row.rater for row in rows] == [record.rater for record in said]


async def test_one_row_of_nothing_adds_none(store: Store, about: InteractionRecord) -> None:
    """An exchange that has gone meanwhile takes the whole call back."""
    with pytest.raises(MissingRecord):
        async with store.writing() as unit:
            await unit.feedback.add_new([thumb(about, "up"), thumb(exchange(), "up")])

    async with store.reading() as unit:
        assert (await unit.feedback.counts()).up == 0


async def test_counts_by_kind(store: Store, about: InteractionRecord) -> None:
    """Feedback is counted by rating, and corrections beside."""
    await _add(
        store,
        thumb(about, "up"),
        thumb(about, "up", correction="better"),
        thumb(about, "down"),
        thumb(about, None, comment="hm"),
    )

    async with store.reading() as unit:
        counts = await unit.feedback.counts()
        of_ann = await unit.feedback.counts(FeedbackFilter(rater="nobody"))

    assert FeedbackCounts(up=2, down=1, unrated=1, corrected=1) == counts
    assert FeedbackCounts(up=0, down=0, unrated=0, corrected=0) == of_ann


@pytest.mark.parametrize(
    "where",
    [
        FeedbackFilter(rating="down"),
        FeedbackFilter(rater="bob"),
        FeedbackFilter(response_id="r-2"),
        FeedbackFilter(key_id="key_2"),
        FeedbackFilter(source="console"),
        FeedbackFilter(choice_index=1),
        FeedbackFilter(tag="tone"),
        FeedbackFilter(is_standing=True, rater="bob"),
        FeedbackFilter(of=InteractionFilter(model="m-small"), rating="down"),
        FeedbackFilter(of=InteractionFilter(has_feedback=True), rater="bob"),
        FeedbackFilter(since_us=2),
        FeedbackFilter(since_us=2, until_us=3),
    ],
)
async def test_filter_leaves_only_what_it_names(
    store: Store, about: InteractionRecord, where: FeedbackFilter
) -> None:
    """Each filter keeps the one judgement that has what it asks for."""
    other = thumb(
        about,
        "down",
        "bob",
        created_us=2,
        response_id="r-2",
        choice_index=1,
        key_id="key_2",
        source="console",
        tags=("tone", "length"),
    )
    await _add(store, thumb(about, "up", created_us=1, tags=("to",)), other)

    async with store.reading() as unit:
        assert (other,) == (await unit.feedback.page(where)).items


async def test_feedback_is_found_by_what_it_is_about(
    store: Store, about: InteractionRecord
) -> None:
    """A filter on exchanges leaves out what was said of others."""
    await _add(store, thumb(about, "up"))

    async with store.reading() as unit:
        for of in (InteractionFilter(model="other"), InteractionFilter(min_risk=0.1)):
            assert (await unit.feedback.page(FeedbackFilter(of=of))).items == ()


async def test_odd_tags_do_not_break_the_search(store: Store, about: InteractionRecord) -> None:
    """What no database can unpack is replaced before it is stored."""
    await _add(store, thumb(about, "up", tags=("a\0b", "\ud800")))

    async with store.reading() as unit:
        page = await unit.feedback.page(FeedbackFilter(tag="a\0b"))

    assert [item.tags for item in page.items] == [("a\ufffdb", "?")]


async def test_pages_go_on_where_they_ended(store: Store, about: InteractionRecord) -> None:
    """The cursor of a page leads to the next, the last page has none."""
    said = [thumb(about, "up", created_us=at) for at in range(5)]
    await _add(store, *said)

    async with store.reading() as unit:
        first = await unit.feedback.page(limit=3)
        second = await unit.feedback.page(limit=3, cursor=first.next_cursor)

    assert tuple(reversed(said)) == first.items + second.items
    assert second.next_cursor is None


@pytest.mark.parametrize("table", ["feedback", "comparisons"])
async def test_what_a_rater_said_is_found_by_an_index(sqlite_file: Path, table: str) -> None:
    """SQLite plans a list of one rater by `(rater, created_us)`, not by reading all."""
    store = await Store.open(f"sqlite+aiosqlite:///{sqlite_file}")
    try:
        async with store.reading() as unit:
            asked = f"SELECT * FROM {table} WHERE rater = 'ann' ORDER BY created_us DESC, id DESC"
            plan = await unit.connection.execute(text(f"EXPLAIN QUERY PLAN {asked}"))
            steps = [row[-1] for row in plan]
    finally:
        await store.close()

    assert f"USING INDEX ix_{table}_rater_created_us (rater=?)" in steps[0]
