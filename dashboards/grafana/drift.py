"""The board of what changes: drift, and the alerts that were sent about it."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.grafana.panels import AMBER, RED, board, lines, number, states
from dashboards.grafana.terms import mean, rate, share

EXCHANGES = "fairlead_exchanges_total"


def build() -> Dashboard:
    """The board."""
    return board(
        "drift",
        "Fairlead: drift",
        "Signals against their reference windows. An alarm means an effect that matters.",
        panels=[
            number("Signals in alarm", "Signals that are said to have drifted.",
                   "sum(fairlead_drift_alarm)", span=6, steps=[(1, RED)]),
            number("Signals watched", "Signals that have a reference window.",
                   "count(fairlead_drift_alarm)", span=6),
            number("Alerts sent", "To all webhooks, since the server started.",
                   "sum(fairlead_alerts_sent_total)", span=6),
            number("Vetoed", "Share of exchanges in which a policy vetoed a text.",
                   share(EXCHANGES, 'verdict="veto"'), unit="percentunit", span=6,
                   steps=[(0.05, AMBER), (0.2, RED)]),
            lines("Evidence", "That a signal differs from its reference, as a share of what an "
                  "alarm needs.",
                  {"{{signal}}":
                   'max by (signal) (fairlead_drift_statistic{test="evidence"})'},
                  unit="percentunit"),
            states("Alarms", "When each signal was in alarm.",
                   {"{{signal}}": "max by (signal) (fairlead_drift_alarm)"}),
            lines("Effect", "How far a signal is from its reference, in standard deviations. "
                  "Evidence grows with traffic, an effect does not.",
                  {"{{signal}}": 'max by (signal) (fairlead_drift_statistic{test="effect"})'},
                  bounds=(None, None)),
            lines("Mean risk", "Of replies, by scorer.",
                  {"{{scorer}}": mean("fairlead_risk", 'side="reply"', by="scorer")},
                  unit="percentunit"),
            lines("Vetoes and flags", "Share of exchanges.",
                  {"veto": share(EXCHANGES, 'verdict="veto"'),
                   "flag": share(EXCHANGES, 'verdict="flag"')}, unit="percentunit"),
            lines("Traffic by model", "Exchanges per second. A new name may be a new model.",
                  {"{{model}}": rate(EXCHANGES, by="model")}, unit="reqps"),
            lines("Knowledge gaps", "Themes that are new or grow and are answered worse than the "
                  "rest. `fairlead gaps` says what they are about.",
                  {"open": "max(fairlead_knowledge_gaps)"}),
            lines("Prompts looked at for gaps", "Embedded per hour, within the budget.",
                  {"prompts": f"{rate('fairlead_knowledge_gap_prompts_total')} * 3600"}),
            lines("Alerts", "By webhook and what came of it, since the server started.",
                  {"{{webhook}}: {{status}}":
                   "sum by (webhook, status) (fairlead_alerts_sent_total)"}, span=24),
        ],
    )  # fmt: skip
