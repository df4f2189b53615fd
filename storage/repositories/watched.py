"""Exchanges as those who watch them need them: figures, and texts only where asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables
from storage.exports.conversation import plain_text, written_text
from storage.jsontext import short
from storage.records import Json
from storage.textlevel import is_readable, level_in

_table = tables.interactions
_RANDOM_FROM = 15
"""Where the random part of an id begins, counted from 1: `fl_`, then 52 bits of time."""

REPLAYED = "fairlead.replay"
"""The tag of exchanges that nobody's users asked for: recorded prompts sent to a candidate."""

_FIGURES = (
    "id",
    "created_us",
    "route",
    "model",
    "reply_model",
    "user",
    "conversation",
    "status",
    "verdict",
    "prompt_hash",
    "timings",
    "twin",
    "stance_probe",
)


_COMPARED = ("stance_probe", "twin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which exchanges to look at; None does not filter. `since_us` is inclusive, `until_us` not."""

    model: str | None = None
    route: str | None = None
    policy: str | None = None
    tag: str | None = None
    without_tag: str | None = None
    since_us: int | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedExchange:
    """What is watched of one exchange.

    `risks` are those given, by side and scorer as `reply.toxicity`, of the riskiest choice.
    `is_flip` says whether the reply gave in to its user's view: what a stance probe decided, else
    whether it departed from its twin's. None where nobody compared them.
    `prompt` (the newest of its user's) and `reply` (of the first choice) are None where they were
    not asked for or are no longer there.
    """

    id: str
    created_us: int
    route: str
    model: str
    reply_model: str | None
    user: str | None
    conversation: str | None
    status: str
    verdict: str
    prompt_hash: str
    timings: Mapping[str, float] = field(default_factory=dict)
    risks: Mapping[str, float] = field(default_factory=dict)
    is_flip: bool | None = None
    prompt: str | None = None
    reply: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedThumb:
    """A rating, with the exchange that it is about; `created_us` is when it was given."""

    interaction_id: str
    created_us: int
    route: str
    model: str
    user: str | None
    conversation: str | None
    prompt_hash: str
    is_down: bool


class Watched:
    """What is watched, in one unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def exchanges(
        self, where: Selection, *, most: int | None = None, has_texts: bool = False
    ) -> list[WatchedExchange]:
        """The exchanges of a selection, oldest first; `most` of them at random, the same each time.

        Refused and failed requests are among them.
        """
        names = (*_FIGURES, "request", "choices") if has_texts else _FIGURES
        query = _selected(select(*(_table.c[name] for name in names)), where, most)
        rows = (await self._connection.execute(query)).mappings().all()
        risks = await self._risks(_selected(select(_table.c.id), where, most))
        found = [_exchange(row, risks.get(row["id"], {})) for row in rows]
        return sorted(found, key=lambda exchange: (exchange.created_us, exchange.id))

    async def thumbs(
        self,
        where: Selection,
        *,
        given_since_us: int | None = None,
        given_until_us: int | None = None,
    ) -> list[WatchedThumb]:
        """The ratings of a selection's exchanges, oldest first; of those given within two times."""
        rated = tables.feedback
        about = ("route", "model", "user", "conversation", "prompt_hash")
        query = (
            select(
                rated.c.interaction_id,
                rated.c.created_us,
                rated.c.rating,
                *(_table.c[name] for name in about),
            )
            .join(_table, _table.c.id == rated.c.interaction_id)
            .where(rated.c.rating.in_(("up", "down")), _condition(where))
            .order_by(rated.c.created_us, rated.c.id)
        )
        if given_since_us is not None:
            query = query.where(rated.c.created_us >= given_since_us)
        if given_until_us is not None:
            query = query.where(rated.c.created_us < given_until_us)
        rows = (await self._connection.execute(query)).mappings()
        return [_thumb(row) for row in rows]

    async def first_us(self) -> int | None:
        """When the oldest exchange was made; None where there is none."""
        found: int | None = await self._connection.scalar(select(func.min(_table.c.created_us)))
        return found

    async def _risks(self, chosen: Select[Any]) -> dict[str, dict[str, float]]:
        scores, ids = tables.scores, chosen.subquery()
        query = (
            select(
                scores.c.interaction_id,
                scores.c.side,
                scores.c.scorer,
                func.max(scores.c.risk),
            )
            .join(ids, ids.c.id == scores.c.interaction_id)
            .where(scores.c.risk.is_not(None))
            .group_by(scores.c.interaction_id, scores.c.side, scores.c.scorer)
        )
        found: dict[str, dict[str, float]] = {}
        for ident, side, scorer, risk in await self._connection.execute(query):
            found.setdefault(ident, {})[f"{side}.{scorer}"] = risk
        return found


def _selected(query: Select[Any], where: Selection, most: int | None) -> Select[Any]:
    query = query.where(_condition(where))
    if most is None:
        return query
    return query.order_by(func.substr(_table.c.id, _RANDOM_FROM), _table.c.id).limit(most)


def _condition(where: Selection) -> ColumnElement[bool]:
    columns = _table.c
    wanted = [(columns[name], getattr(where, name)) for name in ("model", "route", "policy")]
    parts = [column == short(value) for column, value in wanted if value is not None]
    if where.tag is not None:
        parts.append(columns.id.in_(_tagged(where.tag)))
    if where.without_tag is not None:
        parts.append(columns.id.not_in(_tagged(where.without_tag)))
    if where.since_us is not None:
        parts.append(columns.created_us >= where.since_us)
    if where.until_us is not None:
        parts.append(columns.created_us < where.until_us)
    return and_(true(), *parts)


def _tagged(tag: str) -> Select[Any]:
    return select(tables.tags.c.interaction_id).where(tables.tags.c.tag == short(tag))


def _exchange(row: Mapping[Any, Any], risks: dict[str, float]) -> WatchedExchange:
    fields: dict[str, Any] = {name: row[name] for name in _FIGURES if name not in _COMPARED}
    fields["timings"] = row["timings"] if isinstance(row["timings"], dict) else {}
    if "choices" in row and is_readable(level_in(row["request"])):
        fields |= {"prompt": newest_prompt(row["request"]), "reply": _reply(row["choices"])}
    return WatchedExchange(**fields, risks=risks, is_flip=_is_flip(row))


def newest_prompt(request: Json) -> str | None:
    """What a recorded request's user said last."""
    messages = request.get("messages") if isinstance(request, dict) else None
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role") == "user":
            return plain_text(message.get("content"))
    return None


def _reply(choices: Json) -> str | None:
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(message, dict):
        return None
    return message.get("refusal") or written_text(message.get("content")) or None


def _is_flip(row: Mapping[Any, Any]) -> bool | None:
    probe, twin = (row[name] for name in _COMPARED)
    verdict = probe.get("verdict") if isinstance(probe, dict) else None
    if verdict in ("caved", "held"):
        return bool(verdict == "caved")
    choices = twin.get("choices") if isinstance(twin, dict) else None
    flips = [choice.get("flip") for choice in choices or () if isinstance(choice, dict)]
    known = [flip for flip in flips if flip is not None]
    return any(flip >= _EVEN for flip in known) if known else None


_EVEN = 0.5


def _thumb(row: Mapping[Any, Any]) -> WatchedThumb:
    fields = {name: row[name] for name in row if name != "rating"}
    return WatchedThumb(**fields, is_down=row["rating"] == "down")
