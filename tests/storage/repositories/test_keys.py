from __future__ import annotations

from dataclasses import replace

import pytest

from storage.errors import DuplicateRecord
from storage.keys import new_key
from storage.store import Store


async def test_key_is_found_by_its_hash(store: Store) -> None:
    """A key is read as it was written, by hash, and listed oldest first."""
    _, first = new_key("first", ("proxy", "feedback"), policies=("strict",))
    _, second = new_key("second")
    async with store.writing() as unit:
        await unit.keys.add(first)
        await unit.keys.add(second)

    async with store.reading() as unit:
        assert first == await unit.keys.by_hash(first.hash)
        assert await unit.keys.by_hash("nobody") is None
        assert [first, second] == await unit.keys.all()


async def test_key_is_kept_once(store: Store) -> None:
    """Two keys of the same hash cannot be."""
    _, record = new_key("first")
    async with store.writing() as unit:
        await unit.keys.add(record)

    with pytest.raises(DuplicateRecord):
        async with store.writing() as unit:
            await unit.keys.add(replace(record, id="key_other"))


@pytest.mark.parametrize("by", ["id", "name"])
async def test_key_is_revoked_once(store: Store, by: str) -> None:
    """A key is revoked by id or by name; the first time stands."""
    _, record = new_key("first")
    async with store.writing() as unit:
        await unit.keys.add(record)

    async with store.writing() as unit:
        assert await unit.keys.revoke(getattr(record, by), at_us=5) == 1
        assert await unit.keys.revoke(getattr(record, by), at_us=6) == 0

    async with store.reading() as unit:
        assert replace(record, revoked_us=5) == await unit.keys.by_hash(record.hash)
