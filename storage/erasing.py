"""Removing one person's data: what they asked, what was answered, and what they said of replies.

Rows go in small transactions, so that others can write in between; a run that was interrupted is
run again. Rows that refer to an exchange are deleted by name, whatever the database would do.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from sqlalchemy import ColumnElement, Table, and_, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import tables
from storage.jsontext import clean, short
from storage.store import Store

EXCHANGES_AT_ONCE = 200
_IDS_AT_ONCE = 2_000

ERASED = (
    "interactions",
    "scores",
    "responses",
    "tags",
    "prompt_vectors",
    "feedback",
    "comparisons",
    "idempotency",
    "pardons",
)
"""The tables that may hold something of a person; each is emptied of it."""

NOBODY = (
    "api_keys",
    "alerts",
    "alert_deliveries",
    "alert_receivers",
    "leases",
    "audit",
    "stance_spending",
    "knowledge_gaps",
)
"""The tables that hold nothing of a person, or only a keyed hash (`audit`)."""

_exchanges, _said, _compared = tables.interactions, tables.feedback, tables.comparisons
_pardons = tables.pardons
_PARTS = (tables.scores, tables.responses, tables.tags, tables.prompt_vectors)


@dataclass(frozen=True, slots=True)
class Person:
    """Whose data: the `user` of exchanges and the `rater` of feedback, of one tenant or of all."""

    user: str
    key_id: str | None = None

    def asked(self) -> ColumnElement[bool]:
        """Holds for the person's exchanges."""
        return self._own(_exchanges, _exchanges.c.user == short(self.user))

    def pardoned(self) -> ColumnElement[bool]:
        """Holds for the person's pardons."""
        return self._own(_pardons, _pardons.c.user == short(self.user))

    def rated(self, table: Table) -> ColumnElement[bool]:
        """Holds for what the person said of replies."""
        return self._own(table, table.c.rater == clean(self.user))

    def _own(self, table: Table, is_theirs: ColumnElement[bool]) -> ColumnElement[bool]:
        return is_theirs if self.key_id is None else and_(is_theirs, table.c.key_id == self.key_id)


@dataclass(slots=True)
class Erased:
    """Rows removed, and rows found by counting again afterwards, by table."""

    removed: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)


async def count(store: Store, person: Person) -> dict[str, int]:
    """How many rows of each table are the person's now."""
    async with store.reading() as unit:
        return {
            name: await _count(unit.connection, table, condition)
            for name, (table, condition) in _conditions(person).items()
        }


async def erase(store: Store, person: Person, erased: Erased) -> None:
    """Remove the person's rows, and count what is left; `erased` is kept up to date on the way."""
    while await _erase_exchanges(store, person, erased):
        pass
    for table in (_said, _compared):
        while await _erase_said(store, person, table, erased):
            pass
    await _erase_pardons(store, person, erased)
    erased.left.update(await count(store, person))
    await _shrink_log(store)


async def _erase_exchanges(store: Store, person: Person, erased: Erased) -> bool:
    async with store.writing() as unit:
        connection = unit.connection
        await _overwrite(store, connection)
        query = select(_exchanges.c.id).where(person.asked()).limit(EXCHANGES_AT_ONCE)
        idents = (await connection.execute(query)).scalars().all()
        if not idents:
            return False
        about = _about(idents)
        answers = await _answers(connection, about)
        removed = await _remove(connection, {**about, "interactions": _exchanges.c.id.in_(idents)})
        removed["idempotency"] = await _forget(connection, answers)
        left = await _count_each(connection, about)
    erased.removed.update(removed)
    erased.left.update(left)
    return True


async def _erase_said(store: Store, person: Person, table: Table, erased: Erased) -> bool:
    async with store.writing() as unit:
        connection = unit.connection
        await _overwrite(store, connection)
        query = select(table.c.id).where(person.rated(table)).limit(_IDS_AT_ONCE)
        idents = (await connection.execute(query)).scalars().all()
        if not idents:
            return False
        said = {str(table.name): table.c.id.in_(idents)}
        answers = await _answers(connection, said)
        removed = await _remove(connection, said)
        removed["idempotency"] = await _forget(connection, answers)
    erased.removed.update(removed)
    return True


