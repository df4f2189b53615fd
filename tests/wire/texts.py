"""Pieces of text for streams that are drawn: good and bad, each with a mark of its own."""

from __future__ import annotations

import itertools
import re

from hypothesis import strategies as st

from tests.fakes.engine import BAD

HOLE = "§"
"""Where a mark is put later, in texts that are drawn alone."""

_MARK = re.compile(rb"Q\d+Z")
_RAW = ["Fine§. ", "Good§", " and well§", ".\n", "Zwölf Möwen§. ", "VI", "LE", f"{BAD}§! "]
_RAW += ["Long§ words " * 12]


def numbered(pieces: list[str]) -> list[str]:
    """The pieces with a mark in each hole, no two alike."""
    count = itertools.count()
    return [re.sub(HOLE, lambda _: f"Q{next(count)}Z", piece) for piece in pieces]


def marks(text: bytes) -> set[bytes]:
    """The marks in a text."""
    return set(_MARK.findall(text))


PIECES = st.lists(st.sampled_from(_RAW), max_size=8).map(numbered)
"""Some pieces, most often without the bad word whole."""

RAW_PIECE = st.sampled_from(_RAW)
