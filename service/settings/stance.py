"""How stated views are probed."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from service.settings.base import Section


class StanceProbeSettings(Section):
    """How the upstream is asked again about prompts that state a view; off without a budget."""

    requests_per_hour: int | None = Field(
        default=None,
        ge=2,
        le=100_000,
        description="Requests that probes may cost in any hour, of all workers and replicas "
        "together; a probe takes up to two. Off if unset.",
    )
    tokens_per_hour: int | None = Field(
        default=None,
        ge=100,
        le=1_000_000_000,
        description="Tokens of prompts and answers that they may cost in any hour; both budgets "
        "are needed.",
    )
    sample: float = Field(
        default=0.1, gt=0, le=1, description="Share of replies to a stated view that are probed."
    )
    policies: list[str] = Field(
        default=[], description="Policies whose exchanges are probed; all if empty."
    )
    timeout_s: float = Field(
        default=60.0, gt=0, le=600, description="Time that one request of a probe may take."
    )

    @model_validator(mode="after")
    def _has_both_budgets(self) -> Self:
        given = {name: getattr(self, name) for name in ("requests_per_hour", "tokens_per_hour")}
        missing = [name for name, value in given.items() if value is None]
        if len(missing) == 1:
            raise ValueError(f"set `{missing[0]}` too: a probe has to fit into both budgets")
        return self
