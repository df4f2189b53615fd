"""Logs and OpenTelemetry."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from service.settings.base import Section


class Logs(Section):
    """What is logged; texts and keys never are."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged."
    )
    exchanges: bool = Field(default=True, description="Whether each exchange logs one line.")


class TelemetrySettings(Section):
    """OpenTelemetry."""

    exporter: Literal["none", "otlp"] = Field(
        default="none", description="Where spans and scores go: nowhere, or to a collector."
    )
    endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description=(
            "The collector's address for OTLP over HTTP, without `/v1/traces`; "
            "`OTEL_EXPORTER_OTLP_ENDPOINT` or `http://localhost:4318` if unset."
        ),
    )
    sample: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share of exchanges that are told; one whose caller traces it follows that.",
    )
    content: bool = Field(
        default=False,
        description="Whether prompts and replies are told where the policy's `text` is `keep`.",
    )
    propagate: bool = Field(
        default=False,
        description=(
            "Whether the upstream gets our `traceparent`; "
            "else a client's own passes as every header does."
        ),
    )
    service_name: str = Field(default="fairlead", description="`service.name` of what is told.")
