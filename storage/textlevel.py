"""How the texts of an exchange were treated before they were kept; `request.text` says so."""

from __future__ import annotations

from typing import Literal, get_args

from storage.records import InteractionRecord

TextLevel = Literal["keep", "redact", "hash", "drop"]

LEVELS: tuple[TextLevel, ...] = get_args(TextLevel)
"""From the mildest to the hardest."""

FIELD = "text"
"""The field of `request` that names the level; it is not there where texts were kept."""


def text_level(record: InteractionRecord) -> TextLevel:
    """The level of an exchange's texts."""
    request = record.request if isinstance(record.request, dict) else {}
    found = request.get(FIELD)
    return found if found in LEVELS else "keep"


def is_readable(record: InteractionRecord) -> bool:
    """Whether the texts can be read: whole, or with placeholders in them."""
    return text_level(record) in ("keep", "redact")
