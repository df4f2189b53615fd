from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from storage import partitions
from storage.errors import MissingRecord, StoreUnavailable
from storage.ids import first_id, new_id, now_us
from storage.partitions import Span
from storage.store import Store
from tests.storage.building import exchange, preference, score, thumb

DAY_US = 86_400_000_000


async def _spans(store: Store) -> list[Span]:
    async with store.reading() as unit:
        return await partitions.spans(unit.connection)


async def _where(store: Store, ident: str) -> set[str]:
    """The partitions that have the rows of an exchange."""
    query = " UNION ALL ".join(
        f"SELECT tableoid::regclass::text FROM {table} WHERE {key} = :ident"
        for table, key in partitions.TABLES.items()
    )
    async with store.reading() as unit:
        return set((await unit.connection.execute(text(query), {"ident": ident})).scalars())


async def _add(store: Store, at_us: int) -> str:
    ident = new_id("fl", at_us)
    record = exchange(id=ident, created_us=at_us, scores=(score(),), response_ids=("r",))
    async with store.writing() as unit:
        await unit.interactions.add(record)
    return ident


async def test_a_new_database_has_partitions_for_some_time(server: Store) -> None:
    """The schema comes with partitions without gaps that reach past the next span."""
    found = await _spans(server)

    assert found[0].start_us <= now_us()
    assert found[-1].stop_us >= now_us() + 60 * DAY_US
    assert [span.stop_us for span in found[:-1]] == [span.start_us for span in found[1:]]


async def test_an_exchange_and_its_rows_are_in_partitions_of_one_time(server: Store) -> None:
    """Scores, reply ids and tags lie in the partitions beside that of their exchange."""
    now = (await _spans(server))[0]

    ident = await _add(server, now_us())

    assert await _where(server, ident) == {
        f"{table}_{now.suffix}" for table in ("interactions", "scores", "responses")
    }


async def test_what_no_partition_takes_is_kept(server: Store) -> None:
    """An exchange of a time that nobody prepared for is stored and found like any other."""
    late = await _add(server, now_us() + 900 * DAY_US)

    assert await _where(server, late) == {
        f"{table}_default" for table in ("interactions", "scores", "responses")
    }
    async with server.reading() as unit:
        assert len(await unit.interactions.find("r")) == 1


async def test_partitions_are_made_ahead_once(server: Store) -> None:
    """Time goes on and partitions follow, of the length that is wanted; twice makes none twice."""
    last = (await _spans(server))[-1]
    later = last.stop_us + DAY_US

    made = await partitions.make_ahead(server, span_days=7, at_us=later)
    again = await partitions.make_ahead(server, span_days=7, at_us=later)

    new = (await _spans(server))[-len(made) :]
    assert [f"interactions_{span.suffix}" for span in new] == list(made)
    assert (new[0].start_us, again) == (last.stop_us, ())
    assert {span.stop_us - span.start_us for span in new[1:]} == {7 * DAY_US}
    assert later + 14 * DAY_US <= new[-1].stop_us < later + 21 * DAY_US


async def test_processes_that_make_partitions_at_once_agree(server: Store) -> None:
    """Of several at once one works; none fails and none is in another's way."""
    later = (await _spans(server))[-1].stop_us + DAY_US

    made = await asyncio.gather(*(partitions.make_ahead(server, at_us=later) for _ in range(4)))
    made += await asyncio.gather(*(partitions.make_ahead(server, at_us=later) for _ in range(2)))

    names = [name for each in made for name in each]
    assert names
    assert sorted(names) == sorted(set(names))


async def test_late_partitions_begin_after_what_came_meanwhile(server: Store) -> None:
    """What lies in the default partition stays there; the next partition begins after it."""
    last = (await _spans(server))[-1]
    ident = await _add(server, last.stop_us + 3 * DAY_US)

    await partitions.make_ahead(server, at_us=last.stop_us + 3 * DAY_US)

    new = next(span for span in await _spans(server) if span > last)
    hour_us = 3_600_000_000
    assert last.stop_us + 3 * DAY_US < new.start_us <= last.stop_us + 3 * DAY_US + hour_us
    assert "interactions_default" in await _where(server, ident)


