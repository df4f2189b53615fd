"""What the model answers badly, and what it is about."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from service.access import Caller
from service.routes.feedback import ERRORS
from service.routes.views import answer, iso
from service.state import Needs, state_of
from service.watch.gap_names import Named, named

router = APIRouter(prefix="/v1/gaps", tags=["record"], responses=ERRORS)
Reader = Annotated[Caller, Depends(Needs("admin"))]


class GapQuery(BaseModel):
    """Which gaps to list."""

    model_config = ConfigDict(extra="forbid")

    open: bool = Field(default=True, description="Only those that are open; false lists all.")
    limit: int = Field(default=50, ge=1, le=200, description="Gaps, the newest first.")


class SignView(BaseModel):
    """How frequent a bad sign is in the gap and in the rest."""

    sign: str = Field(description="`unsupported`, `hedged`, `thumbs_down` or `corrected`.")
    known: int = Field(description="Of how many of the gap's replies it is known.")
    share: float
    rest: float
    low: float = Field(description="Lower end of the 95% interval of the difference.")
    high: float
    is_found: bool = Field(description="Whether there is evidence of it.")


class GapView(BaseModel):
    """A knowledge gap."""

    id: str
    found_at: str
    seen_at: str = Field(description="When it was last there.")
    closed_at: str | None
    terms: list[str] = Field(description="Words that its prompts have and others lack.")
    typical_id: str | None = Field(description="The exchange of its most typical prompt.")
    typical_prompt: str | None
    prompts: int = Field(description="Of those looked at in the watched days.")
    people: int
    share: float = Field(description="Of the prompts looked at.")
    share_before: float
    since: str
    signs: list[SignView]
    worst: str | None
    examples: list[str] = Field(description="Three exchanges with bad replies.")


class GapList(BaseModel):
    """Knowledge gaps, the newest first."""

    items: list[GapView]


@router.get("", response_model=GapList)
async def list_gaps(
    query: Annotated[GapQuery, Query()], request: Request, caller: Reader
) -> Response:
    """Knowledge gaps over all traffic; for admins. Terms come of the prompts that are stored."""
    del caller
    async with state_of(request).store.reading() as unit:
        records = await unit.gaps.newest(limit=query.limit, is_open=query.open)
        found = await named(unit, records)
    return answer({"items": [gap_view(one) for one in found]})


def gap_view(gap: Named) -> dict[str, Any]:
    """The fields of `GapView`."""
    record = gap.record
    return {
        "id": record.id,
        "found_at": iso(record.created_us),
        "seen_at": iso(record.seen_us),
        "closed_at": None if record.closed_us is None else iso(record.closed_us),
        "terms": list(gap.terms),
        "typical_id": gap.typical_id,
        "typical_prompt": gap.typical_prompt,
        **record.figures,
    }
