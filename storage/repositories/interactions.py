"""Exchanges: get, find by the reply's own id, list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, null, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables
from storage.jsontext import clean, short
from storage.records import InteractionRecord, Json, Rating, Status, Verdict
from storage.repositories.paging import Listing, Page
from storage.repositories.standing import is_standing
from storage.rows import InsertSql, decode, encode
from storage.textlevel import FIELD, TextLevel

_table = tables.interactions
_SAME_RESPONSE_ID = 100
_EQUALS = (
    "model",
    "status",
    "verdict",
    "user",
    "conversation",
    "policy",
    "route",
    "key_id",
    "prompt_hash",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionFilter:
    """Which exchanges to list; None does not filter. `since_us` is inclusive, `until_us` not.

    `model` is the model asked for. `min_risk` is the least risk that a scorer gave, `scorer` or
    any. `has_feedback` counts feedback and comparisons of any kind; `rating` and `rater` look at
    ratings that stand, of any choice.
    """

    model: str | None = None
    status: Status | None = None
    verdict: Verdict | None = None
    user: str | None = None
    conversation: str | None = None
    policy: str | None = None
    route: str | None = None
    key_id: str | None = None
    prompt_hash: str | None = None
    tag: str | None = None
    response_id: str | None = None
    scorer: str | None = None
    min_risk: float | None = None
    has_feedback: bool | None = None
    rating: Rating | None = None
    rater: str | None = None
    since_us: int | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What of an exchange somebody who judges it has to know: its ids, choices, texts' level."""

    id: str
    response_ids: tuple[str, ...]
    choices: tuple[int, ...]
    level: TextLevel = "keep"


