"""Judged prompts out of the store, a bounded number at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    and_,
    case,
    exists,
    func,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables
from storage.exports.base import ExportOptions, Tally
from storage.exports.judgement import PromptGroup, ReplyKey
from storage.records import ComparisonRecord, FeedbackRecord, InteractionRecord
from storage.repositories.feedback import feedback_from
from storage.rows import decode

PROMPTS_PER_READ = 64
REPLIES_PER_PROMPT = 200
_exchange = tables.interactions
_Judged = tuple[list[FeedbackRecord], list[ComparisonRecord]]


@dataclass(frozen=True, slots=True)
class _Reader:
    connection: AsyncConnection
    options: ExportOptions
    beside: Sequence[str]
    weak: Mapping[ReplyKey, float] | None
    capped: dict[str, int] = field(default_factory=dict)

    async def prompts(self, after: str) -> AsyncIterator[Sequence[str]]:
        """The hashes of the prompts after this one, some at a time, from one cursor.

        To ask anew for each page would look through what nobody judged again and again.
        """
        query = (
            select(_exchange.c.prompt_hash)
            .where(_exchange.c.prompt_hash > after, self._wanted())
            .distinct()
            .order_by(_exchange.c.prompt_hash)
            .execution_options(yield_per=PROMPTS_PER_READ)
        )
        async with self.connection.stream(query) as found:
            async for part in found.scalars().partitions():
                yield part

    async def exchanges(self, prompts: Sequence[str]) -> list[InteractionRecord]:
        ranked = _ranked(prompts, self._wanted(), self.options.as_of_us).subquery()
        query = (
            select(ranked)
            .where(ranked.c.rank <= REPLIES_PER_PROMPT)
            .order_by(ranked.c.prompt_hash, ranked.c.rank)
        )
        found = []
        for row in (await self.connection.execute(query)).mappings():
            fields = dict(row)
            rank, total = fields.pop("rank"), fields.pop("total")
            if rank == 1:
                self.capped[fields["prompt_hash"]] = max(0, total - REPLIES_PER_PROMPT)
            found.append(fields)
        scores = await self._scores([row["id"] for row in found if row["attempts"]])
        return [decode(row, scores.get(row["id"], ())) for row in found]

    async def _scores(self, idents: Sequence[str]) -> dict[str, list[Any]]:
        """The scores of exchanges, which only those with attempts are read with."""
        table, found = tables.scores, dict[str, list[Any]]()
        if idents:
            query = (
                select(table)
                .where(table.c.interaction_id.in_(idents))
                .order_by(table.c.interaction_id, table.c.position)
            )
            for row in (await self.connection.execute(query)).mappings():
                found.setdefault(row["interaction_id"], []).append(row)
        return found

    def _wanted(self) -> ColumnElement[bool]:
        judged = _is_judged(self.options.as_of_us)
        for column in self.beside:
            judged = or_(judged, _exchange.c[column].is_not(null()))
        if self.weak is not None:
            judged = or_(judged, _exchange.c.status == "completed")
        return and_(judged, is_in(self.options))

    async def judgements(self, idents: Sequence[str]) -> _Judged:
        said, compared = tables.feedback, tables.comparisons
        feedback = await self.connection.execute(
            select(said)
            .where(said.c.interaction_id.in_(idents), is_before(said, self.options.as_of_us))
            .order_by(said.c.created_us, said.c.id)
        )
        comparisons = await self.connection.execute(
            select(compared)
            .where(
                compared.c.chosen_interaction_id.in_(idents),
                is_before(compared, self.options.as_of_us),
            )
            .order_by(compared.c.created_us, compared.c.id)
        )
        return (
            [feedback_from(row) for row in feedback.mappings()],
            [ComparisonRecord(**row) for row in comparisons.mappings()],
        )


async def prompt_groups(
    connection: AsyncConnection,
    options: ExportOptions,
    tally: Tally,
    *,
    beside: Sequence[str] = (),
    after: str = "",
    weak: Mapping[ReplyKey, float] | None = None,
) -> AsyncIterator[PromptGroup]:
    """Every prompt with a judged reply, in order of its hash; those `after` a hash alone.

    Also those with something in the columns `beside`: `attempts` (a reply took the place of
    another), `twin` and `stance_probe`, which only the scorers may have judged; and those with a
    reply in `weak`.

    Of a prompt with more than `REPLIES_PER_PROMPT` judged exchanges the newest are taken and the
    rest counted.
    """
    reader = _Reader(connection, options, beside, weak)
    async for prompts in reader.prompts(after):
        exchanges = await reader.exchanges(prompts)
        judged = await reader.judgements([each.id for each in exchanges])
        for group in _grouped(prompts, exchanges, judged):
            found = group if weak is None else with_weak(group, weak)
            if found.interactions:
                tally.prompts += 1
                tally.dropped["replies_cap"] += reader.capped.pop(group.prompt_hash, 0)
                yield found


def _grouped(
    prompts: Sequence[str], exchanges: Sequence[InteractionRecord], judged: _Judged
) -> list[PromptGroup]:
    groups = {
        prompt: PromptGroup(prompt_hash=prompt, interactions={}, feedback=[], comparisons=[])
        for prompt in prompts
    }
    owner = {each.id: groups[each.prompt_hash] for each in exchanges}
    for exchange in exchanges:
        owner[exchange.id].interactions[exchange.id] = exchange
    for said in judged[0]:
        owner[said.interaction_id].feedback.append(said)
    for compared in judged[1]:
        owner[compared.chosen_interaction_id].comparisons.append(compared)
    return list(groups.values())


def with_weak(group: PromptGroup, weak: Mapping[ReplyKey, float]) -> PromptGroup:
    """The prompt with its weak labels, without exchanges that nobody and nothing judged."""
    compared = {ident for each in group.comparisons for ident in _compared(each)}
    judged = compared | {each.interaction_id for each in group.feedback}
    keys = [
        (record.id, choice.get("index", 0))
        for record in group.interactions.values()
        for choice in record.choices or ()
    ]
    labels = {key: weak[key] for key in keys if key in weak}
    judged |= {ident for ident, _ in labels}
    kept = {
        record.id: record
        for record in group.interactions.values()
        if record.id in judged or record.attempts or record.twin or record.stance_probe
    }
    return replace(group, interactions=kept, weak=labels)


def _compared(said: ComparisonRecord) -> tuple[str, str]:
    return said.chosen_interaction_id, said.rejected_interaction_id


def _ranked(
    prompts: Sequence[str], wanted: ColumnElement[bool], as_of_us: int | None
) -> Select[Any]:
    columns = _exchange.c
    # What people judged must not give way to what only functions voted on.
    judged_first = case((_is_judged(as_of_us), 0), else_=1)
    newest_first = (judged_first, columns.created_us.desc(), columns.id.desc())
    rank = func.row_number().over(partition_by=columns.prompt_hash, order_by=newest_first)
    total = func.count().over(partition_by=columns.prompt_hash)
    return select(_exchange, rank.label("rank"), total.label("total")).where(
        columns.prompt_hash.in_(prompts), wanted
    )


def is_in(options: ExportOptions) -> ColumnElement[bool]:
    """Whether an exchange is among those that the options ask for."""
    columns = _exchange.c
    parts = [is_before(_exchange, options.as_of_us)]
    if options.since_us is not None:
        parts.append(columns.created_us >= options.since_us)
    if options.until_us is not None:
        parts.append(columns.created_us < options.until_us)
    if options.model is not None:
        parts.append(or_(columns.model == options.model, columns.reply_model == options.model))
    if options.key_id is not None:
        parts.append(columns.key_id == options.key_id)
    return and_(*parts)


def _is_judged(as_of_us: int | None) -> ColumnElement[bool]:
    said, compared = tables.feedback, tables.comparisons
    named = (
        (said, said.c.interaction_id),
        (compared, compared.c.chosen_interaction_id),
        (compared, compared.c.rejected_interaction_id),
    )
    return or_(
        *(
            exists().where(column == _exchange.c.id, is_before(table, as_of_us))
            for table, column in named
        )
    )


def is_before(table: FromClause, at_us: int | None) -> ColumnElement[bool]:
    """Whether a row was recorded before this time; all were where there is none."""
    return true() if at_us is None else table.c.created_us < at_us
