"""What is looked for in a text, and a place where it was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["KEY", "EMAIL", "IBAN", "CARD", "IP", "PHONE"]

KINDS: tuple[Kind, ...] = get_args(Kind)
"""Every kind. Where two overlap, the one that stands first here holds."""


@dataclass(frozen=True, slots=True)
class Found:
    """One value in a text: its place in characters, and the value without its punctuation."""

    start: int
    stop: int
    kind: Kind
    value: str
