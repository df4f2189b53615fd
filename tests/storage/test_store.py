from __future__ import annotations

import asyncio

import pytest

from storage.errors import StoreUnavailable
from storage.store import Store
from tests.storage.building import exchange


async def test_open_store_answers(store: Store) -> None:
    """A store that is there answers a ping."""
    await store.ping()


async def test_closed_block_is_committed(store: Store) -> None:
    """What was written is there for the next reader."""
    record = exchange()

    async with store.writing() as unit:
        await unit.interactions.add(record)

    async with store.reading() as unit:
        assert record == await unit.interactions.get(record.id)


async def test_failed_block_leaves_nothing(store: Store) -> None:
    """When the block raises, nothing of it is stored and the error comes out unchanged."""
    record = exchange()

    async def write_and_fail() -> None:
        async with store.writing() as unit:
            await unit.interactions.add(record)
            raise KeyError

    with pytest.raises(KeyError):
        await write_and_fail()

    async with store.reading() as unit:
        assert await unit.interactions.get(record.id) is None


async def test_reading_cannot_write(store: Store) -> None:
    """A unit of work opened for reading refuses to write."""
    with pytest.raises(StoreUnavailable):
        async with store.reading() as unit:
            await unit.interactions.add(exchange())


async def test_reader_sees_one_moment(store: Store) -> None:
    """What is committed while a unit of work reads does not show in it."""
    async with store.reading() as reading:
        before = await reading.interactions.page()
        async with store.writing() as writing:
            await writing.interactions.add(exchange())
        after = await reading.interactions.page()

    assert before == after


async def test_writers_take_turns(store: Store) -> None:
    """Many units of work that write at once all succeed."""

    async def write() -> None:
        async with store.writing() as unit:
            await unit.interactions.add(exchange())

    await asyncio.gather(*(write() for _ in range(20)))

    async with store.reading() as unit:
        assert len((await unit.interactions.page()).items) == 20
