"""One person's data removed from the store and from the spool files, with an audit line."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from service.auditing import audited
from storage.erasing import Erased, Person, count, erase
from storage.errors import SpoolHeld
from storage.exports.journal_erasing import count_journals, erase_journals
from storage.spool_erasing import count_spooled, erase_spooled
from storage.store import Store

SPOOL = "spool"
"""The name under which records in spool files are counted beside the tables."""

JOURNALS = "journals"
"""The name under which journals of interrupted exports are counted, each as one."""


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
        journals = await asyncio.to_thread(count_journals, await self._exported(), person)
        found = await count(self._store, person)
        beside = {SPOOL: spooled.free + spooled.held, JOURNALS: journals.free + journals.held}
        return Erasure(None, found | beside)

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
                await self._erase_journals(person, erased)
                spooled = await asyncio.to_thread(count_spooled, self._spool_dir, person)
                erased.left[SPOOL] = spooled.free + spooled.held
            finally:
                run.counts = {"removed": dict(erased.removed), "left": dict(erased.left)}
        return Erasure(run.id, dict(erased.removed), dict(erased.left))

    async def _erase_journals(self, person: Person, erased: Erased) -> None:
        """Those of exports that run now are left, and told as such."""
        found = await asyncio.to_thread(erase_journals, await self._exported(), person)
        erased.removed[JOURNALS], erased.left[JOURNALS] = found.free, found.held

    async def _exported(self) -> list[Path]:
        """The files that the audit log knows of, as far as their paths say where they are."""
        async with self._store.reading() as unit:
            names = await unit.audit.exported_files()
        return [path for path in map(Path, sorted(names)) if path.is_absolute()]

    async def _expect_no_held_file(self, person: Person) -> None:
        spooled = await asyncio.to_thread(count_spooled, self._spool_dir, person)
        if spooled.held:
            raise SpoolHeld(
                f"{spooled.held} of the person's records wait in the spool of a running process; "
                "nothing was erased: try again when they are in the store "
                "(`fairlead_recorder_pending`, /readyz), or stop that process first"
            )
