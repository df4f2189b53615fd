"""What counting costs: one exchange's figures and one scrape, one worker against several.

`python -m load_tests.metrics_cost`. The two ways run in processes of their own and take turns;
told are the medians of the rounds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scorers.types import Score, Side
from service.exchange import Outcome, ScoredRule, Verdict
from service.metrics import Metrics
from service.shared_metrics import Shared

ROUNDS = 7
EXCHANGES = 5_000
SCRAPES = 20
MODELS = 10
ROUTE = "/v1/chat/completions"
WAYS = {"one worker": "", "workers share files": "shared"}


def exchange(metrics: Metrics, model: str) -> None:
    """The figures of a plain chat under the default policy: two verdicts, six rules."""
    for side, scorers in (
        (Side.PROMPT, ("toxicity", "toxicity")),
        (Side.REPLY, ("toxicity", "faithfulness", "sycophancy", "confidence")),
    ):
        scores = [Score(name, side, "m@1", 0.2) for name in scorers]
        rules = tuple(ScoredRule(score, Outcome.ALLOW) for score in scores)
        metrics.verdict("default", Verdict(side, Outcome.ALLOW, rules))
        for score in scores:
            metrics.risk(score.scorer, side.value, model, risk=0.2)
            metrics.scorer_ran(score.scorer, 0.01)
        metrics.remembered(is_hit=False)
        metrics.batch_ran(4, 512, 0.01)
        metrics.queue_changed(512)
        metrics.queue_changed(0)
    metrics.served(model)
    metrics.exchange("default", model, verdict="allow", status="completed")
    metrics.upstream(ROUTE, model, 1.0)
    metrics.first_token(ROUTE, model, 0.2)
    for stage in ("total", "parse", "score", "record"):
        metrics.overhead(ROUTE, stage, 0.005)
    metrics.writer.pending(1)
    metrics.writer.committed(1, 0.002)
    metrics.writer.pending(0)
    metrics.request(ROUTE, model, 200)


def measure(folder: str) -> tuple[float, float]:
    """Microseconds of an exchange and milliseconds of a scrape, in this process's CPU time."""
    metrics = Metrics(shared=Shared(Path(folder)) if folder else None)
    models = [f"model-{number}" for number in range(MODELS)]
    for model in models:
        exchange(metrics, model)
    began = time.process_time()
    for number in range(EXCHANGES):
        exchange(metrics, models[number % MODELS])
    counted = time.process_time()
    for _ in range(SCRAPES):
        metrics.render()
    scraped = time.process_time()
    return (counted - began) / EXCHANGES * 1e6, (scraped - counted) / SCRAPES * 1e3


def _measured_apart(way: str) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "load_tests.metrics_cost", "--one", folder if way else ""]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    exchange_us, scrape_ms = map(float, done.stdout.split())
    return exchange_us, scrape_ms


def main() -> None:
    """Measure both ways in turn and print a table."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    for _ in range(ROUNDS):
        for name, way in WAYS.items():
            found[name].append(_measured_apart(way))
    table = Table("", "an exchange, µs", "a scrape, ms")
    for name, rounds in found.items():
        table.add_row(name, *(f"{statistics.median(column):.1f}" for column in zip(*rounds)))  # noqa: B905
    Console().print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(*measure(sys.argv[2]))
    else:
        main()
