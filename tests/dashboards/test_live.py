"""A real Prometheus scrapes the real service under mixed traffic; every expression has data."""

from __future__ import annotations

import asyncio
import math
import os
import re
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml

from dashboards.grafana import reading
from dashboards.pictures import Source, Span, pictures
from load_tests.mixed import MixedUpstream, Texts, Traffic, settings
from load_tests.prometheus import RULES, Prometheus, watching
from service.app import create_app
from service.metrics import Metrics
from tests.fakes.server import ThreadedServer
from tests.fakes.tiny_model import SEVEN_HEADS, write_tiny_model

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        shutil.which("prometheus") is None and "CI" not in os.environ,
        reason="no `prometheus` here: apt-get install prometheus",
    ),
]

LIMIT_S = 120.0
WINDOW = "1m"
VALUES = {"scorer": ["toxicity", "faithfulness", "sycophancy"]}
"""What a viewer's choice of all scorers stands for; confidence gives this model no risk."""

TEXTS = Texts(
    good=[("How is it?", "It is fine. The good warm one.")],
    bad=[("Say it.", "bad " * 40)],
    sourced=[("What is up?", "made up made up made up")],
    sources=["The good warm one is fine."],
    attacks=["ignore " * 16],
    views=[("think think think think think think", "agree agree agree agree")],
)


@dataclass(frozen=True)
class Live:
    """A service that is scraped, and what sends to it."""

    prometheus: Prometheus
    traffic: Traffic
    metrics: Metrics


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    """Rounds of traffic between scrapes, until there are enough for a rate."""
    folder = tmp_path_factory.mktemp("live")
    model = write_tiny_model(folder / "seven", heads=SEVEN_HEADS)
    metrics = Metrics()
    _watch(metrics)
    async with MixedUpstream(TEXTS).serving() as upstream:
        given = settings(upstream, folder, scoring={"model": str(model)})
        with ThreadedServer(create_app(given, metrics=metrics)) as url:
            async with (
                httpx.AsyncClient(base_url=url, timeout=60) as client,
                watching(url.removeprefix("http://"), folder) as prometheus,
            ):
                found = Live(prometheus, Traffic(client, TEXTS), metrics)
                await found.traffic.one_round()
                await asyncio.wait_for(_scraped(found, 2), LIMIT_S)
                _watch(metrics)
                for _ in range(3):
                    await found.traffic.one_round()
                await asyncio.wait_for(_scraped(found, 3), LIMIT_S)
                yield found


def _watch(metrics: Metrics) -> None:
    """What the watching parts would tell after days of traffic."""
    for test in ("evidence", "effect"):
        metrics.watch.drift("risk.reply.toxicity", test, 0.3)
    metrics.watch.drift_alarm("risk.reply.toxicity", is_on=False)
    metrics.watch.calibration("atlas-large", 0.04)
    metrics.watch.pairs(12)
    metrics.watch.gaps(1)
    metrics.watch.gap_prompts_read(60)
    metrics.watch.alert_sent("hook", "delivered")


async def _scraped(live: Live, times: int) -> None:
    """So many scrapes have come in since now."""
    wanted = times + await _scrapes(live)
    while await _scrapes(live) < wanted:  # noqa: ASYNC110 - it tells only who asks
        await asyncio.sleep(0.2)


async def _scrapes(live: Live) -> float:
    found = await live.prometheus.query('count_over_time(up{job="fairlead"}[1h])')
    return float(found[0]["value"][1]) if found else 0.0


def has_data(found: list[dict[str, Any]]) -> bool:
    """Whether an answer holds at least one figure."""
    return any(not math.isnan(float(sample["value"][1])) for sample in found)


async def test_every_expression_of_every_panel_has_data(live: Live) -> None:
    """No panel is empty, whatever it asks."""
    empty = []
    for name, board in reading.boards().items():
        for panel in reading.panels(board, VALUES, window=WINDOW):
            for _, expr in panel.queries:
                if not has_data(await live.prometheus.query(expr)):
                    empty.append(f"{name}: {panel.title}: {expr}")

    assert empty == []


async def test_every_expression_of_every_rule_has_data(live: Live) -> None:
    """What is recorded is there, and so is each side of each comparison that alerts."""
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    asked = [
        expr
        for rule in rules
        for expr in ([rule["record"]] if "record" in rule else sides(rule["expr"]))
    ]
    empty = [expr for expr in asked if not has_data(await live.prometheus.query(expr))]

    assert len(rules) > 15
    assert empty == []


def sides(expr: str) -> list[str]:
    """An alert's expression without its comparisons, which would be empty while all is well.

    What lost records count is there only when some were lost.
    """
    parts = re.split(r"\s(?:and|or|unless|[<>=!]=|[<>])\s", expr)
    lost = "fairlead_recorder_failures_total"
    return [part.strip("() ") if part.startswith("(") else part for part in parts
            if lost not in part and not re.fullmatch(r"[\d.]+", part)]  # fmt: skip


async def test_a_panel_without_data_would_be_told(live: Live) -> None:
    """A name that nobody counts under gives nothing."""
    found = await live.prometheus.query("sum(rate(fairlead_nonsense_total[1m]))")

    assert not has_data(found)


async def test_every_board_can_be_drawn(live: Live, tmp_path: Path) -> None:
    """Each becomes a picture from what Prometheus answers."""
    now = time.time()

    with Source(live.prometheus.url, Span(now - 60, now)) as source:
        drawn = await asyncio.to_thread(pictures, source, tmp_path, window=WINDOW)

    assert {path.stem for path in drawn} == set(reading.boards())
    assert all(path.stat().st_size > 10_000 for path in drawn)


async def test_a_first_event_is_an_increase(live: Live) -> None:
    """One record that is lost raises the alert's figure, although none ever was before."""
    lost = "sum(increase(fairlead_recorder_failures_total[5m])) > 0"
    before = await live.prometheus.query(lost)
    live.metrics.writer.failed(1, "spool_full")
    await asyncio.wait_for(_scraped(live, 2), LIMIT_S)

    assert before == []
    assert has_data(await live.prometheus.query(lost))
