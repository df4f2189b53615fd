"""What is kept, of whom and for how long."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from service.privacy.found import KINDS, Kind
from service.settings.base import Section


class Retention(Section):
    """How long exchanges are kept."""

    days: int | None = Field(
        default=None,
        ge=1,
        description="Days after which an exchange is removed with all that was said of it; "
        "everything is kept if unset.",
    )
    partition_days: int = Field(
        default=30,
        ge=1,
        le=366,
        description="Days in one partition on PostgreSQL, which is removed as a whole when its "
        "last day is old enough.",
    )


class Privacy(Section):
    """How texts are treated where a policy's `text` is not `keep`."""

    key_env: str | None = Field(
        default=None,
        description="Environment variable with the secret of keyed hashes, 16 bytes or more; "
        "`text: hash` needs it.",
    )
    redact: list[Kind] = Field(
        default=list(KINDS),
        description="What `text: redact` replaces, among `KEY`, `EMAIL`, `IBAN`, `CARD`, `IP` and "
        "`PHONE`.",
    )
    phone_regions: list[Annotated[str, Field(pattern="^[A-Z]{2}$")]] = Field(
        default=[],
        description="Regions whose telephone numbers are known without a country code, as `US`.",
    )
