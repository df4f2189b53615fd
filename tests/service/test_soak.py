"""The record keeps its promises while the service is killed and its store goes away."""

from __future__ import annotations

import os

import pytest

from load_tests.soak import Plan, soak

_ENGINES = ["sqlite"] + (["postgres"] if os.environ.get("FAIRLEAD_TEST_POSTGRES") else [])


@pytest.mark.parametrize("engine", _ENGINES)
async def test_nothing_is_lost_or_doubled(engine: str) -> None:
    """Killed twice and twice without its store, it keeps each acknowledged exchange and rating."""
    plan = Plan(engine=engine, interactions=1500, rate_every=5, away_s=7, report_every=500)

    report = await soak(plan)

    assert report.faults == []
    assert (report.kills, report.outages) == (2, 2)
    assert report.rows >= 1500
    assert report.feedback >= 1500 // 5
