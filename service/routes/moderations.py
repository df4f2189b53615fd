"""`POST /v1/moderations` in OpenAI's format, answered by the scorers instead of an upstream."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from scorers.types import Side, Subject
from service.access import Caller
from service.dialects.extension import read_extension
from service.errors import NotFound, ScorerUnavailable
from service.exchange import Verdict
from service.moderation import judgement, texts_of, thresholds
from service.policy import Policy
from service.routes.feedback import ERRORS
from service.routes.scoring import choose_policy, judged, scores_of
from service.routes.views import answer
from service.state import Needs, state_of
from storage.ids import new_id

ROUTE = "/v1/moderations"

router = APIRouter(tags=["scoring"], responses=ERRORS)
Scoring = Annotated[Caller, Depends(Needs("proxy"))]


class ModerationBody(BaseModel):
    """A request in OpenAI's format; fields that are not known are not used."""

    model_config = ConfigDict(extra="ignore")

    input: str | list[str] | list[dict[str, Any]] = Field(
        description="A text, texts, or parts (`text`, `image_url`) of one input. Images are not "
        "judged."
    )
    model: str | None = Field(default=None, description="Not used: the loaded model answers.")
    fairlead: dict[str, Any] | None = Field(default=None, description="`policy` is used.")


class ModerationResult(BaseModel):
    """What is said of one input."""

    flagged: bool = Field(description="Whether any category is flagged.")
    categories: dict[str, bool]
    category_scores: dict[str, float] = Field(
        description="Calibrated risks; 0 where the category was not judged."
    )
    category_applied_input_types: dict[str, list[str]] = Field(
        description="`text` where the category was judged; empty where it was not."
    )
    fairlead: dict[str, Any] = Field(description="The verdict and all scores.")


class ModerationAnswer(BaseModel):
    """The answer in OpenAI's format."""

    id: str
    model: str
    results: list[ModerationResult]


@router.post(ROUTE, response_model=ModerationAnswer)
async def moderate(body: ModerationBody, request: Request, caller: Scoring) -> Response:
    """Judges texts by the policy's rules on prompts: `harassment` and `illicit`, nothing else.

    A text whose scores do not come is answered 503 under every policy, because the format
    cannot say that a text was not judged in any other way than by calling it harmless.
    """
    state = state_of(request)
    extension = read_extension(body.fairlead, state.proxy.read_limits)
    policy = choose_policy(state, caller, ROUTE, requested=extension.policy, model=body.model or "")
    limits = thresholds(policy)
    if not limits:
        raise NotFound(
            f"the policy {policy.name} has no rule on prompts that reads `toxic` or `harm`, so "
            "that there is nothing to moderate by"
        )
    verdicts = await _verdicts(request, policy, texts_of(body.input))
    results = [
        judgement(verdict, limits).to_dict() | {"fairlead": _told(policy, verdict)}
        for verdict in verdicts
    ]
    model = state.engine.health().model if state.engine else ""
    return answer({"id": new_id("modr"), "model": model, "results": results})


async def _verdicts(request: Request, policy: Policy, texts: list[str]) -> list[Verdict | None]:
    """One for each text, None for an empty one; `ScorerUnavailable` where a score is missing."""
    subjects = [Subject(Side.PROMPT, text) for text in texts if text]
    found = iter(await judged(request, subjects, policy))
    verdicts = [next(found) if text else None for text in texts]
    for at, verdict in enumerate(verdicts):
        if verdict is not None and verdict.failure is not None:
            raise ScorerUnavailable(
                f"input {at} could not be scored ({verdict.failure}); try again later",
                param="input",
            )
    return verdicts


def _told(policy: Policy, verdict: Verdict | None) -> dict[str, Any]:
    if verdict is None:
        return {"verdict": "unscored", "scores": []}
    return {"verdict": verdict.outcome.value, "scores": scores_of(policy, prompt=verdict)}
