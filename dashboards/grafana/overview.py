"""The first board: what comes in, what is withheld, what it costs, whether it is kept."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.grafana.panels import AMBER, RED, board, lines, number
from dashboards.grafana.terms import (
    MODEL,
    quantile,
    quantiles,
    rate,
    rate_or_zero,
    share,
    shares,
)

EXCHANGES = "fairlead_exchanges_total"
REQUESTS = "fairlead_requests_total"
OVERHEAD = "fairlead_overhead_seconds"


def build() -> Dashboard:
    """The board."""
    return board(
        "overview",
        "Fairlead: overview",
        "Traffic, vetoes and flags, the latency that is added, and the record.",
        choices=["model"],
        panels=[
            number("Exchanges per second", "Requests that were scored by a policy.",
                   rate(EXCHANGES, MODEL), unit="reqps"),
            number("Vetoed", "Share of exchanges in which a policy vetoed a text.",
                   share(EXCHANGES, 'verdict="veto"', MODEL), unit="percentunit",
                   steps=[(0.05, AMBER), (0.2, RED)]),
            number("Flagged", "Share of exchanges with a flag and no veto.",
                   share(EXCHANGES, 'verdict="flag"', MODEL), unit="percentunit",
                   steps=[(0.2, AMBER), (0.5, RED)]),
            number("Failed", "Share of all requests that were answered with a 5xx.",
                   share(REQUESTS, 'status=~"5.."', MODEL), unit="percentunit",
                   steps=[(0.01, AMBER), (0.05, RED)]),
            number("Time added, p95", "Time that Fairlead itself adds to an exchange.",
                   quantile(0.95, OVERHEAD, 'stage="total"'), unit="s",
                   steps=[(0.25, AMBER), (1, RED)]),
            number("Records waiting", "Records that are not in the store so far.",
                   "sum(fairlead_recorder_pending)", steps=[(100, AMBER), (1000, RED)]),
            lines("Verdicts", "Share of exchanges by the hardest verdict on their texts.",
                  {"{{verdict}}": shares(EXCHANGES, "verdict", MODEL)},
                  unit="percentunit", is_stacked=True, bounds=(0, 1)),
            lines("Exchanges by model", "Exchanges per second.",
                  {"{{model}}": rate(EXCHANGES, MODEL, by="model")}, unit="reqps"),
            lines("Vetoes by model", "Vetoed exchanges per second.",
                  {"{{model}}": rate(EXCHANGES, f'verdict="veto",{MODEL}', by="model")},
                  unit="reqps"),
            lines("Answers by status", "HTTP answers per second, of every route.",
                  {"{{status}}": rate(REQUESTS, by="status")}, unit="reqps"),
            lines("Time added", "Time that Fairlead itself adds to an exchange.",
                  quantiles(OVERHEAD, 'stage="total"'), unit="s"),
            lines("Where the time goes", "95th percentile of each stage.",
                  {"{{stage}}": quantile(0.95, OVERHEAD, 'stage!="total"', by="stage")}, unit="s"),
            lines("Time to the first token", "Of streamed replies, 95th percentile.",
                  {"{{model}}": quantile(0.95, "fairlead_time_to_first_token_seconds", MODEL,
                                         by="model")}, unit="s"),
            lines("Upstream", "Time until an upstream had answered, 95th percentile.",
                  {"{{model}}": quantile(0.95, "fairlead_upstream_seconds", MODEL, by="model")},
                  unit="s"),
            lines("Record", "Records per second: stored, put in the spool while the store is away, "
                  "stored from the spool, lost.",
                  {"stored": rate("fairlead_recorder_committed_total"),
                   "spooled": rate("fairlead_recorder_spooled_total"),
                   "replayed": rate("fairlead_recorder_replayed_total"),
                   "lost": rate_or_zero("fairlead_recorder_failures_total")}),
            lines("Time to store", "A group of records, until it is durable.",
                  quantiles("fairlead_recorder_commit_seconds"), unit="s"),
        ],
    )  # fmt: skip
