"""Feedback: add, list, the latest word of each rater, counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, insert, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables
from storage.jsontext import clean
from storage.records import FeedbackRecord, Rating
from storage.repositories.paging import Page, cut_page, page_query

_table = tables.feedback
_EQUALS = ("interaction_id", "response_id", "rating", "rater", "key_id", "source")
_TEXTS = ("response_id", "comment", "correction", "rater", "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackFilter:
    """Which feedback to list; None does not filter. `since_us` is inclusive, `until_us` not."""

    interaction_id: str | None = None
    response_id: str | None = None
    rating: Rating | None = None
    rater: str | None = None
    key_id: str | None = None
    source: str | None = None
    since_us: int | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class FeedbackCounts:
    """How many feedback rows there are of each kind; one row may count as rated and corrected."""

    up: int
    down: int
    unrated: int
    corrected: int


class Feedback:
    """The feedback of one unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: FeedbackRecord) -> None:
        """Store one judgement; DuplicateRecord for a known id, MissingRecord for no exchange."""
        fields = asdict(record)
        for name in _TEXTS:
            fields[name] = None if fields[name] is None else clean(fields[name])
        await self._connection.execute(insert(_table).values(fields))

    async def get(self, ident: str) -> FeedbackRecord | None:
        """The judgement with this id."""
        query = select(_table).where(_table.c.id == clean(ident))
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else feedback_from(row)

    async def page(
        self, where: FeedbackFilter | None = None, *, limit: int = 50, cursor: str | None = None
    ) -> Page[FeedbackRecord]:
        """A page of feedback, newest first; InvalidCursor for a cursor that is none."""
        query = select(_table).where(_condition(where or FeedbackFilter()))
        query = page_query(query, _table, limit=limit, cursor=cursor)
        rows = (await self._connection.execute(query)).mappings().all()
        return cut_page([feedback_from(row) for row in rows], limit)

    async def latest(self, interaction_ids: Iterable[str]) -> list[FeedbackRecord]:
        """The newest rating of each rater on each choice of these exchanges, oldest first.

        A row without a rating (only a comment or a correction) leaves an earlier thumb standing.
        A rater is an API key and a `rater` text together; all who give no `rater` under one key
        count as one, so that a thumb turned over in a chat window counts once.
        """
        rank = func.row_number().over(
            partition_by=(
                _table.c.interaction_id,
                _table.c.choice_index,
                _table.c.key_id,
                _table.c.rater,
            ),
            order_by=(_table.c.created_us.desc(), _table.c.id.desc()),
        )
        ranked = (
            select(_table, rank.label("rank"))
            .where(_table.c.interaction_id.in_(list(interaction_ids)))
            .where(_table.c.rating.is_not(None))
            .subquery()
        )
        query = (
            select(*(ranked.c[column.name] for column in _table.columns))
            .where(ranked.c.rank == 1)
            .order_by(ranked.c.created_us, ranked.c.id)
        )
        rows = (await self._connection.execute(query)).mappings()
        return [feedback_from(row) for row in rows]

    async def counts(self, where: FeedbackFilter | None = None) -> FeedbackCounts:
        """How many rows of each kind there are."""
        columns = _table.c
        query = select(
            _count_if(columns.rating == "up"),
            _count_if(columns.rating == "down"),
            _count_if(columns.rating.is_(None)),
            _count_if(columns.correction != ""),
        ).where(_condition(where or FeedbackFilter()))
        return FeedbackCounts(*(await self._connection.execute(query)).one())


def feedback_from(row: Mapping[Any, Any]) -> FeedbackRecord:
    """The record of a row of `feedback`."""
    fields = dict(row)
    fields["tags"] = tuple(fields["tags"] or ())
    return FeedbackRecord(**fields)


def _count_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


def _condition(where: FeedbackFilter) -> ColumnElement[bool]:
    columns = _table.c
    wanted = [(columns[name], getattr(where, name)) for name in _EQUALS]
    parts = [column == clean(value) for column, value in wanted if value is not None]
    if where.since_us is not None:
        parts.append(columns.created_us >= where.since_us)
    if where.until_us is not None:
        parts.append(columns.created_us < where.until_us)
    return and_(true(), *parts)
