"""The command that measures twins on labelled replies."""

from __future__ import annotations

from pathlib import Path

import pytest

from load_tests.twins import FILES, measure, pairs


@pytest.mark.shared_data
def test_pairs_are_even_and_have_twins(shared_data: Path) -> None:
    """As many good as bad ones, always the same, each with an answer to hold it against."""
    for part, files in FILES.items():
        found = pairs(shared_data, part, 20)

        assert found == pairs(shared_data, part, 20)
        assert len(found) == 20 * len(files)
        assert sum(pair.is_bad for pair in found) == 10 * len(files)
        assert all(pair.twin and pair.sentences for pair in found)


@pytest.mark.shared_data
async def test_the_shipped_model_measures_them(shared_data: Path) -> None:
    """Every figure is a share."""
    told = await measure(pairs(shared_data, "benchmarks", 8))

    assert len(told) == 2
    for figures in told.values():
        assert (figures["bad"], figures["good"]) == (4, 4)
        assert all(0.0 <= figures[name] <= 1.0 for name in figures if " " in name)
