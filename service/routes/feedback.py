"""What people say of replies."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from service.access import Caller
from service.errors import BadRequest
from service.routes.bodies import (
    ComparisonBody,
    ComparisonView,
    ErrorBody,
    FeedbackBody,
    FeedbackPage,
    FeedbackQuery,
    FeedbackView,
)
from service.routes.idempotent import Work, once
from service.routes.lookup import expect_choice, find_one, response_id
from service.routes.views import answer, comparison_view, feedback_view, unix_us
from service.state import Needs, state_of
from storage.ids import new_id, now_us
from storage.records import ComparisonRecord, FeedbackRecord
from storage.repositories.feedback import FeedbackFilter
from storage.store import UnitOfWork

ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": ErrorBody, "description": text}
    for code, text in (
        (400, "a field is wrong; `param` names it"),
        (401, "an API key is needed"),
        (403, "the API key lacks the scope"),
        (404, "the id is not known"),
        (409, "the id stands for several interactions, or the idempotency key was used before"),
    )
}

router = APIRouter(prefix="/v1/feedback", tags=["feedback"], responses=ERRORS)
Rater = Annotated[Caller, Depends(Needs("feedback"))]


@router.post("", status_code=201, response_model=FeedbackView)
async def give_feedback(body: FeedbackBody, request: Request, caller: Rater) -> Response:
    """Stores what a person says of a reply; earlier words stay, the newest of each rater counts."""
    state = state_of(request)

    async def prepare() -> tuple[dict[str, Any], Work]:
        target = await find_one(state, body.id, caller=caller)
        expect_choice(target, body.choice_index, param="choice_index")
        record = FeedbackRecord(
            id=new_id("fb"),
            created_us=now_us(),
            interaction_id=target.id,
            response_id=response_id(target, body.id),
            choice_index=body.choice_index,
            rating=body.rating,
            comment=body.comment,
            correction=body.correction,
            rater=body.rater,
            key_id=caller.key_id,
            tags=tuple(body.tags),
        )

        async def work(unit: UnitOfWork) -> None:
            await unit.feedback.add(record)

        return feedback_view(record), work

    stored, is_new = await once(state, request, caller=caller, body=body, prepare=prepare)
    if is_new:
        state.metrics.feedback(body.rating)
    return answer(stored, 201)


@router.post("/comparisons", status_code=201, response_model=ComparisonView)
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


@router.get("", response_model=FeedbackPage)
async def list_feedback(
    query: Annotated[FeedbackQuery, Query()], request: Request, caller: Rater
) -> Response:
    """Feedback, newest first."""
    where = FeedbackFilter(
        interaction_id=query.interaction_id,
        response_id=query.response_id,
        rating=query.rating,
        rater=query.rater,
        key_id=caller.tenant,
        since_us=unix_us(query.since),
        until_us=unix_us(query.until),
    )
    async with state_of(request).store.reading() as unit:
        page = await unit.feedback.page(where, limit=query.limit, cursor=query.cursor)
    items = [feedback_view(record) for record in page.items]
    return answer({"items": items, "next_cursor": page.next_cursor})
