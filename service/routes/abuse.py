"""Who had prompts vetoed, and what is done about it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from service.access import Caller
from service.routes.bodies import Time
from service.routes.feedback import ERRORS
from service.routes.views import answer, iso, unix_us
from service.state import Needs, state_of
from storage.ids import now_us

router = APIRouter(prefix="/v1/abuse", tags=["record"], responses=ERRORS)
Reader = Annotated[Caller, Depends(Needs("feedback"))]

DAY_US = 24 * 3600 * 1_000_000


class AbuseQuery(BaseModel):
    """Which time to look at."""

    model_config = ConfigDict(extra="forbid")

    since: Time | None = Field(
        default=None, description="From this time on (ISO 8601); else the last 24 hours."
    )
    limit: int = Field(default=50, ge=1, le=1000, description="Users, the most vetoed first.")


class AbuseView(BaseModel):
    """A user, or the users of a key who were not named."""

    user: str | None
    key_id: str | None = Field(description="Their API key; told to admins only.")
    prompt_vetoes: int
    first_at: str
    last_at: str
    last_interaction_id: str
    action: str | None = Field(description="`slow` or `stop` while it holds.")
    until: str | None


class AbuseList(BaseModel):
    """Users with vetoed prompts, the most first."""

    items: list[AbuseView]


@router.get("", response_model=AbuseList)
async def list_abuse(
    query: Annotated[AbuseQuery, Query()], request: Request, caller: Reader
) -> Response:
    """Users whose prompts were vetoed; a key that is no admin's sees its own."""
    state = state_of(request)
    since = unix_us(query.since) or now_us() - DAY_US
    async with state.store.reading() as unit:
        found = await unit.abuse.users(since_us=since, key_id=caller.tenant, limit=query.limit)
    items: list[dict[str, Any]] = []
    for one in found:
        standing = state.guard.standing(one.key_id, one.user)
        items.append(
            {
                "user": one.user,
                "key_id": one.key_id if caller.is_admin else None,
                "prompt_vetoes": one.prompts,
                "first_at": iso(one.first_us),
                "last_at": iso(one.last_us),
                "last_interaction_id": one.last_id,
                "action": standing.action if standing else None,
                "until": iso(standing.until_us) if standing else None,
            }
        )
    return answer({"items": items})