async def test_a_long_reader_is_not_disturbed(server: Store) -> None:
    """Making partitions gives up soon while an export reads, so that no writer waits behind it."""
    later = (await _spans(server))[-1].stop_us + DAY_US
    async with server.reading() as unit:
        await unit.interactions.page()

        with pytest.raises(StoreUnavailable):
            await partitions.make_ahead(server, at_us=later)

    assert await partitions.make_ahead(server, at_us=later)


async def test_a_dropped_span_is_gone_with_its_rows(server: Store) -> None:
    """Dropping takes the exchanges of the span and their rows, and no others."""
    now = (await _spans(server))[0]
    inside = await _add(server, now_us())
    outside = await _add(server, now.stop_us + 1)

    await partitions.drop(server, now)

    async with server.reading() as unit:
        assert [found.id for found in await unit.interactions.find("r")] == [outside]
        assert await unit.interactions.get(inside) is None
    assert now not in await _spans(server)


async def test_a_span_is_not_dropped_while_feedback_refers_to_it(server: Store) -> None:
    """Feedback is never left behind without its exchange: the drop fails and changes nothing."""
    now = (await _spans(server))[0]
    ident = await _add(server, now_us())
    async with server.writing() as unit:
        found = await unit.interactions.get(ident)
        assert found is not None
        await unit.feedback.add(thumb(found, "up"))

    with pytest.raises(MissingRecord):
        await partitions.drop(server, now)

    assert now in await _spans(server)


async def test_the_same_exchange_is_stored_once(store: Store) -> None:
    """A record that is replayed after a crash adds nothing, on partitions too."""
    record = exchange(scores=(score(),), response_ids=("r",), tags=("t",))

    for _ in range(2):
        async with store.writing() as unit:
            await unit.interactions.add(record)

    async with store.reading() as unit:
        assert await unit.interactions.find("r") == [record]


async def test_nothing_refers_to_an_exchange_that_is_not_there(store: Store) -> None:
    """Feedback on an unknown exchange is refused on both engines."""
    with pytest.raises(MissingRecord):
        async with store.writing() as unit:
            await unit.feedback.add(thumb(exchange(), "up"))


async def test_a_deleted_exchange_takes_its_rows_along(store: Store) -> None:
    """Scores, reply ids, tags, feedback and comparisons go with their exchange, on both engines."""
    gone, kept = (exchange(scores=(score(),), response_ids=("r",), tags=("t",)) for _ in range(2))
    async with store.writing() as unit:
        for record in (gone, kept):
            await unit.interactions.add(record)
            await unit.feedback.add(thumb(record, "up"))
        await unit.comparisons.add(preference(gone, kept))

    async with store.writing() as unit:
        delete = text("DELETE FROM interactions WHERE id = :ident")
        await unit.connection.execute(delete, {"ident": gone.id})

    counts = {"scores": 1, "responses": 1, "tags": 1, "feedback": 1, "comparisons": 0}
    async with store.reading() as unit:
        for table, left in counts.items():
            found = await unit.connection.execute(text(f"SELECT count(*) FROM {table}"))
            assert found.scalar_one() == left, table


async def test_sqlite_has_no_partitions(sqlite_file: object, tmp_path: object) -> None:
    """Making partitions does nothing there."""
    store = await Store.open(f"sqlite+aiosqlite:///{sqlite_file}")

    assert await partitions.make_ahead(store) == ()
    await store.close()


def test_bounds_of_a_span_are_ids() -> None:
    """Every id made within a span lies between its bounds, the first microsecond included."""
    span = Span.of(5 * DAY_US, 6 * DAY_US)

    assert span.first <= new_id("fl", span.start_us) < new_id("fl", span.stop_us - 1) < span.bound
    assert first_id("fl", span.stop_us) == span.bound <= new_id("fl", span.stop_us)
