from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.errors import InvalidCursor
from storage.ids import new_id
from storage.repositories.interactions import InteractionFilter
from storage.repositories.paging import decode_cursor, encode_cursor
from storage.store import Store
from tests.storage.building import exchange
from tests.storage.conftest import sqlite_url

MOMENTS = st.integers(0, 5)
LATER = st.lists(MOMENTS, max_size=3)


@given(st.integers(0, 2**63 - 1), st.text(st.characters(exclude_categories=["Cs"])))
def test_cursor_comes_back(created_us: int, ident: str) -> None:
    """A cursor holds the time and the id it was made of."""
    expected = (created_us, ident.replace("\0", "\ufffd"))

    assert expected == decode_cursor(encode_cursor(created_us, ident))


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "é", "!!!!", "bnVsbA", "WzEsMl0", "a" * 10_000]
    + [base64.urlsafe_b64encode(raw).decode() for raw in (b'[-1,"a"]', b"[1]", b"[true")]
    + [base64.urlsafe_b64encode(b'[99999999999999999999,"a"]').decode()],
)
async def test_foreign_cursor_is_invalid(store: Store, cursor: str) -> None:
    """A cursor that was not given out is refused."""
    async with store.reading() as unit:
        with pytest.raises(InvalidCursor):
            await unit.interactions.page(cursor=cursor)


@given(
    first=st.lists(MOMENTS, max_size=12),
    later=st.lists(LATER, max_size=12),
    limit=st.integers(1, 4),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_pages_are_stable_while_rows_come_in(
    sqlite_file: Path, first: list[int], later: list[list[int]], limit: int
) -> None:
    """Paging shows every row that was there at the start exactly once, newest first."""
    store = await Store.open(sqlite_url(sqlite_file))
    conversation = new_id("c")
    added = iter(later)

    async def add(moments: list[int]) -> list[str]:
        records = [exchange(created_us=at, conversation=conversation) for at in moments]
        async with store.writing() as unit:
            for record in records:
                await unit.interactions.add(record)
        return [record.id for record in records]

    where = InteractionFilter(conversation=conversation)
    expected = await add(first)
    seen: list[tuple[int, str]] = []
    cursor: str | None = None
    while True:
        async with store.reading() as unit:
            page = await unit.interactions.page(where, limit=limit, cursor=cursor)
        seen += [(item.created_us, item.id) for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
        await add(next(added, []))
    await store.close()

    assert seen == sorted(set(seen), reverse=True)
    assert set(expected) <= {ident for _, ident in seen}
