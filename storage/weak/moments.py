"""Replies and what came after them, out of the store, a page at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables
from storage.exports.base import ExportOptions
from storage.exports.conversation import identity
from storage.exports.judgement import PromptGroup, rated_replies, usable_reply
from storage.exports.reading import is_before, is_in
from storage.records import FeedbackRecord, InteractionRecord, Json
from storage.repositories.feedback import feedback_from
from storage.rows import decode
from storage.textlevel import is_readable, level_in
from storage.weak.base import Moment

PAGE = 200
LONGEST_S = 3600.0
"""What comes later than this after an exchange is not looked at."""
_exchange = tables.interactions


@dataclass(frozen=True, slots=True)
class Judged:
    """A moment, and what its raters' majority says: 1 good, -1 bad, 0 nothing or a tie."""

    moment: Moment
    rated: int
    has_ratings: bool


async def moments(connection: AsyncConnection, options: ExportOptions) -> AsyncIterator[Judged]:
    """Every reply that reached its client as the model wrote it, the oldest first."""
    after: tuple[int, str] = (0, "")
    while rows := await _page(connection, options, after):
        idents = [row["id"] for row in rows]
        scores = await _scores(connection, idents)
        said = await _feedback(connection, idents, options.as_of_us)
        later = await _later(connection, idents, options.as_of_us)
        for row in rows:
            record = decode(dict(row), scores.get(row["id"], ()))
            for found in _of(record, said.get(record.id, []), later.get(record.id, {})):
                yield found
        after = (rows[-1]["created_us"], rows[-1]["id"])


def _of(
    record: InteractionRecord, said: list[FeedbackRecord], later: Mapping[str, Any]
) -> list[Judged]:
    group = PromptGroup(
        prompt_hash=record.prompt_hash,
        interactions={record.id: record},
        feedback=said,
        comparisons=[],
    )
    rated = {each.reply.key: each.is_good for each in rated_replies(group, Counter())}
    found = []
    for index in _indices(record.choices):
        reply = usable_reply(group, (record.id, index), Counter())
        if reply is None:
            continue
        mine = [each for each in said if each.choice_index == index]
        moment = Moment(
            exchange=record,
            choice=index,
            prompt=_last_words(reply.prompt),
            reply=identity(reply.message),
            comments=tuple(each.comment for each in mine if each.comment),
            tags=tuple(tag for each in mine for tag in each.tags),
            **_around(record, later),
        )
        is_good = rated.get(reply.key)
        has_ratings = any(each.rating is not None for each in mine)
        found.append(Judged(moment, 0 if is_good is None else 2 * is_good - 1, has_ratings))
    return found


def _indices(choices: Json) -> list[int]:
    return [choice.get("index", 0) for choice in choices or () if isinstance(choice, dict)]


def _around(record: InteractionRecord, later: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if later.get("again_us") is not None:
        found["asked_again_s"] = (later["again_us"] - record.created_us) / 1e6
    following = later.get("next")
    if following is not None and is_readable(level_in(following["request"])):
        messages = (following["request"] or {}).get("messages")
        # A tool's result goes on with the same turn: the user has said nothing yet.
        if isinstance(messages, list) and messages and _role(messages[-1]) == "user":
            found["next_turn"] = _last_words(messages) or None
            found["next_after_s"] = (following["created_us"] - record.created_us) / 1e6
    return found


def _last_words(messages: Json) -> str:
    """What the user said last, as text."""
    if not isinstance(messages, list):
        return ""
    for message in reversed(messages):
        if _role(message) == "user":
            content = message.get("content")
            parts = content if isinstance(content, list) else [{"text": content}]
            texts = [part.get("text") for part in parts if isinstance(part, dict)]
            return "\n".join(text for text in texts if isinstance(text, str))
    return ""


def _role(message: Json) -> str | None:
    return message.get("role") if isinstance(message, dict) else None


async def _page(
    connection: AsyncConnection, options: ExportOptions, after: tuple[int, str]
) -> Sequence[RowMapping]:
    place = tuple_(_exchange.c.created_us, _exchange.c.id)
    query = (
        select(_exchange)
        .where(place > after, _exchange.c.status == "completed", is_in(options))
        .order_by(_exchange.c.created_us, _exchange.c.id)
        .limit(PAGE)
    )
    return (await connection.execute(query)).mappings().all()


async def _scores(connection: AsyncConnection, idents: Sequence[str]) -> dict[str, list[Any]]:
    table, found = tables.scores, dict[str, list[Any]]()
    query = (
        select(table)
        .where(table.c.interaction_id.in_(idents))
        .order_by(table.c.interaction_id, table.c.position)
    )
    for row in (await connection.execute(query)).mappings():
        found.setdefault(row["interaction_id"], []).append(row)
    return found


async def _feedback(
    connection: AsyncConnection, idents: Sequence[str], as_of_us: int | None
) -> dict[str, list[FeedbackRecord]]:
    said, found = tables.feedback, dict[str, list[FeedbackRecord]]()
    query = (
        select(said)
        .where(said.c.interaction_id.in_(idents), is_before(said, as_of_us))
        .order_by(said.c.created_us, said.c.id)
    )
    for row in (await connection.execute(query)).mappings():
        found.setdefault(row["interaction_id"], []).append(feedback_from(row))
    return found


async def _later(
    connection: AsyncConnection, idents: Sequence[str], as_of_us: int | None
) -> dict[str, dict[str, Any]]:
    """For each exchange `next`, the next one of its conversation, and `again_us`."""
    this, other = _exchange.alias("this"), _exchange.alias("other")
    is_later = and_(_follows(this, other), is_before(other, as_of_us))
    next_id = (
        select(other.c.id)
        .where(is_later, other.c.conversation == this.c.conversation)
        .order_by(other.c.created_us, other.c.id)
        .limit(1)
        .scalar_subquery()
    )
    is_same = or_(
        other.c.conversation == this.c.conversation,
        other.c.user == this.c.user,
    )
    again_us = (
        select(func.min(other.c.created_us))
        .where(is_later, other.c.prompt_hash == this.c.prompt_hash, is_same)
        .scalar_subquery()
    )
    query = select(this.c.id, next_id.label("next_id"), again_us.label("again_us")).where(
        this.c.id.in_(idents)
    )
    rows = (await connection.execute(query)).mappings().all()
    columns = (_exchange.c.id, _exchange.c.created_us, _exchange.c.request)
    wanted = [row["next_id"] for row in rows if row["next_id"] is not None]
    following = await connection.execute(select(*columns).where(_exchange.c.id.in_(wanted)))
    by_id = {row["id"]: row for row in following.mappings()}
    return {
        row["id"]: {"next": by_id.get(row["next_id"]), "again_us": row["again_us"]} for row in rows
    }


def _follows(this: Any, other: Any) -> ColumnElement[bool]:
    """Whether `other` is of the same key and came within `LONGEST_S` after `this`."""
    return and_(
        other.c.key_id.is_not_distinct_from(this.c.key_id),
        tuple_(other.c.created_us, other.c.id) > tuple_(this.c.created_us, this.c.id),
        other.c.created_us <= this.c.created_us + round(LONGEST_S * 1e6),
    )
