"""The audit log is added to, listed, and never changed."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError

from storage import tables
from storage.errors import DuplicateRecord, InvalidCursor, StorageError
from storage.ids import new_id
from storage.records import AuditRecord
from storage.repositories.audit import AuditFilter
from storage.store import Store


def line(at_us: int, **changes: Any) -> AuditRecord:
    """A line of the log."""
    fields: dict[str, Any] = {
        "id": new_id("aud", at_us), "created_us": at_us, "run_id": f"run_{at_us}",
        "action": "export", "outcome": "done", "actor": "cli:ann",
        "filters": {"format": "dpo"}, "counts": {"rows": 3},
    }  # fmt: skip
    return AuditRecord(**fields | changes)


async def keep(store: Store, *records: AuditRecord) -> None:
    """Adds lines."""
    async with store.writing() as unit:
        for record in records:
            await unit.audit.add(record)


async def test_lines_come_newest_first_in_pages(store: Store) -> None:
    """Every field comes back; a cursor goes on where its page ended."""
    records = [line(at) for at in range(1, 6)]
    await keep(store, *records)

    async with store.reading() as unit:
        first = await unit.audit.page(limit=3)
        rest = await unit.audit.page(limit=3, cursor=first.next_cursor)

    assert [*first.items, *rest.items] == records[::-1]
    assert rest.next_cursor is None


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ({"action": "erase"}, [3]),
        ({"subject": "abc"}, [3]),
        ({"run_id": "run_2"}, [2]),
        ({"since_us": 2, "until_us": 3}, [2]),
    ],
)
async def test_lines_are_filtered(store: Store, where: Any, wanted: list[int]) -> None:
    """By what was done, to whom, in which run, and when."""
    await keep(store, line(1), line(2), line(3, action="erase", subject="abc"))

    async with store.reading() as unit:
        page = await unit.audit.page(AuditFilter(**where))

    assert [record.created_us for record in page.items] == wanted


@pytest.mark.parametrize("change", [delete(tables.audit), update(tables.audit).values(actor="x")])
async def test_lines_cannot_be_changed(store: Store, change: Any) -> None:
    """The database itself refuses, whoever asks."""
    await keep(store, line(1))

    with pytest.raises((StorageError, DBAPIError), match="can only be added to"):
        async with store.writing() as unit:
            await unit.connection.execute(change)

    async with store.reading() as unit:
        assert len((await unit.audit.page()).items) == 1


async def test_an_id_is_used_once_and_cursors_are_checked(store: Store) -> None:
    """The store's usual errors."""
    record = line(1)
    await keep(store, record)

    with pytest.raises(DuplicateRecord):
        await keep(store, record)
    async with store.reading() as unit:
        with pytest.raises(InvalidCursor):
            await unit.audit.page(cursor="nonsense")
