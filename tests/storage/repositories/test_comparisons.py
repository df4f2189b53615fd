from __future__ import annotations

import pytest

from storage.errors import MissingRecord
from storage.repositories.comparisons import ComparisonFilter
from storage.store import Store
from tests.storage.building import exchange, preference


async def test_comparison_comes_back_whole(store: Store) -> None:
    """A comparison is read as it was written and found by both of its exchanges."""
    better, worse = exchange(), exchange()
    said = preference(better, worse, comment="clearer", chosen_choice=1, key_id="key_1")
    async with store.writing() as unit:
        await unit.interactions.add(better)
        await unit.interactions.add(worse)
        await unit.comparisons.add(said)

    async with store.reading() as unit:
        assert said == await unit.comparisons.get(said.id)
        for ident in (better.id, worse.id, None):
            where = ComparisonFilter(interaction_id=ident)
            assert (said,) == (await unit.comparisons.page(where)).items
        assert (await unit.comparisons.page(ComparisonFilter(interaction_id="other"))).items == ()
        assert await unit.comparisons.get("cmp_nobody") is None


async def test_comparison_of_nothing_is_refused(store: Store) -> None:
    """An exchange that is not stored cannot be compared."""
    with pytest.raises(MissingRecord):
        async with store.writing() as unit:
            await unit.comparisons.add(preference(exchange(), exchange()))
