"""What is counted."""

from __future__ import annotations

from scorers.observer import EngineObserver
from scorers.types import Score, Side
from service.exchange import Outcome, ScoredRule, Verdict
from service.metrics import MAX_LABEL_CHARS, OTHER, Metrics, Models
from storage.writer import WriterObserver


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """A figure of the registry."""
    return metrics.registry.get_sample_value(name, labels)


def test_models_are_capped() -> None:
    """The first that were served have a label of their own, all others share one."""
    models = Models(2)

    assert [models.label(name) for name in ("a", "b", "c", "a", "", None)] == [
        "a", "b", OTHER, "a", "", "",
    ]  # fmt: skip


def test_a_model_that_was_not_served_takes_no_label() -> None:
    """Made-up names cannot use up the labels, and long ones are cut."""
    metrics = Metrics(max_models=1)

    metrics.request("/v1/chat/completions", "nonsense", 404)
    metrics.request("/v1/chat/completions", "m" * 1000, 200)

    served = {"route": "/v1/chat/completions", "model": "m" * MAX_LABEL_CHARS, "status": "200"}
    assert value(metrics, "fairlead_requests_total", **served) == 1
    refused = served | {"model": OTHER, "status": "404"}
    assert value(metrics, "fairlead_requests_total", **refused) == 1


def test_a_risk_gives_no_label_to_a_model_that_nobody_serves() -> None:
    """A prompt is scored before anybody knows whether its model is there at all."""
    metrics = Metrics(max_models=1)

    metrics.risk("toxicity", "prompt", "nonsense", risk=0.1)
    metrics.served("real")
    metrics.risk("toxicity", "prompt", "real", risk=0.1)

    labels = {"scorer": "toxicity", "side": "prompt"}
    for model in (OTHER, "real"):
        assert value(metrics, "fairlead_risk_count", model=model, **labels) == 1


def test_verdicts_are_counted_by_rule() -> None:
    """Each rule's outcome counts, and the whole where a score is missing."""
    metrics = Metrics()
    score = Score("toxicity", Side.PROMPT, "fake@1", 0.9)
    rules = (ScoredRule(score, Outcome.FLAG, rule="injection"), ScoredRule(score, Outcome.ALLOW))

    metrics.verdict("default", Verdict(Side.PROMPT, Outcome.UNSCORED, rules, failure="deadline"))

    labels = {"policy": "default", "side": "prompt"}
    for scorer, verdict in (("injection", "flag"), ("toxicity", "allow"), ("all", "unscored")):
        found = value(metrics, "fairlead_verdicts_total", scorer=scorer, verdict=verdict, **labels)
        assert found == 1


def test_the_contracts_figures_are_there() -> None:
    """Every name of the contract is shown once it was set."""
    metrics = Metrics()
    engine: EngineObserver = metrics
    writer: WriterObserver = metrics.writer

    metrics.request("/v1/models", None, 200)
    metrics.verdict("p", Verdict(Side.REPLY, Outcome.UNSCORED, failure="deadline"))
    metrics.risk("toxicity", "reply", "m", risk=0.5)
    metrics.exchange("p", "m", verdict="veto", status="vetoed")
    metrics.overhead("/v1/chat/completions", "total", 0.001)
    metrics.upstream("/v1/chat/completions", "m", 1.0)
    metrics.first_token("/v1/chat/completions", "m", 0.2)
    metrics.held(0.1)
    metrics.feedback(None)
    metrics.provider("cpu")
    metrics.crash("/v1/models")
    metrics.watch.drift("toxicity", "psi", 0.3)
    metrics.watch.drift_alarm("toxicity", is_on=True)
    metrics.watch.calibration("m", 0.04)
    metrics.watch.pairs(12)
    metrics.watch.alert_sent("hook", "delivered")
    engine.batch_ran(3, 300, 0.01)
    engine.queue_changed(7)
    engine.scorer_ran("toxicity", 0.01)
    engine.failed("toxicity", "deadline")
    engine.late()
    writer.pending(3)
    writer.committed(2, 0.001)
    writer.spooled(1)
    writer.replayed(1)
    writer.spool_holds(4096)
    writer.failed(1, "spool_full")

    shown = metrics.render().decode()
    for name in (
        "requests_total", "exchanges_total", "verdicts_total", "risk_bucket",
        "scorer_seconds_bucket", "scorer_failures_total", "batch_rows_bucket",
        "batch_tokens_bucket", "queue_tokens",
        "overhead_seconds_bucket", "upstream_seconds_bucket",
        "time_to_first_token_seconds_bucket", "held_seconds_bucket", "feedback_total",
        "recorder_pending", "recorder_spooled_total", "execution_provider_info",
        "drift_statistic", "drift_alarm", "calibration_error", "preference_pairs",
        "alerts_sent_total",
    ):  # fmt: skip
        assert f"fairlead_{name}" in shown
    assert 'fairlead_feedback_total{rating="none"} 1.0' in shown
    assert value(metrics, "fairlead_queue_tokens") == 7
    assert value(metrics, "fairlead_recorder_pending") == 3
    assert value(metrics, "fairlead_recorder_spool_bytes") == 4096


def test_two_services_do_not_share_figures() -> None:
    """A registry belongs to its service: nothing is global."""
    one, other = Metrics(), Metrics()

    one.held(0.1)

    assert value(one, "fairlead_held_seconds_count") == 1
    assert value(other, "fairlead_held_seconds_count") == 0
