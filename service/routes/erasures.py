"""Removing a person's data, and the log of who did so."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from service.access import Caller
from service.auditing import actor_of
from service.erasing import Eraser
from service.parts import spool_dir
from service.routes.bodies import Body, Listing, Name, Time
from service.routes.feedback import ERRORS, PLAIN
from service.routes.views import answer, audit_view, unix_us
from service.state import Needs, State, state_of
from storage.erasing import Person
from storage.records import AuditAction, AuditOutcome
from storage.repositories.audit import AuditFilter

router = APIRouter(prefix="/v1", tags=["privacy"], responses=ERRORS)
Remover = Annotated[Caller, Depends(Needs("erase"))]
Auditor = Annotated[Caller, Depends(Needs("admin"))]

_REPLAY_S = 10.0


class ErasureBody(Body):
    """Whose data goes. It stands in the body since addresses end up in logs."""

    user: str = Field(
        min_length=1,
        max_length=10_000,
        description="The `user` of exchanges, the `rater` of feedback.",
    )
    dry_run: bool = Field(default=False, description="Count, remove nothing.")


class ErasureView(BaseModel):
    """What was removed, by table.

    `spool` are records that waited outside the store, `journals` files of interrupted exports.
    """

    id: str | None = Field(description="The run in the audit log; null where nothing was done.")
    dry_run: bool
    removed: dict[str, int] = Field(description="Rows removed; with `dry_run` what would be.")
    left: dict[str, int] = Field(description="Rows found by counting again: 0 for each table.")
    is_complete: bool = Field(description="Whether nothing is left.")


class AuditView(BaseModel):
    """One line: a run's beginning or its end."""

    id: str
    created_at: str
    run_id: str
    action: AuditAction
    outcome: AuditOutcome
    actor: str = Field(description="`key:ID`, `cli:NAME`, or `anyone` where keys are off.")
    subject: str | None = Field(description="A keyed hash of the person, where there is a key.")
    filters: dict[str, Any] | None
    counts: dict[str, Any] | None


class AuditPage(BaseModel):
    """A page of the audit log, newest first."""

    items: list[AuditView]
    next_cursor: str | None


class AuditQuery(Listing):
    """Which lines to list."""

    since: Time | None = Field(default=None, description="From this time on (ISO 8601).")
    until: Time | None = Field(default=None, description="Before this time (ISO 8601).")
    action: AuditAction | None = Field(default=None, description="What was done.")
    run_id: Name | None = Field(default=None, description="One run's lines.")
    subject: Name | None = Field(default=None, description="About one person, by keyed hash.")


@router.post("/erasures", response_model=ErasureView, dependencies=PLAIN)
async def erase(body: ErasureBody, request: Request, caller: Remover) -> Response:
    """Removes a person's data from every table and counts again.

    A key that is no admin's erases among its own exchanges. 409 where a running process has the
    person's records in its spool.
    """
    state = state_of(request)
    person = Person(body.user, caller.tenant)
    eraser = Eraser(state.store, spool_dir(state.settings), actor=actor_of(caller))
    if body.dry_run:
        found = await eraser.count(person)
    else:
        await _settle(state)
        found = await eraser.erase(person, subject=state.keeper.subject(body.user))
        state.proxy.flow.judge.forget()
    told = {
        "id": found.id,
        "dry_run": body.dry_run,
        "removed": found.removed,
        "left": found.left,
        "is_complete": found.is_complete and not body.dry_run,
    }
    return answer(told)


async def _settle(state: State) -> None:
    """Waits until what this process holds is in the store, where it can be erased."""
    try:
        async with asyncio.timeout(_REPLAY_S):
            await state.writer.flush()
            while state.writer.spooled_bytes:  # noqa: ASYNC110 - the writer tells nobody
                await asyncio.sleep(0.05)
    except TimeoutError:
        return


@router.get("/audit", response_model=AuditPage)
async def list_audit(
    query: Annotated[AuditQuery, Query()], request: Request, caller: Auditor
) -> Response:
    """Exports, erasures and pardons, newest first; for admins."""
    del caller
    where = AuditFilter(
        action=query.action,
        run_id=query.run_id,
        subject=query.subject,
        since_us=unix_us(query.since),
        until_us=unix_us(query.until),
    )
    async with state_of(request).store.reading() as unit:
        page = await unit.audit.page(where, limit=query.limit, cursor=query.cursor)
    items = [audit_view(record) for record in page.items]
    return answer({"items": items, "next_cursor": page.next_cursor})
