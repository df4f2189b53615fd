"""Counts of what was vetoed and what was not scored, for those who watch."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Integer, and_, case, cast, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables

_table = tables.interactions
MOST_ROWS = 200_000
MOST_GROUPS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class VetoTally:
    """How many conversations of a policy and a model there were in a time, and in how many a veto.

    An exchange outside any conversation is one by itself. `prompts` are those vetoed for their
    prompt.
    """

    policy: str
    model: str
    total: int
    vetoed: int
    prompts: int


class Tallies:
    """The counts of one unit of work; of a busy time the newest 200,000 exchanges count."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def vetoes(self, *, since_us: int, until_us: int) -> list[VetoTally]:
        """Vetoes by policy and model, of the 50 with the most exchanges, where a verdict was given.

        `since_us` is inclusive, `until_us` not.
        """
        own = func.coalesce(_table.c.conversation, _table.c.id)
        newest = (
            select(
                _table.c.policy, _table.c.model, _table.c.verdict, _table.c.status, own.label("own")
            )
            .where(_between(since_us, until_us), _table.c.verdict != "unscored")
            .order_by(_table.c.created_us.desc())
            .limit(MOST_ROWS)
            .subquery()
        )
        columns = newest.c
        is_vetoed = columns.verdict == "veto"
        is_prompt = and_(is_vetoed, columns.status == "prompt_vetoed")
        query = (
            select(
                columns.policy,
                columns.model,
                func.count(columns.own.distinct()),
                func.count(case((is_vetoed, columns.own)).distinct()),
                func.count(case((is_prompt, columns.own)).distinct()),
            )
            .group_by(columns.policy, columns.model)
            .order_by(func.count().desc())
            .limit(MOST_GROUPS)
        )
        found = (await self._connection.execute(query)).all()
        return [
            VetoTally(policy=policy, model=model, total=total, vetoed=vetoed, prompts=prompts)
            for policy, model, total, vetoed, prompts in found
        ]

    async def vetoed_ids(
        self, *, policy: str, model: str, since_us: int, until_us: int, limit: int = 3
    ) -> list[str]:
        """The newest vetoed exchanges of a policy and a model, by id."""
        query = (
            select(_table.c.id)
            .where(_between(since_us, until_us), _table.c.verdict == "veto")
            .where(_table.c.policy == policy, _table.c.model == model)
            .order_by(_table.c.created_us.desc(), _table.c.id.desc())
            .limit(limit)
        )
        return list((await self._connection.execute(query)).scalars())

    async def failures(self, *, since_us: int, most: int = 5000) -> tuple[int, int]:
        """How many of the newest exchanges were to be scored, and how many lack a score."""
        newest = (
            select(cast(_lacks_a_score(), Integer).label("is_failed"))
            .where(_table.c.created_us >= since_us)
            .where(_table.c.mode != "off", _table.c.status != "rejected")
            .order_by(_table.c.created_us.desc())
            .limit(most)
            .subquery()
        )
        query = select(func.count(), func.coalesce(func.sum(newest.c.is_failed), 0))
        total, failed = (await self._connection.execute(query.select_from(newest))).one()
        return total, failed

    async def failed_ids(self, *, since_us: int, limit: int = 3) -> list[str]:
        """The newest exchanges that lack a score, by id."""
        query = (
            select(_table.c.id)
            .where(_table.c.created_us >= since_us, _lacks_a_score())
            .where(_table.c.mode != "off", _table.c.status != "rejected")
            .order_by(_table.c.created_us.desc(), _table.c.id.desc())
            .limit(limit)
        )
        return list((await self._connection.execute(query)).scalars())


def _lacks_a_score() -> ColumnElement[bool]:
    scores = tables.scores
    return exists().where(scores.c.interaction_id == _table.c.id, scores.c.status == "failed")


def _between(since_us: int, until_us: int) -> ColumnElement[bool]:
    return and_(_table.c.created_us >= since_us, _table.c.created_us < until_us)
