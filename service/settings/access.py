"""Who may use the proxy, and who is slowed or stopped."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from service.settings.base import Section


class Access(Section):
    """Who may use the proxy."""

    required: bool | Literal["auto"] = Field(
        default="auto",
        description="Whether API keys are asked for; `auto`: unless bound to loopback.",
    )
    cache_s: float = Field(
        default=5.0,
        ge=0,
        le=60,
        description="Time for which a key is remembered; a revocation's delay.",
    )
    outage_s: float = Field(
        default=3600.0,
        ge=0,
        le=86_400,
        description="Time since its last look-up for which a known key stands while the store "
        "cannot be asked.",
    )

    open_metrics: bool = Field(
        default=True, description="Whether `/metrics` answers without a key."
    )


class AbuseSettings(Section):
    """What is done about users whose prompts are vetoed again and again; off unless set."""

    after: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Vetoed prompts of a user from which something is done; unset is off.",
    )
    within_minutes: float = Field(
        default=60.0, gt=0, le=10_080, description="Time in which so many have to fall."
    )
    action: Literal["slow", "stop"] = Field(
        default="stop", description="`slow` delays each request, `stop` answers 403."
    )
    delay_ms: int = Field(
        default=2000, ge=0, le=60_000, description="Delay of a slowed user's requests."
    )
    for_minutes: float = Field(
        default=60.0, gt=0, le=10_080, description="How long it holds after the last of them."
    )
    by: Literal["user", "key"] = Field(
        default="user",
        description="Who is one: a `fairlead.user` under an API key, or the whole key.",
    )
    refresh_s: float = Field(
        default=5.0, ge=0.1, le=300, description="Time from one reading of the counts to the next."
    )
