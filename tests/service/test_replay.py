"""Replies of real models through the whole program, with the shipped model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from load_tests.replay import SOURCES, examples, rates, replay


@pytest.mark.shared_data
@pytest.mark.parametrize("is_stream", [False, True])
async def test_real_replies_get_verdicts(shared_data: Path, is_stream: bool) -> None:
    """Every replayed reply is scored, recorded and judged, plain and streamed."""
    rows = [row for source in SOURCES for row in examples(shared_data, source, 8)]
    verdicts = await replay(rows, is_stream=is_stream, concurrency=4)

    assert len(verdicts) == len(rows)
    assert set(verdicts) <= {"allow", "flag", "veto"}
    assert len(set(verdicts)) > 1
    told = rates(rows, verdicts)
    assert Counter(row.group for row in rows) == {g: t["good"] + t["bad"] for g, t in told.items()}
