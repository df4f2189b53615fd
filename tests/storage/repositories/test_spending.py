"""What stance probes have cost, counted in the store."""

from __future__ import annotations

from storage.repositories.spending import Spent
from storage.store import Store


async def test_what_was_spent_since_a_time_is_counted(store: Store) -> None:
    """A reservation counts until it is settled; what is forgotten does not."""
    async with store.writing() as unit:
        assert await unit.spending.since(0) == Spent()
        await unit.spending.reserve(at_us=10, requests=2, tokens=100)
        late = await unit.spending.reserve(at_us=20, requests=2, tokens=300)
        assert await unit.spending.since(10) == Spent(4, 400, 10)
        assert await unit.spending.since(11) == Spent(2, 300, 20)
        await unit.spending.settle(late, requests=1, tokens=3_000_000_000)
        assert await unit.spending.since(11) == Spent(1, 3_000_000_000, 20)
        assert await unit.spending.forget(before_us=20) == 1
        assert await unit.spending.since(0) == Spent(1, 3_000_000_000, 20)
