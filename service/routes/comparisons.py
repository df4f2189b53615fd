"""Replies held against each other."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from service.access import Caller
from service.errors import BadRequest, NotFound
from service.routes.bodies import (
    MAX_RANKED,
    ComparisonBody,
    ComparisonPage,
    ComparisonQuery,
    ComparisonView,
    Ident,
    RankedReply,
    RankingBody,
    RankingView,
)
from service.routes.feedback import ERRORS, PLAIN, Rater
from service.routes.filters import comparison_filter
from service.routes.idempotent import Work, once
from service.routes.lookup import expect_choice, find_one
from service.routes.views import answer, comparison_view, ranking_view
from service.state import State, state_of
from storage.ids import new_id, now_us
from storage.rankings import Place, comparisons_of
from storage.records import ComparisonRecord, InteractionRecord
from storage.store import UnitOfWork
from storage.textlevel import text_level

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
        raise BadRequest("a reply cannot be compared with itself", param="rejected")
    return ComparisonRecord(
        id=new_id("cmp"),
        created_us=now_us(),
        chosen_interaction_id=chosen.id,
        rejected_interaction_id=rejected.id,
        chosen_choice=body.chosen_choice_index,
        rejected_choice=body.rejected_choice_index,
        rater=body.rater,
        comment=state.keeper.said(body.comment, *map(text_level, (chosen, rejected))),
        key_id=caller.key_id,
        is_tie=body.is_tie,
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


@router.post("/rankings", status_code=201, response_model=RankingView, dependencies=PLAIN)
async def rank(body: RankingBody, request: Request, caller: Rater) -> Response:
    """Stores several replies in order, as the comparisons of each two of them."""
    state = state_of(request)

    async def prepare() -> tuple[dict[str, Any], Work]:
        tiers, about = await _places(state, body.ranking, caller)
        records = comparisons_of(
            tiers,
            created_us=now_us(),
            rater=body.rater,
            comment=state.keeper.said(body.comment, *map(text_level, about)),
            key_id=caller.key_id,
        )

        async def work(unit: UnitOfWork) -> None:
            await unit.comparisons.add_all(records)

        return ranking_view(records), work

    stored, is_new = await once(state, request, caller=caller, body=body, prepare=prepare)
    if is_new:
        state.metrics.feedback("ranking")
    return answer(stored, 201)


async def _places(
    state: State, ranking: list[list[RankedReply]], caller: Caller
) -> tuple[list[list[Place]], list[InteractionRecord]]:
    """The places of a ranking, tier by tier, and the exchanges that it is about."""
    count = sum(map(len, ranking))
    if not 2 <= count <= MAX_RANKED:
        raise BadRequest(f"a ranking has 2 to {MAX_RANKED} replies, not {count}", param="ranking")
    found: list[list[Place]] = []
    seen: set[Place] = set()
    about: list[InteractionRecord] = []
    for rank_at, tier in enumerate(ranking):
        found.append([])
        for at, reply in enumerate(tier):
            where = f"ranking.{rank_at}.{at}"
            record = await find_one(state, reply.id, caller=caller, param=f"{where}.id")
            expect_choice(record, reply.choice_index, param=f"{where}.choice_index")
            place = (record.id, reply.choice_index)
            if place in seen:
                raise BadRequest("a reply has one place in a ranking", param=where)
            seen.add(place)
            about.append(record)
            found[-1].append(place)
    return found, about


@router.get("/rankings/{id}", response_model=RankingView)
async def get_ranking(
    ident: Annotated[Ident, Path(alias="id")], request: Request, caller: Rater
) -> Response:
    """One ranking, as its comparisons still have it."""
    async with state_of(request).store.reading() as unit:
        records = await unit.comparisons.ranking(ident, key_id=caller.tenant)
    if not records:
        raise NotFound(f"no ranking is known by the id {ident[:80]!r}", param="id")
    return answer(ranking_view(records))
