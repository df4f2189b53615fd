"""The board of what the machine does: batches, queue, provider, upstreams."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.grafana.panels import AMBER, RED, board, lines, number
from dashboards.grafana.terms import mean, quantile, quantiles, rate, rate_or_zero, share


def build() -> Dashboard:
    """The board."""
    return board(
        "capacity",
        "Fairlead: capacity",
        "Batches, the queue before them, and what the upstreams can take.",
        panels=[
            number("Runs on", "The execution provider of the scoring model.",
                   "max by (provider) (fairlead_execution_provider_info) > 0",
                   legend="{{provider}}"),
            number("Workers", "Processes that serve.", "sum(fairlead_workers)"),
            number("Tokens waiting", "That wait for scoring or are in a batch.",
                   "sum(fairlead_queue_tokens)", steps=[(20000, AMBER), (50000, RED)]),
            number("Busy", "Share of the time in which a batch runs, per worker.",
                   f"{rate('fairlead_batch_seconds_sum')} / sum(fairlead_workers)",
                   unit="percentunit", steps=[(0.7, AMBER), (0.9, RED)]),
            number("Too late", "Scores thrown away per second.",
                   rate("fairlead_scorer_late_total"), steps=[(0.01, AMBER), (0.1, RED)]),
            number("Memory", "Of all workers.", "sum(process_resident_memory_bytes)", unit="bytes"),
            lines("Rows of a batch", "More rows in a batch: more work for the same time.",
                  {"mean": mean("fairlead_batch_rows"),
                   "p95": quantile(0.95, "fairlead_batch_rows")}),
            lines("Tokens of a batch", "With padding.",
                  {"mean": mean("fairlead_batch_tokens"),
                   "p95": quantile(0.95, "fairlead_batch_tokens")}),
            lines("Time of a batch", "In the model.",
                  quantiles("fairlead_batch_seconds"), unit="s"),
            lines("Queue", "Tokens that wait for scoring or are in a batch.",
                  {"tokens": "sum(fairlead_queue_tokens)"}),
            lines("Time to a score", "From asking a scorer to its answer, 95th percentile.",
                  {"{{scorer}}": quantile(0.95, "fairlead_scorer_seconds", by="scorer")}, unit="s"),
            lines("Streamed text held back", "Until its scores had come.",
                  quantiles("fairlead_held_seconds"), unit="s"),
            lines("Prompts that were known", "Share of prompt texts whose scores were remembered.",
                  {"known": share("fairlead_remembered_scores_total", 'result="hit"')},
                  unit="percentunit", bounds=(0, 1)),
            lines("Batches", "Run per second.",
                  {"batches": rate("fairlead_batch_seconds_count")}),
            lines("Upstreams", "Requests per second that were sent again, went to a fallback, or "
                  "found no free place.",
                  {"again: {{upstream}} ({{reason}})":
                   rate("fairlead_upstream_retries_total", by="upstream, reason"),
                   "fallback: {{upstream}}":
                   rate("fairlead_upstream_fallbacks_total", by="upstream"),
                   "refused: {{upstream}}":
                   rate("fairlead_upstream_refused_total", by="upstream")}),
            lines("Processor", "Cores in use by all workers, and errors nobody foresaw per second.",
                  {"cores": rate("process_cpu_seconds_total"),
                   "errors": rate_or_zero("fairlead_internal_errors_total")}),
        ],
    )  # fmt: skip
