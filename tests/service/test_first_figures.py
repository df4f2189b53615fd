"""Counters stand at 0 before the first event: only so is it an increase to Prometheus."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scorers.types import Side
from service.exchange import Outcome, Verdict
from service.metrics import Metrics
from service.settings import Settings
from tests.fakes.local import Local, local_settings, serving_locally
from tests.fakes.receiver import SECRET
from tests.fakes.tiny_model import SEVEN_HEADS, write_tiny_model

MODELS_LABELS = ("fairlead_requests_total", "fairlead_exchanges_total")
"""What is counted by model, which nobody knows before the first exchange."""


def settings(folder: Path) -> Settings:
    """Every kind of thing that is counted by its name in the configuration."""
    twin = {"mode": "twin", "twin_sample": 0.5, "flag": 0.5}
    again = {"veto": 0.9, "action": "regenerate", "attempts": 1}
    upstreams = [
        {"name": "a", "url": "http://127.0.0.1:9/v1", "retries": 1, "fallback": "b"},
        {"name": "b", "url": "http://127.0.0.2:9/v1", "max_concurrency": 3},
    ]
    hook = {"name": "ops", "url": "http://127.0.0.1:9/hook", "secret_env": "TEST_FIRST_SECRET"}
    return local_settings(
        folder,
        scoring={"model": str(write_tiny_model(folder / "seven", heads=SEVEN_HEADS))},
        policies={
            "default": {"prompt": {"injection": {"flag": 0.8}}, "reply": {"toxicity": again}},
            "closed": {"on_scorer_failure": "closed", "reply": {"sycophancy": twin}},
            "off": {"mode": "off"},
        },
        upstreams=upstreams,
        alerts={"allow_private_targets": True, "webhooks": [hook]},
    )


def is_counted(name: str) -> bool:
    """Whether it is a count, but of nothing that goes on by itself or by model."""
    is_ours = name.startswith("fairlead_") and name not in MODELS_LABELS
    return is_ours and name.endswith(("_total", "_count"))


async def scrape(local: Local) -> dict[tuple[str, str], float]:
    """All samples by name and labels."""
    text = (await local.client.get("/metrics")).text
    return {
        (sample.name, json.dumps(sample.labels, sort_keys=True)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def events(metrics: Metrics) -> None:
    """One event of every kind that has labels."""
    metrics.verdict("closed", Verdict(Side.REPLY, Outcome.VETO, failure="deadline"))
    metrics.failed("toxicity", "deadline")
    metrics.scorer_ran("toxicity", 0.01)
    metrics.retried("a", "unreachable")
    metrics.fell_back("a")
    metrics.refused("b")
    metrics.regenerated("default", "late")
    metrics.twin("closed", "inline", "flipped")
    metrics.twin("closed", "sampled", "skipped")
    metrics.unread("/v1/messages", "image")
    metrics.remembered(is_hit=True)
    metrics.feedback("down")
    metrics.feedback(None)
    metrics.crash("/v1/chat/completions")
    metrics.crash("/v1/feedback/batch")
    metrics.writer.failed(1, "spool_full")
    metrics.watch.alert_sent("ops", "failed")
    metrics.watch.watch_failed("drift")
    metrics.watch.watch_failed("sender")
    metrics.watch.abuse("stopped")


async def test_no_event_makes_a_new_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is counted by names of the configuration was there before, at 0."""
    monkeypatch.setenv("TEST_FIRST_SECRET", SECRET)
    metrics = Metrics()
    async with serving_locally(settings(tmp_path), metrics=metrics) as local:
        before = await scrape(local)
        events(metrics)
        after = await scrape(local)

    counted = {key for key in after if is_counted(key[0]) and after[key] != before.get(key)}
    assert len(counted) == 20
    assert {before.get(key) for key in counted} == {0.0}


def test_the_usual_ends_of_a_model_appear_together() -> None:
    """So the first veto of a model that was served is an increase, and so is its first failure."""
    metrics = Metrics()
    metrics.request("/v1/messages", "m", 200)
    metrics.exchange("default", "m", verdict="allow", status="completed")

    veto = {"policy": "default", "model": "m", "verdict": "veto", "status": "prompt_vetoed"}
    failed = {"route": "/v1/messages", "model": "m", "status": "502"}
    other = veto | {"model": "n"}
    found = metrics.registry.get_sample_value
    assert found("fairlead_exchanges_total", veto) == 0
    assert found("fairlead_requests_total", failed) == 0
    assert found("fairlead_exchanges_total", other) is None
