"""Many judgements in one request."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, WithJsonSchema

from service.errors import BadRequest
from service.feedback_rows import Fault, FeedbackRow, Given, RowReader
from service.routes.bodies import Body
from service.routes.feedback import ERRORS, PLAIN, Rater
from service.routes.views import answer
from service.state import State, state_of

MAX_ITEMS = 1000
_SHOWN = 100
_FLUSH_S = 5.0

router = APIRouter(prefix="/v1/feedback", tags=["feedback"], responses=ERRORS)
Item = Annotated[Any, WithJsonSchema(FeedbackRow.model_json_schema())]


class BatchBody(Body):
    """Judgements to store, each as `POST /v1/feedback` takes it, and `created_at`."""

    items: list[Item] = Field(min_length=1, max_length=MAX_ITEMS, description="The judgements.")
    skip_bad: bool = Field(
        default=False, description="Store the others where some are wrong; else none is stored."
    )
    dry_run: bool = Field(default=False, description="Check and count, store nothing.")


class FaultView(BaseModel):
    """What is wrong with one item."""

    item: int = Field(description="Its index in `items`.")
    param: str | None
    message: str


class BatchView(BaseModel):
    """What became of the items."""

    items: int
    added: int = Field(description="Stored now; with `dry_run` what would be.")
    known: int = Field(description="Stored before, or said twice in a row: nothing was added.")
    refused: list[FaultView]
    dry_run: bool


@router.post("/batch", status_code=201, response_model=BatchView, dependencies=PLAIN)
async def give_many(body: BatchBody, request: Request, caller: Rater) -> Response:
    """Stores up to 1000 judgements, all or none of the good ones.

    Idempotent by item: the same content is stored once, however often it comes. To say again what
    was taken back since, give `created_at`.
    """
    state = state_of(request)
    await _settle(state)
    rows = [Given(at, fields) for at, fields in enumerate(body.items)]
    reader = RowReader(state.keeper, tenant=caller.tenant, key_id=caller.key_id)
    async with state.store.reading() as unit:
        found = await reader.read(unit, rows)
        known = await unit.feedback.known([record.id for record in found.records])
    if found.faults and not body.skip_bad:
        raise _refusal(found.faults, len(rows))
    fresh = {record.id: record for record in reversed(found.records) if record.id not in known}
    added = list(reversed(fresh.values()))
    if not body.dry_run:
        async with state.store.writing() as unit:
            added = await unit.feedback.add_new(added)
        for record in added:
            state.metrics.feedback(record.rating)
    told = {
        "items": len(rows),
        "added": len(added),
        "known": len(found.records) - len(added),
        "refused": [_view(fault) for fault in found.faults],
        "dry_run": body.dry_run,
    }
    return answer(told, 200 if body.dry_run else 201)


async def _settle(state: State) -> None:
    """Waits for exchanges that are about to be written: a thumb may be faster than its record."""
    if state.writer.pending_records:
        with suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_S):
                await state.writer.flush()


def _refusal(faults: list[Fault], count: int) -> BadRequest:
    first = faults[0]
    place = f"items.{first.place}" + (f".{first.param}" if first.param else "")
    return BadRequest(
        f"{len(faults)} of {count} items are wrong, and nothing was stored; {place}: "
        f"{first.message}. Mend them, or send `skip_bad` to store the others",
        param=place,
        extra={"refused": [_view(fault) for fault in faults[:_SHOWN]]},
    )


def _view(fault: Fault) -> dict[str, Any]:
    fields = asdict(fault)
    return {"item": fields.pop("place"), **fields}
