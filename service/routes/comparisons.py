"""Replies held against each other."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from service.access import Caller
from service.errors import BadRequest
from service.routes.bodies import ComparisonBody, ComparisonPage, ComparisonQuery, ComparisonView
from service.routes.feedback import ERRORS, PLAIN, Rater
from service.routes.filters import comparison_filter
from service.routes.idempotent import Work, once
from service.routes.lookup import expect_choice, find_one
from service.routes.views import answer, comparison_view
from service.state import state_of
from storage.ids import new_id, now_us
from storage.records import ComparisonRecord
from storage.store import UnitOfWork

router = APIRouter(prefix="/v1/feedback", tags=["feedback"], responses=ERRORS)


@router.post("/comparisons", status_code=201, response_model=ComparisonView, dependencies=PLAIN)
async def compare(body: ComparisonBody, request: Request, caller: Rater) -> Response:
    """Stores that one reply is preferred to another."""
    state = state_of(request)

    async def prepare() -> tuple[dict[str, Any], Work]:
        record = await _comparison(body, request, caller)

        async def work(unit: UnitOfWork) -> None:
            await unit.comparisons.add(record)

        return comparison_view(record), work

    stored, is_new = await once(state, request, caller=caller, body=body, prepare=prepare)
    if is_new:
        state.metrics.feedback("comparison")
    return answer(stored, 201)


async def _comparison(body: ComparisonBody, request: Request, caller: Caller) -> ComparisonRecord:
    state = state_of(request)
    chosen = await find_one(state, body.chosen, caller=caller, param="chosen")
    rejected = await find_one(state, body.rejected, caller=caller, param="rejected")
    expect_choice(chosen, body.chosen_choice_index, param="chosen_choice_index")
    expect_choice(rejected, body.rejected_choice_index, param="rejected_choice_index")
    sides = (chosen.id, body.chosen_choice_index), (rejected.id, body.rejected_choice_index)
    if sides[0] == sides[1]:
        raise BadRequest("a reply cannot be preferred to itself", param="rejected")
    return ComparisonRecord(
        id=new_id("cmp"),
        created_us=now_us(),
        chosen_interaction_id=chosen.id,
        rejected_interaction_id=rejected.id,
        chosen_choice=body.chosen_choice_index,
        rejected_choice=body.rejected_choice_index,
        rater=body.rater,
        comment=body.comment,
        key_id=caller.key_id,
    )


@router.get("/comparisons", response_model=ComparisonPage)
async def list_comparisons(
    query: Annotated[ComparisonQuery, Query()], request: Request, caller: Rater
) -> Response:
    """Comparisons, newest first; a key that is no admin's sees those made under it."""
    where = comparison_filter(query, caller)
    async with state_of(request).store.reading() as unit:
        page = await unit.comparisons.page(where, limit=query.limit, cursor=query.cursor)
    items = [comparison_view(record) for record in page.items]
    return answer({"items": items, "next_cursor": page.next_cursor})
