"""The audit log: added to and read, never changed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables
from storage.jsontext import clean
from storage.records import AuditAction, AuditRecord
from storage.repositories.paging import Listing, Page

_table = tables.audit


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which lines to list; None does not filter. `since_us` is inclusive, `until_us` not."""

    action: AuditAction | None = None
    run_id: str | None = None
    subject: str | None = None
    since_us: int | None = None
    until_us: int | None = None


class Audit:
    """The audit log of one unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: AuditRecord) -> None:
        """Add one line; DuplicateRecord for a known id."""
        fields = asdict(record) | {"actor": clean(record.actor)}
        await self._connection.execute(insert(_table).values(fields))

    async def exported_files(self) -> set[str]:
        """Every file that an export was begun to, as the command was told it."""
        name = _table.c.filters["file"].as_string()
        is_export = and_(_table.c.action == "export", _table.c.outcome == "started")
        query = select(name).where(is_export, name.is_not(None)).distinct()
        return set((await self._connection.execute(query)).scalars())

    async def page(
        self, where: AuditFilter | None = None, *, limit: int = 50, cursor: str | None = None
    ) -> Page[AuditRecord]:
        """A page of lines, newest first; InvalidCursor for a cursor that is none."""
        where = where or AuditFilter()
        listing = Listing(_table, where)
        query = listing.narrow(select(_table).where(_condition(where)), limit=limit, cursor=cursor)
        rows = (await self._connection.execute(query)).mappings().all()
        return listing.page([AuditRecord(**row) for row in rows], limit)


def _condition(where: AuditFilter) -> ColumnElement[bool]:
    columns = _table.c
    wanted: list[tuple[Any, str | None]] = [
        (columns.action, where.action),
        (columns.run_id, where.run_id),
        (columns.subject, where.subject),
    ]
    parts = [column == clean(value) for column, value in wanted if value is not None]
    if where.since_us is not None:
        parts.append(columns.created_us >= where.since_us)
    if where.until_us is not None:
        parts.append(columns.created_us < where.until_us)
    return and_(true(), *parts)
