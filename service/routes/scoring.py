"""Scoring in bulk: texts in, scores, verdicts and rewards out; nothing is recorded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from scorers.types import Side, Subject
from service.access import Caller
from service.errors import BadRequest, ClientLeft, FairleadError, ScorerUnavailable
from service.exchange import CONTENT, Ask, Outcome, Verdict, hardest
from service.policy import Policy
from service.recorder import Run
from service.reward import reward
from service.routes.bodies import Body, Name
from service.routes.feedback import ERRORS
from service.routes.views import answer
from service.state import Needs, State, state_of
from service.veto import Window
from storage.ids import new_id, now_us

MAX_ITEMS = 256
ROUTE = "/v1/score"

router = APIRouter(tags=["scoring"], responses=ERRORS)
Scoring = Annotated[Caller, Depends(Needs("proxy"))]


class ScoreItem(Body):
    """One exchange to score; without a `response` only its prompt is."""

    prompt: str = Field(default="", description="What was asked.")
    response: str | None = Field(default=None, description="What was answered.")
    context: list[str] = Field(default=[], description="Sources that the answer is held against.")


class ScoreBody(Body):
    """Exchanges to score."""

    items: list[ScoreItem] = Field(min_length=1, max_length=MAX_ITEMS, description="The exchanges.")
    policy: Name | None = Field(default=None, description="Policy, where the key may choose one.")


class ScoredItem(BaseModel):
    """What came of one item."""

    verdict: Outcome = Field(description="The hardest of its scores; `unscored` where none came.")
    reward: float | None = Field(
        description="Sum of weight x risk over the rules of `scoring.reward`: 0 is best with the "
        "default weights of -1, lower is worse. Null without a response, where a score is "
        "missing, or where the policy has none of the rules."
    )
    reward_terms: dict[str, float | None] = Field(
        description="What each rule gave to the reward; null where it did not apply."
    )
    scores: list[dict[str, Any]] = Field(description="As in the `fairlead` object of a veto.")
    failure: str | None = Field(description="Why a score is missing, as `deadline`; else null.")


class ScoreAnswer(BaseModel):
    """The items' results, in the order of the items."""

    id: str
    policy: str
    items: list[ScoredItem]


@router.post(ROUTE, response_model=ScoreAnswer)
async def score(body: ScoreBody, request: Request, caller: Scoring) -> Response:
    """Scores up to 256 exchanges. Nothing is recorded or counted as traffic.

    A score that does not come makes its item `unscored` with a null reward where the policy
    fails open, and is answered 503 where it fails closed.
    """
    state = state_of(request)
    policy = choose_policy(state, caller, ROUTE, requested=body.policy, param="policy")
    _expect_context(body.items, limit=state.settings.limits.context_items)
    found = [list(_subjects(item)) for item in body.items]
    flat = [subject for subjects in found for subject in subjects]
    verdicts = iter(await judged(request, flat, policy))
    items = []
    for at, (item, subjects) in enumerate(zip(body.items, found, strict=True)):
        own = [next(verdicts) for _ in subjects]
        _refuse_unscored(policy, own, at)
        items.append(_result(item, own, policy, weights=state.settings.scoring.reward))
    return answer({"id": new_id("sc"), "policy": policy.name, "items": items})


def choose_policy(
    state: State,
    caller: Caller,
    route: str,
    *,
    requested: str | None,
    model: str = "",
    param: str = "fairlead.policy",
) -> Policy:
    """The policy of a local route, chosen as for the proxied ones; `param` names the wish."""
    allowed = caller.policies if caller.key_id else None
    try:
        return state.policies.choose(route, model, requested=requested, allowed=allowed)
    except FairleadError as error:
        error.param = error.param and param
        raise


async def judged(request: Request, subjects: Sequence[Subject], policy: Policy) -> list[Verdict]:
    """The subjects' verdicts, within the time that bulk work may take.

    Ends with `ClientLeft` as soon as the client has gone: the machine's time is others' then.
    """
    state = state_of(request)
    deadline = time.monotonic() + state.settings.scoring.bulk_deadline_s
    judge = state.proxy.flow.judge
    work = asyncio.create_task(judge.many(subjects, policy, deadline=deadline))
    leaving = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientLeft("the client left before its scores were there")
        return work.result()
    finally:
        work.cancel()
        leaving.cancel()


async def _gone(request: Request) -> None:
    """Returns when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def scores_of(
    policy: Policy, *, prompt: Verdict | None = None, reply: tuple[str, Verdict] | None = None
) -> list[dict[str, Any]]:
    """Scores as the `fairlead` object has them."""
    ask = Ask(ROUTE, "none", b"", model="", messages=[], prompt="")
    run = Run("", now_us(), ask, policy, prompt=prompt)
    if reply is not None:
        text, verdict = reply
        run.windows.append((Window(0, CONTENT, text, 0, len(text)), verdict))
    return run.scores()


def _subjects(item: ScoreItem) -> Iterator[Subject]:
    context = tuple(item.context)
    if item.prompt:
        yield Subject(Side.PROMPT, item.prompt, context=context)
    if item.response is not None:
        yield Subject(Side.REPLY, item.response, prompt=item.prompt, context=context)


def _expect_context(items: Sequence[ScoreItem], *, limit: int) -> None:
    for at, item in enumerate(items):
        if len(item.context) > limit:
            param = f"items.{at}.context"
            raise BadRequest(f"{param}: at most {limit} texts", param=param)


def _refuse_unscored(policy: Policy, verdicts: Sequence[Verdict], at: int) -> None:
    """Raises `ScorerUnavailable` where the policy lets nothing pass without its scores."""
    if policy.on_scorer_failure == "closed" and policy.mode == "enforce":
        for verdict in verdicts:
            if verdict.failure is not None:
                raise ScorerUnavailable(
                    f"items.{at} could not be scored ({verdict.failure}) and the policy "
                    f"{policy.name} fails closed; try again later",
                    param=f"items.{at}",
                )


def _result(
    item: ScoreItem, verdicts: Sequence[Verdict], policy: Policy, *, weights: dict[str, float]
) -> dict[str, Any]:
    by_side = {verdict.side: verdict for verdict in verdicts}
    reply = by_side.get(Side.REPLY)
    scored = reward(reply or Verdict(Side.REPLY, Outcome.UNSCORED), weights)
    failures = [verdict.failure for verdict in verdicts if verdict.failure]
    return {
        "verdict": hardest(verdict.outcome for verdict in verdicts).value,
        "reward": scored.value,
        "reward_terms": scored.terms,
        "scores": scores_of(
            policy,
            prompt=by_side.get(Side.PROMPT),
            reply=(item.response, reply) if item.response is not None and reply else None,
        ),
        "failure": failures[0] if failures else None,
    }
