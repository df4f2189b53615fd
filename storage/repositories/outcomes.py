"""Checked replies: how sure each sounded when it was scored, and what people then said of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables

Judge = Literal["checked", "correction", "thumb"]
RIGHT_TAG, WRONG_TAG = "correct", "incorrect"
_PAGE = 500
_CONFIDENCE = "confidence"
_Key = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedReply:
    """One reply that somebody judged and the confidence scorer had read.

    `expressed` is how sure it sounds, `tokens` the geometric mean of its tokens' probabilities and
    `likely` the chance of being right that the scorer stated, each in [0, 1]; the last two are
    None where the scorer had none. `judge` says which kind of word `is_right` rests on.
    """

    interaction_id: str
    choice_index: int
    created_us: int
    model: str
    expressed: float
    tokens: float | None
    likely: float | None
    is_right: bool
    judge: Judge


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeFilter:
    """Which replies to read; None does not filter. `since_us` is inclusive, `until_us` not."""

    model: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    judges: frozenset[Judge] = frozenset({"checked", "correction", "thumb"})


async def checked_replies(
    connection: AsyncConnection, where: OutcomeFilter | None = None
) -> AsyncIterator[CheckedReply]:
    """The checked replies that were delivered as written, in order of their exchange's id.

    The firmest kind of word decides: a tag `correct` or `incorrect`, else a correction (which says
    wrong), else thumbs. Within a kind the raters' latest words decide by majority; a tie says
    nothing and the reply is left out. The store is read a page at a time.
    """
    wanted = where or OutcomeFilter()
    last = ""
    while True:
        found = (await connection.execute(_exchanges(wanted, last))).mappings().all()
        if not found:
            return
        idents = [row["id"] for row in found]
        heads = await _heads(connection, idents)
        words = await _words(connection, idents)
        for row in found:
            for choice, own in sorted(heads.get(row["id"], {}).items()):
                reply = _reply(row, choice, own, words.get((row["id"], choice), ()), wanted)
                if reply is not None:
                    yield reply
        last = idents[-1]


def _exchanges(where: OutcomeFilter, last: str) -> Select[Any]:
    columns, said = tables.interactions.c, tables.feedback.c
    parts = [
        columns.id > last,
        columns.status == "completed",
        select(said.id).where(said.interaction_id == columns.id).exists(),
    ]
    if where.model is not None:
        parts.append(or_(columns.model == where.model, columns.reply_model == where.model))
    if where.since_us is not None:
        parts.append(columns.created_us >= where.since_us)
    if where.until_us is not None:
        parts.append(columns.created_us < where.until_us)
    chosen = select(columns.id, columns.created_us, columns.model).where(and_(*parts))
    return chosen.order_by(columns.id).limit(_PAGE)


async def _heads(
    connection: AsyncConnection, idents: Sequence[str]
) -> Mapping[str, Mapping[int, Mapping[str, float]]]:
    columns = tables.scores.c
    query = select(columns.interaction_id, columns.choice_index, columns.heads).where(
        columns.interaction_id.in_(idents),
        columns.scorer == _CONFIDENCE,
        columns.side == "reply",
    )
    found: dict[str, dict[int, Mapping[str, float]]] = defaultdict(dict)
    for ident, choice, heads in await connection.execute(query):
        if choice is not None and heads and heads.get("expressed") is not None:
            found[ident][choice] = heads
    return found


async def _words(
    connection: AsyncConnection, idents: Sequence[str]
) -> Mapping[_Key, Sequence[Mapping[Any, Any]]]:
    said = tables.feedback
    query = select(said).where(said.c.interaction_id.in_(idents))
    found: dict[_Key, list[Mapping[Any, Any]]] = defaultdict(list)
    rows = await connection.execute(query.order_by(said.c.created_us, said.c.id))
    for row in rows.mappings():
        found[row["interaction_id"], row["choice_index"]].append(row)
    return found


def _reply(
    exchange: Mapping[Any, Any],
    choice: int,
    heads: Mapping[str, float],
    words: Sequence[Mapping[Any, Any]],
    where: OutcomeFilter,
) -> CheckedReply | None:
    decided = _decided(words)
    if decided is None or decided[1] not in where.judges:
        return None
    return CheckedReply(
        interaction_id=exchange["id"],
        choice_index=choice,
        created_us=exchange["created_us"],
        model=exchange["model"],
        expressed=float(heads["expressed"]),
        tokens=heads.get("tokens"),
        likely=heads.get("likely"),
        is_right=decided[0],
        judge=decided[1],
    )


def _decided(words: Sequence[Mapping[Any, Any]]) -> tuple[bool, Judge] | None:
    """Whether the reply was right by the firmest kind of word that there is, None on a tie."""
    ballots: dict[Judge, dict[tuple[str | None, str], bool]] = {}
    for row in words:
        for judge, is_right in _said(row):
            ballots.setdefault(judge, {})[row["key_id"], row["rater"]] = is_right
    for judge in ("checked", "correction", "thumb"):
        votes = list(ballots.get(judge, {}).values())
        if votes:
            balance = 2 * sum(votes) - len(votes)
            return None if balance == 0 else (balance > 0, judge)
    return None


def _said(row: Mapping[Any, Any]) -> list[tuple[Judge, bool]]:
    tags = set(row["tags"] or ())
    found: list[tuple[Judge, bool]] = []
    if len(tags & {RIGHT_TAG, WRONG_TAG}) == 1:
        found.append(("checked", RIGHT_TAG in tags))
    if row["correction"].strip():
        found.append(("correction", False))
    if row["rating"] is not None:
        found.append(("thumb", row["rating"] == "up"))
    return found
