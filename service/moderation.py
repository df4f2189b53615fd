"""OpenAI's moderation format, filled from our heads as far as they go. Pure.

Our heads ask two of the format's questions: `toxic` is abuse of a person or a group, `harm`
is help with wrongdoing. What they are not asked is not guessed: the other categories are 0
and false because the clients' types demand a value, and their list of applied input types is
empty, which is how the format says that a category was not judged. `hate` is among them,
since `toxic` covers hateful abuse and insults alike and cannot tell one from the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scorers.types import Side
from service.errors import BadRequest
from service.exchange import Verdict
from service.policy import Policy

HEADS: Mapping[str, str] = {"harassment": "toxic", "illicit": "harm"}
"""The categories that are judged, with the head that judges them."""

CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit",
    "illicit/violent", "self-harm", "self-harm/instructions", "self-harm/intent", "sexual",
    "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip
"""Every category of the format."""

MAX_INPUTS = 256


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is said of one input: the risk of each category that was judged, and those flagged."""

    risks: Mapping[str, float]
    flagged: frozenset[str]

    def to_dict(self) -> dict[str, Any]:
        """One of the format's `results`."""
        return {
            "flagged": bool(self.flagged),
            "categories": {name: name in self.flagged for name in CATEGORIES},
            "category_scores": {name: self.risks.get(name, 0.0) for name in CATEGORIES},
            "category_applied_input_types": {
                name: ["text"] if name in self.risks else [] for name in CATEGORIES
            },
        }


def thresholds(policy: Policy) -> dict[str, float | None]:
    """The risk from which each category counts, by category that the policy has judged.

    That is the lowest flag or veto of the rules on prompts that read the category's head;
    None where they have neither.
    """
    found: dict[str, float | None] = {}
    for name, head in HEADS.items():
        rules = [rule for rule in policy.rules[Side.PROMPT] if head in rule.heads]
        limits = [limit for rule in rules for limit in (rule.flag, rule.veto) if limit is not None]
        if rules:
            found[name] = min(limits, default=None)
    return found


def judgement(verdict: Verdict | None, limits: Mapping[str, float | None]) -> Judgement:
    """What a verdict on a text means by category; None stands for an input without text."""
    heads: dict[str, float] = {}
    for rule in verdict.rules if verdict else ():
        if rule.score.risk is not None:
            heads |= rule.score.heads
    risks = {name: round(heads[HEADS[name]], 6) for name in limits if HEADS[name] in heads}
    flagged = {
        name
        for name in risks
        if (limit := limits[name]) is not None and heads[HEADS[name]] >= limit
    }
    return Judgement(risks, frozenset(flagged))


def texts_of(value: Any) -> list[str]:
    """The text of each input: one for a string, one for each of a list of strings.

    A list of parts (`text`, `image_url`) is one input; its images are not judged. Anything
    else raises `BadRequest`.
    """
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not value:
        raise BadRequest("`input` is a text, or a list of texts or of parts", param="input")
    if len(value) > MAX_INPUTS:
        raise BadRequest(f"`input` has {len(value)} items; at most {MAX_INPUTS}", param="input")
    if all(isinstance(item, str) for item in value):
        return value
    return ["\n".join(filter(None, _parts(value)))]


def _parts(value: Sequence[Any]) -> list[str]:
    return [_part(part, f"input.{at}") for at, part in enumerate(value)]


def _part(part: Any, where: str) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "image_url":
        return ""
    if kind == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    raise BadRequest(f"{where}: a part is a `text` or an `image_url`", param=where)
