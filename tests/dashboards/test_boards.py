"""The boards that Grafana reads are those that Python builds, and ask for what is counted."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from dashboards.grafana import reading
from dashboards.grafana.build import FOLDER, texts
from service.metrics import Metrics

BOARDS = sorted(reading.boards())
VALUES = {"scorer": ["toxicity", "faithfulness", "sycophancy", "confidence"]}


def test_the_checked_in_boards_are_current() -> None:
    """`python -m dashboards.grafana` would change nothing."""
    assert {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.json")} == texts()


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_asks_for_names_that_are_counted(name: str) -> None:
    """A renamed metric would leave a panel empty without a word."""
    known = {
        sample + suffix
        for family in Metrics().registry.collect()
        for sample in [family.name]
        for suffix in ("", "_total", "_bucket", "_sum", "_count")
    }
    board = reading.boards()[name]

    for panel in reading.panels(board, VALUES, window="1m"):
        for _, expr in panel.queries:
            asked = set(re.findall(r"\b(?:fairlead|process)_\w+", expr))
            assert asked, expr
            assert asked <= known


@pytest.mark.parametrize("name", BOARDS)
def test_panels_stand_beside_each_other(name: str) -> None:
    """No two overlap, none leaves the grid, and each says what it shows."""
    panels = list(reading.panels(reading.boards()[name], VALUES, window="1m"))

    for one in panels:
        assert one.x + one.width <= 24
        assert one.title
        assert one.text
    for one, other in combinations(panels, 2):
        is_beside = one.x + one.width <= other.x or other.x + other.width <= one.x
        is_below = one.y + one.height <= other.y or other.y + other.height <= one.y
        assert is_beside or is_below, (one.title, other.title)


def test_boards_have_names_of_their_own() -> None:
    """Grafana keeps one board for each uid, and knows panels by their ids."""
    found = reading.boards().values()

    assert len({board["uid"] for board in found}) == len(BOARDS)
    for board in found:
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
