"""One person's data removed from the store and from the spool files, with an audit line."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from service.auditing import audited
from storage.erasing import Erased, Person, count, erase
from storage.errors import SpoolHeld
from storage.spool_erasing import count_spooled, erase_spooled
from storage.store import Store

SPOOL = "spool"
"""The name under which records in spool files are counted beside the tables."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure did: rows removed, and rows found by counting again, by table."""

    id: str | None
    removed: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether counting again found nothing."""
        return not any(self.left.values())


class Eraser:
    """Erases persons from one store; `actor` and `subject` are what the audit log says."""

    def __init__(self, store: Store, spool_dir: Path, *, actor: str) -> None:
        self._store = store
        self._spool_dir = spool_dir
        self._actor = actor

    async def count(self, person: Person) -> Erasure:
        """What an erasure would remove; nothing is."""
        spooled = await asyncio.to_thread(count_spooled, self._spool_dir, person)
        found = await count(self._store, person)
        return Erasure(None, found | {SPOOL: spooled.free + spooled.held})

    async def erase(self, person: Person, *, subject: str | None) -> Erasure:
        """Removes everything. Raises SpoolHeld, with nothing removed, where a file is in use."""
        await self._expect_no_held_file(person)
        erased = Erased()
        filters = {"user": person.user, "key": person.key_id}
        async with audited(
            self._store, "erase", actor=self._actor, subject=subject, filters=filters
        ) as run:
            try:
                erased.removed[SPOOL] = await asyncio.to_thread(
                    erase_spooled, self._spool_dir, person
                )
                await erase(self._store, person, erased)
                spooled = await asyncio.to_thread(count_spooled, self._spool_dir, person)
                erased.left[SPOOL] = spooled.free + spooled.held
            finally:
                run.counts = {"removed": dict(erased.removed), "left": dict(erased.left)}
        return Erasure(run.id, dict(erased.removed), dict(erased.left))

    async def _expect_no_held_file(self, person: Person) -> None:
        spooled = await asyncio.to_thread(count_spooled, self._spool_dir, person)
        if spooled.held:
            raise SpoolHeld(
                f"{spooled.held} of the person's records wait in the spool of a running process; "
                "nothing was erased: try again when they are in the store "
                "(`fairlead_recorder_pending`, /readyz), or stop that process first"
            )