class Interactions:
    """The exchanges of one unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, ident: str) -> InteractionRecord | None:
        """The exchange with this id."""
        found = await self._load(_table.c.id == short(ident))
        return found[0] if found else None

    async def by_response(
        self, response_id: str, *, key_id: str | None = None
    ) -> list[InteractionRecord]:
        """The exchanges whose reply carried this id, newest first; upstreams may repeat ids.

        With `key_id` those of one tenant only. Of an id that is used over and over the newest
        hundred are given.
        """
        owners = select(tables.responses.c.interaction_id).where(
            tables.responses.c.response_id == short(response_id)
        )
        named = _table.c.id.in_(owners)
        return await self._load(and_(named, _is_of(key_id)), limit=_SAME_RESPONSE_ID)

    async def find(self, any_id: str, *, key_id: str | None = None) -> list[InteractionRecord]:
        """The exchange with this id, else those whose reply carried it, newest first.

        With `key_id` those of one tenant only; another's are as good as unknown.
        """
        found = await self._load(and_(_table.c.id == short(any_id), _is_of(key_id)))
        return found or await self.by_response(any_id, key_id=key_id)

    async def targets(
        self, any_ids: Iterable[str], *, key_id: str | None = None
    ) -> dict[str, list[Target]]:
        """For each id, the exchange that has it, else those whose reply carried it.

        As `find` for many ids at once, without the texts; ids of nothing have an empty list.
        """
        wanted = {ident: short(ident) for ident in any_ids}
        columns, replies = _table.c, tables.responses.c
        by_id = await self._targets(columns.id, columns.id.in_(set(wanted.values())), key_id)
        rest = {name for name in wanted.values() if name not in by_id}
        joined = and_(replies.response_id.in_(rest), replies.interaction_id == columns.id)
        by_reply = await self._targets(replies.response_id, joined, key_id) if rest else {}
        found = by_id | by_reply
        return {ident: found.get(name, []) for ident, name in wanted.items()}

    async def _targets(
        self, named: ColumnElement[str], condition: ColumnElement[bool], key_id: str | None
    ) -> dict[str, list[Target]]:
        columns = _table.c
        query = select(named.label("named"), columns.id, columns.response_ids, columns.choices)
        query = query.add_columns(columns.request[FIELD].as_string().label("level"))
        found: dict[str, list[Target]] = {}
        for row in await self._connection.execute(query.where(condition, _is_of(key_id))):
            choices = tuple(choice["index"] for choice in row.choices or ()) or (0,)
            target = Target(row.id, tuple(row.response_ids or ()), choices, row.level or "keep")
            found.setdefault(row.named, []).append(target)
        return found

    async def many(self, idents: Iterable[str]) -> dict[str, InteractionRecord]:
        """The exchanges with these ids, as far as they exist."""
        found = await self._load(_table.c.id.in_(list(idents)))
        return {record.id: record for record in found}

    async def page(
        self,
        where: InteractionFilter | None = None,
        *,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[InteractionRecord]:
        """A page of exchanges, newest first; InvalidCursor for a cursor that is none of theirs."""
        where = where or InteractionFilter()
        listing = Listing(_table, where)
        query = listing.narrow(
            select(_table).where(interaction_condition(where)), limit=limit, cursor=cursor
        )
        rows = (await self._connection.execute(query)).mappings().all()
        return listing.page(await self._with_scores(rows), limit)

    async def add(self, record: InteractionRecord) -> None:
        """Store one exchange unless its id is there; traffic goes through the Writer instead."""
        sql = InsertSql.of(self._connection.dialect)
        rows = encode(record)
        await self._connection.exec_driver_sql(sql.interactions, [rows.interaction])
        for statement, children in (
            (sql.scores, rows.scores),
            (sql.responses, rows.responses),
            (sql.tags, rows.tags),
        ):
            if children:
                await self._connection.exec_driver_sql(statement, list(children))

    async def add_twin(self, ident: str, twin: Json) -> bool:
        """Puts a twin beside an exchange that is stored without one; whether it was there."""
        return await self._add_beside(ident, "twin", twin)

    async def add_stance_probe(self, ident: str, probe: Json) -> bool:
        """The same with what a stance probe found."""
        return await self._add_beside(ident, "stance_probe", probe)

    async def _add_beside(self, ident: str, column: str, value: Json) -> bool:
        query = update(_table).where(_table.c.id == short(ident), _table.c[column].is_(null()))
        found = await self._connection.execute(query.values({column: value}))
        return bool(found.rowcount)

    async def _load(
        self, condition: ColumnElement[bool], limit: int | None = None
    ) -> list[InteractionRecord]:
        newest_first = (_table.c.created_us.desc(), _table.c.id.desc())
        query = select(_table).where(condition).order_by(*newest_first).limit(limit)
        rows = (await self._connection.execute(query)).mappings().all()
        return await self._with_scores(rows)

    async def _with_scores(self, rows: Sequence[Mapping[Any, Any]]) -> list[InteractionRecord]:
        scores = tables.scores
        query = (
            select(scores)
            .where(scores.c.interaction_id.in_([row["id"] for row in rows]))
            .order_by(scores.c.interaction_id, scores.c.position)
        )
        grouped: dict[str, list[Mapping[Any, Any]]] = {row["id"]: [] for row in rows}
        if rows:
            for score in (await self._connection.execute(query)).mappings():
                grouped[score["interaction_id"]].append(score)
        return [decode(row, grouped[row["id"]]) for row in rows]


def _is_of(key_id: str | None) -> ColumnElement[bool]:
    return true() if key_id is None else _table.c.key_id == short(key_id)


def interaction_condition(where: InteractionFilter) -> ColumnElement[bool]:
    """What a row of `interactions` has to meet."""
    columns = _table.c
    wanted = [(columns[name], getattr(where, name)) for name in _EQUALS]
    parts = [column == short(value) for column, value in wanted if value is not None]
    if where.tag is not None:
        tagged = select(tables.tags.c.interaction_id).where(tables.tags.c.tag == short(where.tag))
        parts.append(columns.id.in_(tagged))
    if where.response_id is not None:
        replies = tables.responses.c
        named = select(replies.interaction_id).where(
            replies.response_id == short(where.response_id)
        )
        parts.append(columns.id.in_(named))
    if where.since_us is not None:
        parts.append(columns.created_us >= where.since_us)
    if where.until_us is not None:
        parts.append(columns.created_us < where.until_us)
    return and_(true(), *parts, *_scored(where), *_judged(where))


def _scored(where: InteractionFilter) -> list[ColumnElement[bool]]:
    if where.scorer is None and where.min_risk is None:
        return []
    scores = tables.scores.c
    parts = [scores.interaction_id == _table.c.id]
    if where.scorer is not None:
        parts.append(scores.scorer == clean(where.scorer))
    if where.min_risk is not None:
        parts.append(scores.risk >= where.min_risk)
    return [exists().where(*parts)]


def _judged(where: InteractionFilter) -> list[ColumnElement[bool]]:
    # Names of their own, so that a query over feedback may hold this condition.
    thumbs = tables.feedback.alias("thumbs")
    said, compared = thumbs.c, tables.comparisons.alias("compared").c
    ident = _table.c.id
    found: list[ColumnElement[bool]] = []
    if where.has_feedback is not None:
        named = (
            said.interaction_id,
            compared.chosen_interaction_id,
            compared.rejected_interaction_id,
        )
        has = or_(*(exists().where(column == ident) for column in named))
        found.append(has if where.has_feedback else ~has)
    if where.rating is not None or where.rater is not None:
        parts = [said.interaction_id == ident, is_standing(thumbs)]
        if where.rating is not None:
            parts.append(said.rating == where.rating)
        if where.rater is not None:
            parts.append(said.rater == clean(where.rater))
        found.append(exists().where(*parts))
    return found
