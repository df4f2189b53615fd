"""Everything that can be set."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from service.settings.access import AbuseSettings, Access
from service.settings.alerts import Alerts
from service.settings.base import Section
from service.settings.network import Limits, Listen, Timeouts, UpstreamSettings
from service.settings.policies import PolicySettings
from service.settings.record import Privacy, Retention
from service.settings.scoring import Labelling, Scoring
from service.settings.telling import Logs, TelemetrySettings
from service.settings.watch import Watch


class Settings(Section):
    """Everything that can be set."""

    listen: Listen = Field(default_factory=Listen, description="Where the proxy listens.")
    database_url: str = Field(
        default="sqlite+aiosqlite:///fairlead.db",
        pattern=r"^(sqlite\+aiosqlite|postgresql\+asyncpg)://",
        description="Store: `sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://...`.",
    )
    record: Literal["strict", "relaxed"] = Field(
        default="strict", description="Whether a reply's end waits until its record is durable."
    )
    durable: bool = Field(
        default=False,
        description="Whether what is committed is on the disk before it counts: SQLite then syncs "
        "each commit, PostgreSQL waits for its log whatever the server's default is.",
    )
    spool_dir: str | None = Field(
        default=None,
        description="Where records wait while the store is away; beside a SQLite file if unset.",
    )
    retention: Retention = Field(
        default_factory=Retention, description="How long exchanges are kept."
    )
    upstreams: list[UpstreamSettings] = Field(
        default=[], description="LLM endpoints, first match wins."
    )
    policies: dict[str, PolicySettings] = Field(
        default={},
        validate_default=True,
        description="Policies by name; `default` is there even if unset.",
    )
    alerts: Alerts = Field(default_factory=Alerts, description="Who is told of trouble.")
    watch: Watch = Field(default_factory=Watch, description="What is watched in the background.")
    abuse: AbuseSettings = Field(
        default_factory=AbuseSettings,
        description="What is done about users whose prompts are vetoed again and again.",
    )
    scoring: Scoring = Field(default_factory=Scoring, description="The scoring model.")
    limits: Limits = Field(default_factory=Limits, description="Bounds.")
    access: Access = Field(default_factory=Access, description="Who may use the proxy.")
    privacy: Privacy = Field(default_factory=Privacy, description="How texts are treated.")
    logs: Logs = Field(default_factory=Logs, description="What is logged.")
    timeouts: Timeouts = Field(default_factory=Timeouts, description="How long is waited.")
    telemetry: TelemetrySettings = Field(
        default_factory=TelemetrySettings, description="OpenTelemetry."
    )
    labelling: Labelling = Field(default_factory=Labelling, description="Weak labels.")
    context_pattern: str | None = Field(
        default=None,
        description="Pattern marking source text in messages; its first group is the source.",
    )

    @model_validator(mode="before")
    @classmethod
    def _has_default_policy(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("policies", {}), dict):
            return value
        return value | {"policies": {"default": {}, **value.get("policies", {})}}

    @field_validator("context_pattern")
    @classmethod
    def _is_a_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _names_upstreams_once(self) -> Self:
        names = [upstream.name for upstream in self.upstreams]
        if len(set(names)) < len(names):
            raise ValueError("two upstreams have the same name; each needs a `name` of its own")
        return self

    @model_validator(mode="after")
    def _fallbacks_end(self) -> Self:
        following = {upstream.name: upstream.fallback for upstream in self.upstreams}
        for name in following:
            seen = [name]
            while (fallback := following[seen[-1]]) is not None:
                if fallback not in following:
                    raise ValueError(f"{seen[-1]}.fallback: no upstream is named {fallback!r}")
                if fallback in seen:
                    circle = " -> ".join([*seen, fallback])
                    raise ValueError(f"fallbacks go round in a circle: {circle}")
                seen.append(fallback)
        return self