async def _erase_pardons(store: Store, person: Person, erased: Erased) -> None:
    """Removes the person's pardons: few, for there is one to a name."""
    async with store.writing() as unit:
        await _overwrite(store, unit.connection)
        erased.removed.update(await _remove(unit.connection, {"pardons": person.pardoned()}))


def _about(idents: Sequence[str]) -> dict[str, ColumnElement[bool]]:
    """What refers to these exchanges, by table."""
    owned = (*_PARTS, _said)
    sides = (_compared.c.chosen_interaction_id, _compared.c.rejected_interaction_id)
    return {
        "comparisons": or_(*(side.in_(idents) for side in sides)),
        **{str(table.name): table.c.interaction_id.in_(idents) for table in owned},
    }


def _conditions(person: Person) -> dict[str, tuple[Table, ColumnElement[bool]]]:
    """What is the person's, by table, for counting."""
    theirs = select(_exchanges.c.id).where(person.asked())
    sides = (_compared.c.chosen_interaction_id, _compared.c.rejected_interaction_id)
    said = or_(_said.c.interaction_id.in_(theirs), person.rated(_said))
    compared = or_(*(side.in_(theirs) for side in sides), person.rated(_compared))
    answered = _answered(
        [
            select(_said.c.id).where(said),
            select(_compared.c.id).where(compared),
            select(_compared.c.ranking_id).where(compared, _compared.c.ranking_id.is_not(None)),
        ]
    )
    return {
        "interactions": (_exchanges, person.asked()),
        **{str(table.name): (table, table.c.interaction_id.in_(theirs)) for table in _PARTS},
        "feedback": (_said, said),
        "comparisons": (_compared, compared),
        "idempotency": (tables.idempotency, answered),
        "pardons": (_pardons, person.pardoned()),
    }


def _answered(idents: Iterable[object]) -> ColumnElement[bool]:
    """Holds for answers kept under an idempotency key whose record has one of the ids."""
    named = tables.idempotency.c.response["id"].as_string()
    return or_(*(named.in_(each) for each in idents))


async def _answers(
    connection: AsyncConnection, conditions: Mapping[str, ColumnElement[bool]]
) -> list[str]:
    """The ids of the feedback, comparisons and rankings that these conditions hold for."""
    found: set[str] = set()
    if "feedback" in conditions:
        query = select(_said.c.id).where(conditions["feedback"])
        found.update((await connection.execute(query)).scalars())
    if "comparisons" in conditions:
        pairs = select(_compared.c.id, _compared.c.ranking_id).where(conditions["comparisons"])
        found.update(ident for row in await connection.execute(pairs) for ident in row if ident)
    return sorted(found)


async def _remove(
    connection: AsyncConnection, conditions: Mapping[str, ColumnElement[bool]]
) -> Counter[str]:
    removed: Counter[str] = Counter()
    for name, condition in conditions.items():
        removed[name] = await _delete(connection, tables.metadata.tables[name], condition)
    return removed


async def _forget(connection: AsyncConnection, idents: Sequence[str]) -> int:
    table = tables.idempotency
    return sum([await _delete(connection, table, _answered([part])) for part in _parts(idents)])


async def _delete(connection: AsyncConnection, table: Table, condition: ColumnElement[bool]) -> int:
    return (await connection.execute(delete(table).where(condition))).rowcount


async def _count_each(
    connection: AsyncConnection, conditions: Mapping[str, ColumnElement[bool]]
) -> dict[str, int]:
    return {
        name: await _count(connection, tables.metadata.tables[name], condition)
        for name, condition in conditions.items()
    }


async def _count(connection: AsyncConnection, table: Table, condition: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(table).where(condition)
    return (await connection.execute(query)).scalar_one()


def _parts(idents: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(idents)
    while part := list(islice(rest, _IDS_AT_ONCE)):
        yield part


async def _overwrite(store: Store, connection: AsyncConnection) -> None:
    """Has SQLite write zeros where rows were; a server does as it is set."""
    if store.engines.is_single_writer:
        await connection.exec_driver_sql("PRAGMA secure_delete = ON")


async def _shrink_log(store: Store) -> None:
    """Empties SQLite's write-ahead log, which has the pages as they were, unless one reads it."""
    if not store.engines.is_single_writer:
        return
    async with store.write_turn(), store.engines.writing.connect() as connection:
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        assert driver is not None
        with suppress(sqlite3.OperationalError):
            await driver.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
