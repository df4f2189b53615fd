from __future__ import annotations

from storage import partitions, retention
from storage.ids import new_id, now_us
from storage.records import IdempotencyRecord
from storage.store import Store
from tests.storage.building import exchange, preference, score, thumb

DAY_US = 86_400_000_000
NOW_US = now_us()


async def _add(store: Store, at_us: int, number: int = 3) -> list[str]:
    """So many exchanges with all that may belong to one; the ids."""
    records = [
        exchange(
            id=new_id("fl", at_us), created_us=at_us, scores=(score(),), response_ids=("r",),
            tags=("t",),
        )
        for _ in range(number)
    ]  # fmt: skip
    async with store.writing() as unit:
        for record in records:
            await unit.interactions.add(record)
            await unit.feedback.add(thumb(record, "up"))
        await unit.comparisons.add(preference(records[0], records[1]))
        await unit.idempotency.add(
            IdempotencyRecord(
                key=records[0].id, key_id="", endpoint="/", body_hash="", response={},
                created_us=at_us,
            )
        )  # fmt: skip
    return [record.id for record in records]


_ALL = {
    "interactions": 3,
    "scores": 3,
    "responses": 3,
    "tags": 3,
    "feedback": 3,
    "comparisons": 1,
    "idempotency": 1,
}


async def _left(store: Store) -> set[str]:
    async with store.reading() as unit:
        return {item.id for item in (await unit.interactions.page()).items}


async def _later(store: Store, days: int) -> int:
    """A moment so long after the end of today's partition, or after now where there is none."""
    if not partitions.has_partitions(store):
        return NOW_US + days * DAY_US + 1
    async with store.reading() as unit:
        today = (await partitions.spans(unit.connection))[0]
    return today.stop_us + days * DAY_US + 3_600_000_000


async def test_old_exchanges_go_with_all_that_belongs_to_them(store: Store) -> None:
    """Scores, ids, tags, feedback, comparisons and kept answers go too, and are counted."""
    await _add(store, NOW_US)
    later = await _later(store, 30)
    kept = await _add(store, later - DAY_US)

    pruned = await retention.prune(store, days=30, at_us=later)

    assert pruned.rows == _ALL
    assert pruned.is_finished
    assert await _left(store) == set(kept)
    assert (await retention.prune(store, days=30, at_us=later)).rows == {}


async def test_a_dry_run_tells_the_same_and_removes_nothing(store: Store) -> None:
    """What a dry run counts is what the run then removes."""
    idents = await _add(store, NOW_US)
    later = await _later(store, 30)

    told = await retention.prune(store, days=30, at_us=later, is_dry_run=True)

    assert await _left(store) == set(idents)
    assert told == await retention.prune(store, days=30, at_us=later)


async def test_nothing_goes_before_its_time(store: Store) -> None:
    """Exchanges that are not old enough stay, and so does what was said of them."""
    idents = await _add(store, NOW_US - 29 * DAY_US)

    pruned = await retention.prune(store, days=30, at_us=NOW_US)

    assert (pruned.rows, pruned.partitions) == ({}, ())
    assert await _left(store) == set(idents)


async def test_a_comparison_goes_with_either_side(store: Store) -> None:
    """A preference between an old reply and a young one goes; the young one stays."""
    later = await _later(store, 30)
    old = exchange(id=new_id("fl", NOW_US), created_us=NOW_US)
    young = exchange(id=new_id("fl", later), created_us=later)
    async with store.writing() as unit:
        for record in (old, young):
            await unit.interactions.add(record)
        await unit.comparisons.add(preference(young, old))

    pruned = await retention.prune(store, days=30, at_us=later)

    assert pruned.rows == {"interactions": 1, "comparisons": 1}
    assert await _left(store) == {young.id}


async def test_more_than_one_group_goes(store: Store) -> None:
    """Any number of exchanges goes, a group after the other."""
    await _add(store, NOW_US, number=retention.GROUP + 3)
    later = await _later(store, 1)

    pruned = await retention.prune(store, days=1, at_us=later)

    assert pruned.rows["interactions"] == pruned.rows["feedback"] == retention.GROUP + 3


async def test_without_time_it_stops_and_says_so(store: Store) -> None:
    """A run whose time is over removes nothing more; the next one goes on."""
    idents = await _add(store, NOW_US)
    later = await _later(store, 30)

    pruned = await retention.prune(store, days=30, at_us=later, limit_s=0)

    assert not pruned.is_finished
    assert await _left(store) == set(idents)


async def test_whole_partitions_go(server: Store) -> None:
    """On PostgreSQL the partition of an old time is gone; nothing of it was deleted row by row."""
    await _add(server, NOW_US)
    later = await _later(server, 30)
    async with server.reading() as unit:
        before = await partitions.spans(unit.connection)

    pruned = await retention.prune(server, days=30, at_us=later)

    async with server.reading() as unit:
        after = await partitions.spans(unit.connection)
    assert pruned.partitions == (f"interactions_{before[0].suffix}",)
    assert after == before[1:]


async def test_a_partition_stays_while_it_holds_younger_exchanges(server: Store) -> None:
    """An exchange whose id is older than itself keeps its partition."""
    later = await _later(server, 30)
    odd = exchange(id=new_id("fl", NOW_US), created_us=later)
    async with server.writing() as unit:
        await unit.interactions.add(odd)

    pruned = await retention.prune(server, days=30, at_us=later)

    assert (pruned.rows, pruned.partitions) == ({}, ())
    assert await _left(server) == {odd.id}


async def test_what_is_in_no_partition_goes_too(server: Store) -> None:
    """Old exchanges of the default partition are deleted a few at a time."""
    idents = await _add(server, NOW_US - 900 * DAY_US)
    young = await _add(server, NOW_US)

    pruned = await retention.prune(server, days=30, at_us=NOW_US)

    assert len(idents) == 3
    assert (pruned.rows, pruned.partitions) == (_ALL, ())
    assert await _left(server) == set(young)
