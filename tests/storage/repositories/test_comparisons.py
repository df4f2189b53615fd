from __future__ import annotations

import pytest

from storage.errors import MissingRecord
from storage.rankings import comparisons_of, tiers_of
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


async def test_a_ranking_comes_back_to_its_owner(store: Store) -> None:
    """All of its comparisons, the first first, with what makes the ranking again."""
    tiers = [[(exchange().id, 0)], [(exchange().id, 1), (exchange().id, 0)]]
    made = comparisons_of(tiers, created_us=5, rater="ann", comment="so", key_id="key_1")
    async with store.writing() as unit:
        for ident in (place[0] for tier in tiers for place in tier):
            await unit.interactions.add(exchange(id=ident))
        await unit.comparisons.add_all(made)
    ident = made[0].ranking_id or ""

    async with store.reading() as unit:
        for key_id in (None, "key_1"):
            assert await unit.comparisons.ranking(ident, key_id=key_id) == made
        assert await unit.comparisons.ranking(ident, key_id="key_2") == []
        page = await unit.comparisons.page(ComparisonFilter(ranking_id=ident, rater="ann"))

    assert list(reversed(page.items)) == made
    assert tiers_of(made) == tiers


async def test_a_ranking_of_nothing_is_not_stored(store: Store) -> None:
    """One exchange that is not there takes all of its comparisons back."""
    there = exchange()
    async with store.writing() as unit:
        await unit.interactions.add(there)
    made = comparisons_of([[(there.id, 0)], [(there.id, 1)], [("fl_no", 0)]], created_us=1)

    with pytest.raises(MissingRecord):
        async with store.writing() as unit:
            await unit.comparisons.add_all(made)

    async with store.reading() as unit:
        assert (await unit.comparisons.page()).items == ()
