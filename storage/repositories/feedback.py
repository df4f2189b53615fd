"""Feedback: add, list, the latest word of each rater, counts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    exists,
    func,
    insert,
    select,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables
from storage.jsontext import clean
from storage.records import FeedbackRecord, Rating
from storage.repositories.interactions import InteractionFilter, interaction_condition
from storage.repositories.paging import STREAMED_ROWS, Listing, Page
from storage.repositories.standing import is_standing

_table = tables.feedback
_EQUALS = ("interaction_id", "response_id", "choice_index", "rating", "rater", "key_id", "source")
_ROWS_PER_INSERT = 500
_TEXTS = ("response_id", "comment", "correction", "rater", "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackFilter:
    """Which feedback to list; None does not filter. `since_us` is inclusive, `until_us` not.

    `is_standing` keeps the ratings that count now, or those rows that are none; `of` is what the
    exchange has to meet.
    """

    interaction_id: str | None = None
    response_id: str | None = None
    choice_index: int | None = None
    rating: Rating | None = None
    rater: str | None = None
    key_id: str | None = None
    source: str | None = None
    tag: str | None = None
    is_standing: bool | None = None
    of: InteractionFilter | None = None
    since_us: int | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class FeedbackCounts:
    """How many feedback rows there are of each kind; one row may count as rated and corrected."""

    up: int
    down: int
    unrated: int
    corrected: int


class RatingRow(NamedTuple):
    """A rating without the texts beside it."""

    interaction_id: str
    choice_index: int
    key_id: str | None
    rater: str
    rating: Rating


class Feedback:
    """The feedback of one unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: FeedbackRecord) -> None:
        """Store one judgement; DuplicateRecord for a known id, MissingRecord for no exchange."""
        await self._connection.execute(insert(_table).values(_fields(record)))

    async def add_new(self, records: Sequence[FeedbackRecord]) -> list[FeedbackRecord]:
        """Store those whose id is not there yet; gives those that it stored.

        MissingRecord where an exchange is not there, and then none is stored.
        """
        make = sqlite.insert if self._connection.dialect.name == "sqlite" else postgresql.insert
        added: set[str] = set()
        for chunk in _chunks(records):
            statement = make(_table).values([_fields(record) for record in chunk])
            stored = await self._connection.execute(
                statement.on_conflict_do_nothing(index_elements=["id"]).returning(_table.c.id)
            )
            added.update(stored.scalars())
        fresh = {record.id: record for record in reversed(records) if record.id in added}
        return list(reversed(fresh.values()))

    async def known(self, idents: Iterable[str]) -> set[str]:
        """Those of the ids that feedback has."""
        query = select(_table.c.id).where(_table.c.id.in_(list(idents)))
        return set((await self._connection.execute(query)).scalars())

    async def get(self, ident: str) -> FeedbackRecord | None:
        """The judgement with this id."""
        query = select(_table).where(_table.c.id == clean(ident))
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else feedback_from(row)

    async def page(
        self, where: FeedbackFilter | None = None, *, limit: int = 50, cursor: str | None = None
    ) -> Page[FeedbackRecord]:
        """A page of feedback, newest first; InvalidCursor for a cursor that is none of its."""
        where = where or FeedbackFilter()
        listing = Listing(_table, where)
        query = select(_table).where(self._condition(where))
        query = listing.narrow(query, limit=limit, cursor=cursor)
        rows = (await self._connection.execute(query)).mappings().all()
        return listing.page([feedback_from(row) for row in rows], limit)

    async def latest(self, interaction_ids: Iterable[str]) -> list[FeedbackRecord]:
        """The rating of each rater that stands, of each choice of these exchanges, oldest first.

        See `standing.is_standing`.
        """
        query = (
            select(_table)
            .where(_table.c.interaction_id.in_(list(interaction_ids)))
            .where(is_standing())
            .order_by(_table.c.created_us, _table.c.id)
        )
        rows = (await self._connection.execute(query)).mappings()
        return [feedback_from(row) for row in rows]

    async def ratings(self, where: FeedbackFilter | None = None) -> AsyncIterator[RatingRow]:
        """Every rating, of one choice after the other, of one choice the oldest first."""
        columns = _table.c
        query = (
            select(*(columns[name] for name in RatingRow._fields))
            .where(columns.rating.is_not(None), self._condition(where or FeedbackFilter()))
            .order_by(columns.interaction_id, columns.choice_index, columns.created_us, columns.id)
        )
        streamed = query.execution_options(yield_per=STREAMED_ROWS)
        async with self._connection.stream(streamed) as found:
            async for rows in found.partitions():
                for row in rows:
                    yield RatingRow(*row)

    async def counts(self, where: FeedbackFilter | None = None) -> FeedbackCounts:
        """How many rows of each kind there are."""
        columns = _table.c
        query = select(
            _count_if(columns.rating == "up"),
            _count_if(columns.rating == "down"),
            _count_if(columns.rating.is_(None)),
            _count_if(columns.correction != ""),
        ).where(self._condition(where or FeedbackFilter()))
        return FeedbackCounts(*(await self._connection.execute(query)).one())

    def _condition(self, where: FeedbackFilter) -> ColumnElement[bool]:
        columns = _table.c
        wanted = [(columns[name], getattr(where, name)) for name in _EQUALS]
        parts = [column == _sound(value) for column, value in wanted if value is not None]
        if where.since_us is not None:
            parts.append(columns.created_us >= where.since_us)
        if where.until_us is not None:
            parts.append(columns.created_us < where.until_us)
        if where.is_standing is not None:
            parts.append(is_standing() if where.is_standing else ~is_standing())
        if where.tag is not None:
            parts.append(self._has_tag(where.tag))
        if where.of is not None:
            exchange = tables.interactions.c.id == columns.interaction_id
            parts.append(exists().where(exchange, interaction_condition(where.of)))
        return and_(true(), *parts)

    def _has_tag(self, tag: str) -> ColumnElement[bool]:
        is_sqlite = self._connection.dialect.name == "sqlite"
        unpack = func.json_each if is_sqlite else func.json_array_elements_text
        tags = unpack(_table.c.tags).table_valued("value")
        return exists(select(1).select_from(tags).where(tags.c.value == clean(tag)))


def feedback_from(row: Mapping[Any, Any]) -> FeedbackRecord:
    """The record of a row of `feedback`."""
    fields = dict(row)
    fields["tags"] = tuple(fields["tags"] or ())
    return FeedbackRecord(**fields)


def _fields(record: FeedbackRecord) -> dict[str, Any]:
    fields = asdict(record)
    for name in _TEXTS:
        fields[name] = None if fields[name] is None else clean(fields[name])
    fields["tags"] = [clean(tag) for tag in record.tags]
    return fields


def _chunks(records: Sequence[FeedbackRecord]) -> Iterator[Sequence[FeedbackRecord]]:
    for at in range(0, len(records), _ROWS_PER_INSERT):
        yield records[at : at + _ROWS_PER_INSERT]


def _sound(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value


def _count_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))
