"""The pictures of the boards in the docs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from dashboards.grafana import reading
from dashboards.pictures import shown

FOLDER = Path(__file__).parents[2] / "dashboards"
MOST_BYTES = 150_000


@pytest.mark.parametrize("name", sorted(reading.boards()))
def test_the_docs_show_each_board(name: str) -> None:
    """There is a picture of each, small enough for a page, and the page has it."""
    picture = FOLDER / "pictures" / f"{name}.png"

    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < MOST_BYTES
    assert f"(pictures/{name}.png)" in (FOLDER / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.125, "percentunit", "12.5%"),
        (0.0421, "s", "42.1 ms"),
        (2.5, "s", "2.5 s"),
        (3 * 2**20, "bytes", "3 MiB"),
        (1.5, "reqps", "1.5/s"),
        (12_345, "short", "12,345"),
        (math.nan, "short", "–"),
    ],
)
def test_figures_are_told_in_their_unit(value: float, unit: str, text: str) -> None:
    """As Grafana would, or near enough."""
    assert shown(value, unit) == text
