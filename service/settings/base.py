"""What every group of settings is made of."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

MIB = 1024 * 1024


class Section(BaseModel):
    """A group of settings: frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def off_is_a_word(value: Any) -> Any:
    """YAML reads a bare `off` as false; here it is the name of a mode."""
    return "off" if value is False else value


def on_or_off(value: Any) -> Any:
    """YAML reads bare `on` and `off` as truth values; here they are words."""
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value
