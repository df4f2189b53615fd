"""What is watched in the background."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BeforeValidator, Field, model_validator

from service.settings.base import Section, on_or_off
from service.settings.stance import StanceProbeSettings


class DriftSettings(Section):
    """How the record is watched for drift."""

    mode: Annotated[Literal["on", "off"], BeforeValidator(on_or_off)] = Field(
        default="on", description="Whether a running service looks for drift each hour."
    )
    reference_days: int = Field(
        default=7, ge=1, le=90, description="Days of traffic that the newer is compared with."
    )
    watched_days: int = Field(
        default=7, ge=1, le=90, description="Days of the newest traffic that are compared."
    )
    reference_since: AwareDatetime | None = Field(
        default=None,
        description="Start of a pinned reference (ISO 8601 with a zone); all since its end is "
        "compared with it. Else it rolls on with the days.",
    )
    reference_until: AwareDatetime | None = Field(
        default=None, description="End of a pinned reference."
    )
    min_effect: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Change that does not matter, in standard deviations of the signal.",
    )
    false_alarm_weeks: float = Field(
        default=4.0,
        gt=0,
        le=520,
        description="Weeks of steady traffic to a false alarm on average, at least, over all "
        "signals together.",
    )
    exchanges_per_hour: int = Field(
        default=500, ge=10, le=100_000, description="Exchanges looked at of an hour, at random."
    )
    groups: int = Field(
        default=20, ge=1, le=1000, description="Pairs of model and route, the busiest first."
    )
    prompts_per_hour: int = Field(
        default=60,
        ge=0,
        le=100_000,
        description="Prompts of an hour that are embedded to see what they are about; 0 for none.",
    )
    replies_per_hour: int = Field(
        default=60, ge=0, le=100_000, description="Replies of an hour, likewise."
    )

    @property
    def has_topics(self) -> bool:
        """Whether any texts are embedded."""
        return self.prompts_per_hour > 0 or self.replies_per_hour > 0

    @model_validator(mode="after")
    def _has_both_ends(self) -> Self:
        since, until = self.reference_since, self.reference_until
        if (since is None) != (until is None):
            raise ValueError("a pinned reference has both `reference_since` and `reference_until`")
        if since is not None and until is not None and since >= until:
            raise ValueError("`reference_since` is not before `reference_until`")
        return self


class KnowledgeGaps(Section):
    """How prompts are watched for themes that the model answers badly."""

    prompts_per_hour: int = Field(
        default=0,
        ge=0,
        le=2000,
        description="Budget: prompts of an hour that are embedded to look for knowledge gaps, at "
        "random; 0 does not look.",
    )
    reference_days: int = Field(
        default=7, ge=1, le=90, description="Days of prompts that the newer are compared with."
    )
    watched_days: int = Field(
        default=7, ge=1, le=90, description="Days of the newest prompts, in which gaps are found."
    )
    min_prompts: int = Field(
        default=20, ge=10, le=10_000, description="Fewer prompts about one thing are no gap."
    )
    min_people: int = Field(
        default=5, ge=2, le=1000, description="Nor are prompts of fewer users or conversations."
    )
    min_growth: float = Field(
        default=1.5,
        ge=1,
        le=100,
        description="How many times as frequent as before they have become at least.",
    )
    min_worse: float = Field(
        default=0.1,
        ge=0.01,
        le=1,
        description="How much more frequent a bad sign is than in all other replies at least.",
    )
    hedged_below: float = Field(
        default=0.5, gt=0, lt=1, description="Expressed confidence below which a reply is hedged."
    )
    false_alarm_weeks: float = Field(
        default=4.0,
        gt=0,
        le=520,
        description="Weeks to a false find on average, at least, over all themes together.",
    )


class CalibrationSettings(Section):
    """How the certainty of served models is watched."""

    days: int = Field(
        default=7, ge=1, le=365, description="Days of checked replies that count as recent."
    )
    reference_days: int = Field(
        default=28, ge=1, le=3650, description="Days before those that they are held against."
    )
    every_hours: float = Field(
        default=6.0, gt=0, le=168, description="Time from one comparison to the next, in hours."
    )
    margin: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Calibration error that is added before `calibration.degraded` is raised.",
    )
    alpha: float = Field(
        default=0.01,
        gt=0,
        lt=0.5,
        description="Chance of a false alarm at one comparison, all models together.",
    )


class VetoRate(Section):
    """When vetoes are too many: the alert `veto_rate.high`."""

    mode: Annotated[Literal["on", "off"], BeforeValidator(on_or_off)] = Field(
        default="on", description="Whether veto rates are watched, by policy and model."
    )
    window_minutes: float = Field(
        default=60.0, ge=1, le=1440, description="Newest time that is held against the days before."
    )
    reference_days: int = Field(
        default=7, ge=1, le=90, description="Days before it that are compared, in whole hours."
    )
    min_ratio: float = Field(
        default=2.0, ge=1, le=100, description="Rise that does not matter: so many times as high."
    )
    min_vetoes: int = Field(default=10, ge=1, description="Fewer conversations raise no alert.")
    alpha: float = Field(
        default=1e-6,
        gt=0,
        lt=0.1,
        description="Chance of a false alarm at each of the looks, one a minute, for each policy "
        "and model.",
    )


class ScorerHealth(Section):
    """When scores are missing: the alert `scorer.unhealthy`."""

    window_minutes: float = Field(
        default=10.0, ge=1, le=1440, description="Time in which missing scores are counted."
    )
    max_failures: float = Field(
        default=0.05, gt=0, lt=1, description="Share of exchanges without a score that may be."
    )
    alpha: float = Field(
        default=1e-6, gt=0, lt=0.1, description="Chance of a false alarm at a look, one a minute."
    )


class Watch(Section):
    """What is watched in the background."""

    veto_rate: VetoRate = Field(default_factory=VetoRate, description="When vetoes are too many.")
    scorers: ScorerHealth = Field(
        default_factory=ScorerHealth, description="When scores are missing."
    )
    drift: DriftSettings = Field(
        default_factory=DriftSettings, description="How the record is watched for drift."
    )
    knowledge_gaps: KnowledgeGaps = Field(
        default_factory=KnowledgeGaps,
        description="How prompts are watched for themes that are answered badly.",
    )
    calibration: CalibrationSettings = Field(
        default_factory=CalibrationSettings,
        description="How the certainty of served models is watched.",
    )
    stance_probe: StanceProbeSettings = Field(
        default_factory=StanceProbeSettings,
        description="How the upstream is asked again about prompts that state a view.",
    )
