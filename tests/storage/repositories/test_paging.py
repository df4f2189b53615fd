from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import tables
from storage.errors import InvalidCursor
from storage.records import InteractionRecord
from storage.repositories.comparisons import ComparisonFilter
from storage.repositories.feedback import FeedbackFilter
from storage.repositories.interactions import InteractionFilter
from storage.repositories.paging import Listing, decode_cursor, encode_cursor
from storage.store import Store, UnitOfWork
from tests.storage.building import exchange, preference, thumb

MOMENTS = st.integers(0, 5)


@dataclass(frozen=True)
class Listed:
    """One of the lists: how a row of it is made and where it is found."""

    repository: str
    make: Callable[[InteractionRecord, int], Any]
    where: Callable[[InteractionRecord], Any]

    def of(self, unit: UnitOfWork) -> Any:
        """The list's repository."""
        return getattr(unit, self.repository)


LISTS = {
    "interactions": Listed(
        "interactions",
        lambda about, at: exchange(created_us=at, conversation=about.id),
        lambda about: InteractionFilter(conversation=about.id),
    ),
    "feedback": Listed(
        "feedback",
        lambda about, at: thumb(about, "up", created_us=at),
        lambda about: FeedbackFilter(interaction_id=about.id),
    ),
    "comparisons": Listed(
        "comparisons",
        lambda about, at: preference(about, about, created_us=at),
        lambda about: ComparisonFilter(interaction_id=about.id),
    ),
}


@given(st.integers(0, 2**63 - 1), st.text(st.characters(exclude_categories=["Cs"])))
def test_cursor_comes_back(created_us: int, ident: str) -> None:
    """A cursor holds the time and the id it was made of."""
    expected = (created_us, ident.replace("\0", "\ufffd"))

    cursor = encode_cursor(created_us, ident, digest="list")

    assert expected == decode_cursor(cursor, digest="list")


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "cursor",
    ["", "x", "é", "!!!!", "bnVsbA", "WzEsMl0", "a" * 10_000]
    + [base64.urlsafe_b64encode(raw).decode() for raw in (b'[-1,"a"]', b"[1]", b"[true")]
    + [base64.urlsafe_b64encode(raw).decode() for raw in (b'[1,"a"]', b'[true,"a","b",1]')]
    + [base64.urlsafe_b64encode(b'[99999999999999999999,"a","b"]').decode()],
)
async def test_foreign_cursor_is_invalid(store: Store, cursor: str, name: str) -> None:
    """A cursor that was not given out is refused."""
    async with store.reading() as unit:
        with pytest.raises(InvalidCursor, match="begin without"):
            await LISTS[name].of(unit).page(cursor=cursor)


async def _fill(store: Store, listed: Listed, moments: list[int]) -> InteractionRecord:
    """Rows at these moments, all about one exchange."""
    about = exchange(created_us=0)
    async with store.writing() as unit:
        await unit.interactions.add(about)
        for at in moments:
            await listed.of(unit).add(listed.make(about, at))
    return about


@pytest.mark.parametrize("name", LISTS)
async def test_a_cursor_keeps_to_its_list_and_filters(store: Store, name: str) -> None:
    """Under other filters it would leave rows out; in another list its place means nothing."""
    listed = LISTS[name]
    about = await _fill(store, listed, [1, 2, 3])
    async with store.reading() as unit:
        page = await listed.of(unit).page(listed.where(about), limit=2)

        for other in LISTS.values():
            with pytest.raises(InvalidCursor, match="other filters"):
                await other.of(unit).page(cursor=page.next_cursor)
        for other in set(LISTS.values()) - {listed}:
            with pytest.raises(InvalidCursor, match="another list"):
                await other.of(unit).page(other.where(about), cursor=page.next_cursor)
        rest = await listed.of(unit).page(listed.where(about), cursor=page.next_cursor)

    assert (len(page.items), len(rest.items), rest.next_cursor) == (2, 1, None)


@pytest.mark.parametrize("name", LISTS)
@given(
    first=st.lists(MOMENTS, max_size=12),
    later=st.lists(MOMENTS, max_size=24),
    limit=st.integers(1, 4),
)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_pages_are_stable_while_rows_come_in(
    database_url: str, name: str, first: list[int], later: list[int], limit: int
) -> None:
    """Every row that was there at the start is shown exactly once, newest first.

    Rows are written all the while, some older than what is being read.
    """
    store = await Store.open(database_url)
    listed = LISTS[name]
    about = await _fill(store, listed, first)
    where = listed.where(about)
    async with store.reading() as unit:
        expected = {item.id for item in (await listed.of(unit).page(where, limit=1000)).items}

    writing = asyncio.create_task(_write(store, listed, about, iter(later)))
    seen = await _read_all(store, listed, where, limit)
    writing.cancel()
    with suppress(asyncio.CancelledError):
        await writing
    await store.close()

    assert seen == sorted(set(seen), reverse=True)
    assert expected <= {ident for _, ident in seen}


async def _write(
    store: Store, listed: Listed, about: InteractionRecord, moments: Iterator[int]
) -> None:
    for at in moments:
        async with store.writing() as unit:
            await listed.of(unit).add(listed.make(about, at))


async def _read_all(store: Store, listed: Listed, where: Any, limit: int) -> list[tuple[int, str]]:
    seen: list[tuple[int, str]] = []
    cursor: str | None = None
    while True:
        async with store.reading() as unit:
            page = await listed.of(unit).page(where, limit=limit, cursor=cursor)
        seen += [(item.created_us, item.id) for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return seen


def test_a_cursor_does_not_depend_on_filters_that_are_not_set() -> None:
    """A filter that a later version adds leaves cursors that are out there as they are."""
    digest = Listing(tables.interactions, InteractionFilter(model="m")).digest

    assert digest == Listing(tables.interactions, OneFilter(model="m")).digest
    assert digest != Listing(tables.interactions, OneFilter(model="n")).digest
    assert digest != Listing(tables.feedback, OneFilter(model="m")).digest


@dataclass(frozen=True)
class OneFilter:
    """A filter with fewer fields."""

    model: str | None = None
