"""What happened: the recorded exchanges."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from service.access import Caller
from service.routes.bodies import InteractionPage, InteractionQuery, InteractionView
from service.routes.feedback import ERRORS
from service.routes.filters import interaction_filter
from service.routes.lookup import find_one
from service.routes.views import answer, interaction_view
from service.state import Needs, state_of

router = APIRouter(prefix="/v1/interactions", tags=["record"], responses=ERRORS)
Reader = Annotated[Caller, Depends(Needs("feedback"))]


@router.get("", response_model=InteractionPage)
async def list_interactions(
    query: Annotated[InteractionQuery, Query()], request: Request, caller: Reader
) -> Response:
    """Recorded exchanges, newest first; a key that is no admin's sees its own."""
    where = interaction_filter(query, caller)
    async with state_of(request).store.reading() as unit:
        page = await unit.interactions.page(where, limit=query.limit, cursor=query.cursor)
    items = [interaction_view(record) for record in page.items]
    return answer({"items": items, "next_cursor": page.next_cursor})


@router.get("/{id}", response_model=InteractionView)
async def get_interaction(
    ident: Annotated[str, Path(alias="id")], request: Request, caller: Reader
) -> Response:
    """One exchange, by its own id or by its reply's."""
    state = state_of(request)
    record = await find_one(state, ident, caller=caller)
    async with state.store.reading() as unit:
        said = await unit.feedback.latest([record.id])
    return answer(interaction_view(record, said))
