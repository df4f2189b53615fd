"""The formats, in the order they are listed to people."""

from __future__ import annotations

from storage.errors import ExportError
from storage.exports.base import ExportFormat
from storage.exports.dpo import Dpo
from storage.exports.kto import Kto
from storage.exports.openai_dpo import OpenAiDpo
from storage.exports.reward import Reward
from storage.exports.sft import Sft

FORMATS: tuple[ExportFormat, ...] = (Dpo(), Kto(), Reward(), Sft(), OpenAiDpo())


QNA = "instructlab"
"""The one that is no file of rows: `instructlab.py` writes it."""


def every_name() -> tuple[str, ...]:
    """The names of all formats, of rows or not."""
    return (*names(), QNA)


def names() -> tuple[str, ...]:
    """The names of the formats of rows."""
    return tuple(each.name for each in FORMATS)


def find(name: str) -> ExportFormat:
    """The format of this name; ExportError names the known ones."""
    for each in FORMATS:
        if each.name == name:
            return each
    raise ExportError(
        f"unknown format {name!r}; there are {', '.join(every_name())}", option="format"
    )
