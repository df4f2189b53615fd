"""What a policy says of prompts and replies."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_serializer, model_validator

from service.settings.base import Section, off_is_a_word

Action = Literal["replace", "error", "annotate", "regenerate"]


INSTRUCTION = (
    "An earlier answer to this request was withheld by a check of its content. Answer again: "
    "politely, without help for anything harmful, and where sources are given, with nothing that "
    "they do not say. Do not mention the earlier answer or the check."
)
"""What the upstream is told when it is asked again, unless a policy has words of its own."""


DEFAULT_RULES: dict[str, dict[str, Any]] = {
    "prompt": {"injection": {"flag": {"fpr": 0.01}}, "toxicity": {"flag": 0.8}},
    "reply": {
        "toxicity": {"flag": 0.5, "veto": {"fpr": 0.01}},
        "faithfulness": {"flag": 0.5, "veto": {"fpr": 0.01}},
        "sycophancy": {"flag": {"fpr": 0.05}},
        "confidence": {"flag": {"fpr": 0.05}},
    },
}
"""The rules of a policy that names none for a side. To have none, write `reply: {}`."""


class Threshold(Section):
    """A limit on a risk: a plain number in YAML, or `{fpr: 0.01}`."""

    risk: float | None = Field(default=None, ge=0, le=1, description="A risk in [0, 1].")
    fpr: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="The risk with this rate of false positives in calibration.",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"risk": value}
        if not isinstance(value, dict | cls):
            raise ValueError("a threshold is a risk such as 0.5, or {fpr: 0.01}")  # noqa: TRY004
        return value

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.risk is None) == (self.fpr is None):
            raise ValueError("a threshold is a risk such as 0.5, or {fpr: 0.01}")
        return self

    @model_serializer
    def _as_written(self) -> float | dict[str, float | None] | None:
        return {"fpr": self.fpr} if self.risk is None else self.risk


class RuleSettings(Section):
    """What a policy says of one scorer or head; without thresholds it is scored and recorded."""

    flag: Threshold | None = Field(default=None, description="Risk from which the text is flagged.")
    veto: Threshold | None = Field(default=None, description="Risk from which the text is vetoed.")
    action: Action = Field(
        default="replace",
        description="What a veto does: `replace`, `error`, `annotate`, or on replies `regenerate`.",
    )
    attempts: int = Field(
        default=2, ge=1, le=5, description="How often `regenerate` asks the upstream again."
    )
    heads: list[str] | None = Field(
        default=None,
        min_length=1,
        description="Heads of the scorer that count; else its default heads.",
    )
    mode: Literal["classifier", "twin"] = Field(
        default="classifier",
        description="How `sycophancy` finds its risk. `twin` asks the upstream the same without "
        "the view that a prompt states, each time, which costs a call, and compares the answers.",
    )
    twin_budget_ms: int = Field(
        default=2000,
        gt=0,
        le=600_000,
        description="Time that a reply which is there, or the first text of a stream, waits for "
        "its twin; then the classifier alone judges.",
    )
    twin_sample: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of replies to a stated view whose twin is asked for after delivery, to "
        "record and count flips; each costs a call.",
    )


class VetoSettings(Section):
    """How vetoes are told."""

    prompt_as: Literal["error", "refusal"] = Field(
        default="error",
        description="A vetoed prompt answers with HTTP 400, or with 200 and the refusal.",
    )


class RegenerationSettings(Section):
    """How the upstream is asked for another reply."""

    deadline_ms: int = Field(
        default=30_000,
        gt=0,
        le=600_000,
        description="Time from a veto until another reply has passed, all attempts together; on "
        "streams, until its first text has. Then the vetoed reply is replaced.",
    )
    instruction: str = Field(
        default=INSTRUCTION,
        description="What the upstream is told then, with the system prompt; empty asks the same.",
    )


class PolicySettings(Section):
    """One policy."""

    mode: Annotated[Literal["enforce", "shadow", "off"], BeforeValidator(off_is_a_word)] = Field(
        default="enforce",
        description="`enforce`; `shadow` scores and records but changes nothing; `off` records.",
    )
    streaming: Literal["hold", "chase"] = Field(
        default="hold",
        description="`hold` lets no unscored text out; `chase` lets text out and cuts on a veto.",
    )
    prompt_scoring: Literal["concurrent", "before"] = Field(
        default="concurrent",
        description="Score the prompt while the upstream works, or before.",
    )
    on_scorer_failure: Literal["open", "closed"] = Field(
        default="open", description="Whether text passes when a scorer gives no answer."
    )
    deadline_ms: int = Field(
        default=2000, gt=0, le=600_000, description="Time that scoring may take."
    )
    refusal: str = Field(
        default="This reply was withheld by policy.",
        min_length=1,
        description="Text in the place of what was vetoed.",
    )
    text: Literal["keep", "redact", "hash", "drop"] = Field(
        default="keep",
        description="What is kept of texts: all; all but personal data and secrets; keyed hashes "
        "and lengths; nothing.",
    )
    veto: VetoSettings = Field(default_factory=VetoSettings, description="How vetoes are told.")
    regeneration: RegenerationSettings = Field(
        default_factory=RegenerationSettings, description="How a vetoed reply is asked for again."
    )
    routes: list[str] = Field(
        default=[], description="Routes that use this policy, such as `/v1/chat/completions`."
    )
    models: list[str] = Field(
        default=[], description="Models that use this policy; `*` is any text."
    )
    prompt: dict[str, RuleSettings] = Field(
        default_factory=lambda: _default_rules("prompt"),
        description="Rules on prompts, by scorer or head.",
    )
    reply: dict[str, RuleSettings] = Field(
        default_factory=lambda: _default_rules("reply"),
        description="Rules on replies, by scorer or head.",
    )


def _default_rules(side: str) -> dict[str, RuleSettings]:
    return {k: RuleSettings.model_validate(rule) for k, rule in DEFAULT_RULES[side].items()}
