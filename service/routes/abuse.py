"""Who had prompts vetoed, and what is done about it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from service.access import Caller
from service.auditing import actor_of
from service.pardon import Whose, pardon
from service.routes.bodies import Body, Ident, Time
from service.routes.feedback import ERRORS, PLAIN
from service.routes.views import answer, iso, unix_us
from service.state import Needs, state_of
from storage.ids import now_us

router = APIRouter(prefix="/v1/abuse", tags=["record"], responses=ERRORS)
Reader = Annotated[Caller, Depends(Needs("feedback"))]
Admin = Annotated[Caller, Depends(Needs("admin"))]

DAY_US = 24 * 3600 * 1_000_000


class AbuseQuery(BaseModel):
    """Which time to look at."""

    model_config = ConfigDict(extra="forbid")

    since: Time | None = Field(
        default=None, description="From this time on (ISO 8601); else the last 24 hours."
    )
    limit: int = Field(default=50, ge=1, le=1000, description="Users, the most vetoed first.")
    cursor: str | None = Field(
        default=None,
        max_length=512,
        description="`next_cursor` of a page; the time of the first page holds on.",
    )


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
    next_cursor: str | None


class PardonBody(Body):
    """Whose vetoed prompts count no more. It stands in the body since addresses end up in logs."""

    user: str | None = Field(
        default=None,
        min_length=1,
        max_length=10_000,
        description="The `user` of exchanges; null with a `key_id` for those that named none.",
    )
    key_id: Ident | None = Field(
        default=None, description="Their API key as `/v1/abuse` tells it; null for every key."
    )


class PardonedView(BaseModel):
    """A user, and how many vetoed prompts were forgotten."""

    user: str | None
    key_id: str | None
    prompt_vetoes: int


class PardonView(BaseModel):
    """What was forgotten; a later veto counts again."""

    id: str = Field(description="The run in the audit log.")
    pardoned_at: str
    items: list[PardonedView]


@router.get("", response_model=AbuseList)
async def list_abuse(
    query: Annotated[AbuseQuery, Query()], request: Request, caller: Reader
) -> Response:
    """Users whose prompts were vetoed; a key that is no admin's sees its own."""
    state = state_of(request)
    since = unix_us(query.since) or now_us() - DAY_US
    async with state.store.reading() as unit:
        page = await unit.abuse.users(
            since_us=since,
            key_id=caller.tenant,
            is_by_key=state.settings.abuse.by == "key",
            limit=query.limit,
            cursor=query.cursor,
        )
    items: list[dict[str, Any]] = []
    for one in page.items:
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
    return answer({"items": items, "next_cursor": page.next_cursor})


@router.post("/pardons", response_model=PardonView, dependencies=PLAIN)
async def forgive(body: PardonBody, request: Request, caller: Admin) -> Response:
    """Forgets a user's vetoed prompts until now, so that they are slowed or stopped no more.

    Other workers follow within `abuse.refresh_s`. The record keeps the exchanges. 404 where none
    of the user's vetoed prompts count.
    """
    state = state_of(request)
    subject = state.keeper.subject(body.user) if body.user is not None else None
    whose = Whose(body.user, body.key_id, subject)
    done = await pardon(state.store, state.settings.abuse, whose, actor=actor_of(caller))
    await state.guard.read()
    items = [
        {"user": user, "key_id": key, "prompt_vetoes": prompts}
        for (key, user), prompts in done.prompts.items()
    ]
    return answer({"id": done.id, "pardoned_at": iso(done.at_us), "items": items})
