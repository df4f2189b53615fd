"""Exchanges as rows of their tables, and rows as exchanges.

An exchange is written far more often than it is read, so its rows are made as plain tuples in
column order, its JSON as text, once, where the caller still waits and can be told what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite

from storage import tables
from storage.jsontext import dumps, short
from storage.records import InteractionRecord, Json, ScoreRecord

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class InteractionRows:
    """The rows of one exchange, in the column order of their tables.

    `size_bytes` is about what they weigh: the characters of the long texts.
    """

    interaction: Row
    scores: tuple[Row, ...]
    responses: tuple[Row, ...]
    tags: tuple[Row, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class InsertSql:
    """INSERT statements of one SQL dialect; a row that is already there is left as it is."""

    interactions: str
    scores: str
    responses: str
    tags: str

    @classmethod
    def of(cls, dialect: Dialect) -> InsertSql:
        """The statements for `dialect` (SQLite or PostgreSQL)."""
        written = (tables.interactions, tables.scores, tables.responses, tables.tags)
        return cls(*(_insert_or_ignore(table, dialect) for table in written))


def _insert_or_ignore(table: Table, dialect: Dialect) -> str:
    make = sqlite.insert if dialect.name == "sqlite" else postgresql.insert
    statement = make(table).on_conflict_do_nothing()
    return str(statement.compile(dialect=dialect, column_keys=[c.name for c in table.columns]))


def encode(record: InteractionRecord) -> InteractionRows:
    """The rows of `record`; RecordRejected when part of it cannot be stored."""
    ident = record.id
    longs = (
        record.request,
        record.context,
        record.choices,
        record.attempts,
        record.twin,
        record.stance_probe,
    )
    texts = tuple(map(_json, longs))
    return InteractionRows(
        interaction=_interaction_row(record, texts),
        scores=tuple(_score_row(ident, at, score) for at, score in enumerate(record.scores)),
        responses=tuple((short(value), ident) for value in dict.fromkeys(record.response_ids)),
        tags=tuple((short(value), ident) for value in dict.fromkeys(record.tags)),
        size_bytes=sum(len(long) for long in texts if long),
    )


def _text(value: str | None) -> str | None:
    return None if value is None else short(value)


def _json(value: Json) -> str | None:
    return None if value is None else dumps(value)


def _interaction_row(record: InteractionRecord, longs: tuple[str | None, ...]) -> Row:
    request, context, choices, attempts, twin, stance_probe = longs
    return (
        record.id,
        record.created_us,
        short(record.route),
        record.dialect,
        short(record.upstream),
        short(record.model),
        _text(record.reply_model),
        short(record.policy),
        record.mode,
        _text(record.key_id),
        _text(record.user),
        _text(record.conversation),
        dumps(record.tags) if record.tags else None,
        record.is_stream,
        record.n,
        record.status,
        record.http_status,
        _text(record.error_code),
        record.verdict,
        record.prompt_hash,
        dumps(record.response_ids) if record.response_ids else None,
        request,
        context,
        choices,
        _json(record.usage),
        _json(record.timings),
        attempts,
        twin,
        stance_probe,
    )


def _score_row(ident: str, position: int, score: ScoreRecord) -> Row:
    return (
        ident,
        position,
        score.side,
        score.choice_index,
        score.scorer,
        score.model,
        score.status,
        score.risk,
        score.flag_threshold,
        score.veto_threshold,
        score.verdict,
        _json(score.heads),
        _json(score.windows),
        _json(score.spans),
    )


def decode(
    row: Mapping[str, Any], score_rows: Iterable[Mapping[str, Any]] = ()
) -> InteractionRecord:
    """The exchange of a row of `interactions` and its rows of `scores`, in order of position."""
    fields = dict(row)
    fields["tags"] = tuple(fields["tags"] or ())
    fields["response_ids"] = tuple(fields["response_ids"] or ())
    return InteractionRecord(**fields, scores=tuple(_score(each) for each in score_rows))


def _score(row: Mapping[str, Any]) -> ScoreRecord:
    fields = dict(row)
    del fields["interaction_id"], fields["position"]
    return ScoreRecord(**fields)
