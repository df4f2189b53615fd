"""How far raters agree."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from service.agreement_report import agreement_report
from service.routes.bodies import Span
from service.routes.feedback import ERRORS, Rater
from service.routes.filters import owner, span
from service.routes.views import answer
from service.state import state_of

router = APIRouter(prefix="/v1/feedback", tags=["feedback"], responses=ERRORS)


class RaterView(BaseModel):
    """One rater against the majority of the others."""

    key: str | None = Field(description="Id of the API key; null where none was asked for.")
    rater: str
    judgements: int = Field(description="Those that stand.")
    compared: int = Field(description="Of them, those on which the others have a majority.")
    agreed: int = Field(description="Of these, those that say what the majority says.")
    share: float | None = Field(description="`agreed` / `compared`.")
    low: float | None = Field(description="Lower end of the interval of `share`.")
    high: float | None = Field(description="Upper end.")
    is_contrary: bool = Field(
        description="The interval, which holds for all raters together, lies below one half."
    )


class KindView(BaseModel):
    """Agreement of one kind of judgement."""

    alpha: float | None = Field(description="Krippendorff's alpha, nominal.")
    low: float | None = Field(description="Lower end of its 95% bootstrap interval.")
    high: float | None = Field(description="Upper end.")
    units: int = Field(description="Units that two or more raters judged.")
    judgements: int = Field(description="Their judgements.")
    reason: str | None = Field(description="Why a number is null.")
    raters_total: int
    raters: list[RaterView] = Field(description="Contrary ones first; at most 1000.")


class AgreementView(BaseModel):
    """Agreement of ratings (the unit is a choice) and comparisons (the unit is two choices)."""

    ratings: KindView
    comparisons: KindView


@router.get("/agreement", response_model=AgreementView)
async def agreement(query: Annotated[Span, Query()], request: Request, caller: Rater) -> Response:
    """Of all feedback; a key that is no admin's is told of what was given under it."""
    store = state_of(request).store
    return answer(await agreement_report(store, key_id=owner(query, caller), **span(query)))
