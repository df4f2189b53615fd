"""What prompts are about, for those who look for knowledge gaps, and the gaps that they found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables
from storage.records import Json
from storage.repositories.standing import is_standing
from storage.repositories.watched import REPLAYED, newest_prompt
from storage.textlevel import is_readable, level_in

_exchanges, _vectors, _said = tables.interactions, tables.prompt_vectors, tables.feedback
_gaps = tables.knowledge_gaps
_RANDOM_FROM = 15
"""Where the random part of an id begins, counted from 1: `fl_`, then 52 bits of time."""

_IDS_AT_ONCE = 500
_ANSWERED = ("completed", "vetoed", "upstream_cut")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A recorded prompt, and what its reply's scores say.

    `prompt` is None where no text is kept. `is_unsupported` says whether the faithfulness scorer
    flagged or vetoed the reply, `expressed` how sure the surest choice sounds, in [0, 1]; None
    where the scorer had nothing to say.
    """

    id: str
    created_us: int
    prompt: str | None
    is_unsupported: bool | None = None
    expressed: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A prompt that has a vector, with what became of its reply.

    `is_down` is what most of those said who rated it, None where nobody did or as many said up.
    """

    id: str
    created_us: int
    vector: bytes
    model: str
    user: str | None
    conversation: str | None
    is_unsupported: bool | None
    expressed: float | None
    is_down: bool | None = None
    is_corrected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRecord:
    """A knowledge gap: figures and ids, no text. `closed_us` is None while it is open.

    `members` are ids of exchanges, the most typical first; `figures` are JSON.
    """

    id: str
    created_us: int
    seen_us: int
    closed_us: int | None = None
    figures: Json = None
    members: Sequence[str] = field(default_factory=list)


class Gaps:
    """Vectors of prompts and knowledge gaps, in one unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def unread(self, *, since_us: int, until_us: int, most: int) -> list[str]:
        """Of `most` answered exchanges of a time at random, the same each time: those to look at.

        Replays and those that have a vector are left out.
        """
        columns = _exchanges.c
        replayed = select(tables.tags.c.interaction_id).where(tables.tags.c.tag == REPLAYED)
        query = (
            select(columns.id)
            .where(columns.created_us >= since_us, columns.created_us < until_us)
            .where(columns.status.in_(_ANSWERED), columns.id.not_in(replayed))
            .order_by(func.substr(columns.id, _RANDOM_FROM), columns.id)
            .limit(most)
        )
        idents = (await self._connection.execute(query)).scalars().all()
        known: set[str] = set()
        for part in _parts(idents):
            found = select(_vectors.c.interaction_id).where(_vectors.c.interaction_id.in_(part))
            known.update((await self._connection.execute(found)).scalars())
        return [ident for ident in idents if ident not in known]

    async def prompts(self, idents: Sequence[str]) -> list[Asked]:
        """These exchanges' prompts, of those that are still there, in the order of the ids."""
        found: dict[str, Asked] = {}
        for part in _parts(idents):
            columns = _exchanges.c
            query = select(columns.id, columns.created_us, columns.request)
            rows = await self._connection.execute(query.where(columns.id.in_(part)))
            for ident, at_us, request in rows:
                readable = is_readable(level_in(request))
                prompt = newest_prompt(request) if readable else None
                found[ident] = Asked(id=ident, created_us=at_us, prompt=prompt)
            await self._add_scores(found, part)
        return [found[ident] for ident in idents if ident in found]

    async def place(self, found: Sequence[tuple[Asked, bytes]], encoder: str) -> int:
        """Keep the vectors of some prompts, but of exchanges that are gone; how many."""
        idents = [asked.id for asked, _ in found]
        columns = _exchanges.c
        # Locked, so that nobody erases an exchange before its vector is there to be erased too.
        there = select(columns.id).where(columns.id.in_(idents)).with_for_update(key_share=True)
        fresh = set((await self._connection.execute(there)).scalars())
        known = select(_vectors.c.interaction_id).where(_vectors.c.interaction_id.in_(idents))
        fresh -= set((await self._connection.execute(known)).scalars())
        rows = [
            {
                "interaction_id": asked.id,
                "created_us": asked.created_us,
                "encoder": encoder,
                "vector": vector,
                "is_unsupported": asked.is_unsupported,
                "expressed": asked.expressed,
            }
            for asked, vector in found
            if asked.id in fresh
        ]
        if rows:
            await self._connection.execute(insert(_vectors), rows)
        return len(rows)

    async def span_us(self, encoder: str) -> tuple[int, int] | None:
        """When the oldest and the newest prompt came that this encoder has read."""
        times = func.min(_vectors.c.created_us), func.max(_vectors.c.created_us)
        query = select(*times).where(_vectors.c.encoder == encoder)
        first, last = (await self._connection.execute(query)).one()
        return None if first is None else (first, last)

    async def placed(
        self, *, encoder: str, since_us: int, until_us: int, most: int
    ) -> list[Placed]:
        """The prompts of a time that have vectors, oldest first; of more than `most` as many."""
        columns = _vectors.c
        names = ("created_us", "vector", "is_unsupported", "expressed")
        about = (_exchanges.c.model, _exchanges.c.user, _exchanges.c.conversation)
        query = (
            select(columns.interaction_id.label("id"), *(columns[name] for name in names), *about)
            .join(_exchanges, _exchanges.c.id == columns.interaction_id)
            .where(columns.encoder == encoder)
            .where(columns.created_us >= since_us, columns.created_us < until_us)
            .order_by(func.substr(columns.interaction_id, _RANDOM_FROM), columns.interaction_id)
            .limit(most)
        )
        rows = (await self._connection.execute(query)).mappings().all()
        down, corrected = await self._said(since_us, until_us)
        found = [
            Placed(**row, is_down=down.get(row["id"]), is_corrected=row["id"] in corrected)
            for row in rows
        ]
        return sorted(found, key=lambda one: (one.created_us, one.id))

    async def some(self, most: int) -> list[str]:
        """The ids of some prompts that have vectors, at random."""
        ident = _vectors.c.interaction_id
        query = select(ident).order_by(func.substr(ident, _RANDOM_FROM), ident).limit(most)
        return list((await self._connection.execute(query)).scalars())

    async def forget(self, *, encoder: str, before_us: int) -> int:
        """Delete the vectors older than a time, and those of other encoders; how many."""
        is_old = (_vectors.c.created_us < before_us) | (_vectors.c.encoder != encoder)
        return (await self._connection.execute(delete(_vectors).where(is_old))).rowcount

    async def open(self) -> list[GapRecord]:
        """The open gaps, oldest first."""
        query = select(_gaps).where(_gaps.c.closed_us.is_(None))
        return await self._records(query.order_by(_gaps.c.created_us, _gaps.c.id))

    async def newest(self, *, limit: int = 50, is_open: bool = False) -> list[GapRecord]:
        """The newest gaps, newest first; of all or of the open ones."""
        query = select(_gaps).order_by(_gaps.c.created_us.desc(), _gaps.c.id.desc()).limit(limit)
        return await self._records(query.where(_gaps.c.closed_us.is_(None)) if is_open else query)

    async def get(self, ident: str) -> GapRecord | None:
        """The gap with this id."""
        found = await self._records(select(_gaps).where(_gaps.c.id == ident))
        return found[0] if found else None

    async def add(self, record: GapRecord) -> None:
        """Add a gap; DuplicateRecord for a known id."""
        await self._connection.execute(insert(_gaps).values(_fields(record)))

    async def change(self, record: GapRecord) -> None:
        """Write down how a gap stands now."""
        statement = update(_gaps).where(_gaps.c.id == record.id)
        await self._connection.execute(statement.values(_fields(record)))

    async def forget_closed(self, *, before_us: int) -> int:
        """Delete gaps that were closed before this time; how many."""
        statement = delete(_gaps).where(_gaps.c.closed_us < before_us)
        return (await self._connection.execute(statement)).rowcount

    async def _add_scores(self, found: dict[str, Asked], idents: Sequence[str]) -> None:
        columns = tables.scores.c
        names = ("interaction_id", "scorer", "status", "verdict", "heads")
        query = select(*(columns[name] for name in names))
        wanted = query.where(
            columns.interaction_id.in_(idents),
            columns.side == "reply",
            columns.scorer.in_(("faithfulness", "confidence")),
        )
        for ident, scorer, status, verdict, heads in await self._connection.execute(wanted):
            one = found[ident]
            if scorer == "faithfulness" and status == "scored":
                is_bad = bool(one.is_unsupported) or verdict in ("flag", "veto")
                found[ident] = replace(one, is_unsupported=is_bad)
            # How sure a reply sounds is known also where no risk is.
            elif scorer == "confidence" and heads and heads.get("expressed") is not None:
                surest = max(one.expressed or 0.0, float(heads["expressed"]))
                found[ident] = replace(one, expressed=surest)

    async def _said(self, since_us: int, until_us: int) -> tuple[dict[str, bool], set[str]]:
        """Which exchanges of a time were thumbed down or up, and which were corrected."""
        own = select(_vectors.c.interaction_id).where(
            _vectors.c.created_us >= since_us, _vectors.c.created_us < until_us
        )
        about = _said.c.interaction_id.in_(own)
        rated = select(_said.c.interaction_id, _said.c.rating).where(about, is_standing())
        balance: dict[str, int] = {}
        for ident, rating in await self._connection.execute(rated):
            balance[ident] = balance.get(ident, 0) + (1 if rating == "down" else -1)
        written = select(_said.c.interaction_id).where(about, _is_correction())
        corrected = set((await self._connection.execute(written)).scalars())
        return {ident: many > 0 for ident, many in balance.items() if many}, corrected

    async def _records(self, query: Select[Any]) -> list[GapRecord]:
        rows = (await self._connection.execute(query)).mappings()
        return [GapRecord(**row) for row in rows]


def _is_correction() -> ColumnElement[bool]:
    return func.trim(_said.c.correction) != ""


def _fields(record: GapRecord) -> Mapping[str, Any]:
    names = ("id", "created_us", "seen_us", "closed_us", "figures")
    return {name: getattr(record, name) for name in names} | {"members": list(record.members)}


def _parts(idents: Sequence[str]) -> Iterable[Sequence[str]]:
    for at in range(0, len(idents), _IDS_AT_ONCE):
        yield idents[at : at + _IDS_AT_ONCE]
