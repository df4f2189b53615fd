"""How the texts of an exchange were treated before they were kept; `request.text` says so."""

from __future__ import annotations

from typing import Literal, get_args

from storage.records import InteractionRecord, Json

TextLevel = Literal["keep", "redact", "hash", "drop"]

LEVELS: tuple[TextLevel, ...] = get_args(TextLevel)
"""From the mildest to the hardest."""

FIELD = "text"
"""The field of `request` that names the level; it is not there where texts were kept."""


def level_in(request: Json) -> TextLevel:
    """The level that a stored `request` names."""
    found = request.get(FIELD) if isinstance(request, dict) else None
    return found if found in LEVELS else "keep"


def text_level(record: InteractionRecord) -> TextLevel:
    """The level of an exchange's texts."""
    return level_in(record.request)


def is_readable(level: TextLevel) -> bool:
    """Whether texts can be read: whole, or with placeholders in them."""
    return level in ("keep", "redact")
