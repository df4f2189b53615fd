"""What a verdict does to an exchange under its policy."""

from __future__ import annotations

import time

from service.errors import PromptVetoed, ReplyVetoed, ScorerUnavailable
from service.exchange import Outcome, Verdict
from service.policy import hardest_action
from service.recorder import Run


def asks_again(run: Run, *, deadline: float | None) -> bool:
    """Whether the reply at hand is to be set aside and the upstream asked for another.

    It is where `regenerate` is the hardest action of all its vetoes, in every choice, none of
    the rules that say so has used up its attempts, and the deadline (a time of
    `time.monotonic()`, None while the upstream was asked once only) is not over.
    """
    vetoes = [verdict for _, verdict in run.windows if verdict.is_veto]
    if run.policy.mode != "enforce" or not vetoes:
        return False
    if hardest_action(verdict.action for verdict in vetoes) != "regenerate":
        return False
    attempts = min(verdict.attempts for verdict in vetoes if verdict.action == "regenerate")
    return run.asked <= attempts and (deadline is None or time.monotonic() < deadline)


def is_annotated(run: Run) -> bool:
    """Whether a veto of this exchange is only to be told, not carried out."""
    is_enforcing = run.policy.mode == "enforce"
    return is_enforcing and any(v.is_veto and v.action == "annotate" for _, v in run.windows)


def is_enforced(run: Run, verdict: Verdict) -> bool:
    """Whether a veto of a reply is carried out by replacing, as it is where nobody asks again.

    Raises `ReplyVetoed` where the policy wants an error, and `ScorerUnavailable`
    where it is closed and a score is missing.
    """
    if run.policy.mode != "enforce" or not verdict.is_veto:
        return False
    _refuse_unscored(verdict, "text")
    if verdict.action == "error":
        raise ReplyVetoed("the reply was vetoed by policy", extra={"fairlead": run.fairlead()})
    return verdict.action in ("replace", "regenerate")


def stop_prompt(run: Run, verdict: Verdict) -> None:
    """Raises what a vetoed prompt is answered with, where the policy enforces."""
    if run.policy.mode != "enforce" or not verdict.is_veto:
        return
    _refuse_unscored(verdict, "prompt")
    if verdict.action == "annotate":
        return
    fairlead = run.fairlead()
    results = {
        score["scorer"]: {"filtered": score["verdict"] == "veto", "risk": score.get("risk")}
        for score in fairlead["scores"]
        if score["side"] == "prompt"
    }
    at = next((piece.at for piece, part in verdict.parts if part.is_veto), "")
    where = f" ({at})" if len(verdict.parts) > 1 and at else ""
    raise PromptVetoed(
        f"the prompt was vetoed by policy{where}",
        at=at,
        param="messages",
        extra={"content_filter_result": results, "fairlead": fairlead},
    )


def _refuse_unscored(verdict: Verdict, what: str) -> None:
    if verdict.failure and not any(rule.outcome is Outcome.VETO for rule in verdict.rules):
        raise ScorerUnavailable(
            f"the {what} could not be scored ({verdict.failure}) and the policy lets nothing "
            "through unscored; try again later"
        )
