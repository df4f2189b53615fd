"""Who is told of trouble."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from service.settings.base import Section


class Webhook(Section):
    """One receiver of alerts."""

    name: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        description="Its name in metrics, logs and the store; the host and a hash of the address "
        "if unset.",
    )
    url: str = Field(
        pattern=r"^https?://[^\s/]+", description="Address that alerts are sent to; never logged."
    )
    secret_env: str | None = Field(
        default=None,
        description="Environment variable with the signing secret (`whsec_...`); `standard` "
        "needs one.",
    )
    format: Literal["standard", "slack", "alertmanager"] = Field(
        default="standard", description="`standard` (Standard Webhooks), `slack` or `alertmanager`."
    )


class Alerts(Section):
    """Who is told of trouble."""

    allow_private_targets: bool = Field(
        default=False,
        description="Whether alerts may go to private, loopback, link-local and metadata "
        "addresses.",
    )
    webhooks: list[Webhook] = Field(default=[], description="Receivers of alerts.")
    timeout_s: float = Field(
        default=10.0, gt=0, le=60, description="Time that one try of a delivery may take."
    )
    first_retry_s: float = Field(
        default=5.0, gt=0, le=3600, description="Wait before a second try; each next is threefold."
    )
    max_retry_s: float = Field(
        default=3600.0, gt=0, le=86_400, description="Longest wait between tries."
    )
    give_up_h: float = Field(
        default=72.0, gt=0, le=720, description="Hours after which an alert is not tried any more."
    )
    resolve_after_s: float = Field(
        default=300.0,
        ge=0,
        description="How long a cause has to be gone until its alert is resolved; what comes back "
        "before stays one alert.",
    )
    keep_days: int = Field(
        default=90, ge=1, description="Days for which ended alerts and deliveries are kept."
    )

    @model_validator(mode="after")
    def _names_webhooks_once(self) -> Self:
        names = [webhook.name for webhook in self.webhooks if webhook.name]
        if len(set(names)) < len(names) or len({w.url for w in self.webhooks}) < len(self.webhooks):
            raise ValueError("two webhooks have the same name or the same address")
        return self
