"""What people say of replies."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from service.access import Caller
from service.errors import NothingSaid
from service.routes.bodies import (
    NOTHING_SAID,
    ErrorBody,
    FeedbackBody,
    FeedbackPage,
    FeedbackQuery,
    FeedbackView,
)
from service.routes.filters import feedback_filter
from service.routes.idempotent import Work, once
from service.routes.lookup import expect_choice, find_one, response_id
from service.routes.plainness import plain_body
from service.routes.views import answer, feedback_view
from service.state import Needs, state_of
from storage.ids import new_id, now_us
from storage.records import FeedbackRecord
from storage.store import UnitOfWork
from storage.textlevel import text_level

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
PLAIN = [Depends(plain_body)]


@router.post("", status_code=201, response_model=FeedbackView, dependencies=PLAIN)
async def give_feedback(body: FeedbackBody, request: Request, caller: Rater) -> Response:
    """Stores what a person says of a reply; earlier words stay, the newest of each rater counts."""
    if body.is_empty:
        raise NothingSaid(f"the feedback {NOTHING_SAID}", param="rating")
    state = state_of(request)

    async def prepare() -> tuple[dict[str, Any], Work]:
        target = await find_one(state, body.id, caller=caller)
        expect_choice(target, body.choice_index, param="choice_index")
        level = text_level(target)
        record = FeedbackRecord(
            id=new_id("fb"),
            created_us=now_us(),
            interaction_id=target.id,
            response_id=response_id(target, body.id),
            choice_index=body.choice_index,
            rating=body.rating,
            comment=state.keeper.said(body.comment, level),
            correction=state.keeper.said(body.correction, level),
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


@router.get("", response_model=FeedbackPage)
async def list_feedback(
    query: Annotated[FeedbackQuery, Query()], request: Request, caller: Rater
) -> Response:
    """Feedback, newest first; a key that is no admin's sees what was given under it."""
    where = feedback_filter(query, caller)
    async with state_of(request).store.reading() as unit:
        page = await unit.feedback.page(where, limit=query.limit, cursor=query.cursor)
    items = [feedback_view(record) for record in page.items]
    return answer({"items": items, "next_cursor": page.next_cursor})
