"""Lines of the audit log, before and after what is exported or erased."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from service.access import Caller
from storage.ids import new_id, now_us
from storage.records import AuditAction, AuditOutcome, AuditRecord
from storage.store import Store

_PERSONS = ("user", "rater")


@dataclass
class AuditRun:
    """One run: its id, and the counts that its last line will have."""

    id: str
    counts: dict[str, Any] = field(default_factory=dict)


def actor_of(caller: Caller) -> str:
    """Who sent a request, for the log."""
    return "anyone" if caller.own_key_id is None else f"key:{caller.own_key_id}"


def command_actor() -> str:
    """Who runs a command, for the log; a container may have a number and no name."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):
        return f"cli:{os.getuid()}"


@asynccontextmanager
async def audited(
    store: Store,
    action: AuditAction,
    *,
    actor: str,
    subject: str | None = None,
    filters: Mapping[str, Any] | None = None,
) -> AsyncIterator[AuditRun]:
    """Writes a line before the block and one after it, which says how the block ended.

    Nothing is done where the first line cannot be written. Filters that name a person are only
    said to be set.
    """
    run = AuditRun(new_id("run"))
    given = {
        name: (True if name in _PERSONS else value)
        for name, value in (filters or {}).items()
        if value is not None
    }

    async def tell(outcome: AuditOutcome) -> None:
        at_us = now_us()
        record = AuditRecord(
            id=new_id("aud", at_us), created_us=at_us, run_id=run.id, action=action,
            outcome=outcome, actor=actor, subject=subject, filters=given, counts=run.counts or None,
        )  # fmt: skip
        async with store.writing() as unit:
            await unit.audit.add(record)

    await tell("started")
    try:
        yield run
    except BaseException:
        # Whoever is cancelled here may be cancelled again at once; the line is written anyway.
        await asyncio.shield(asyncio.create_task(tell("failed"), name="fairlead-audit"))
        raise
    await tell("done")
