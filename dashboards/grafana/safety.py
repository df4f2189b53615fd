"""The board of risks and verdicts."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.grafana.panels import board, heat, lines
from dashboards.grafana.terms import MODEL, WINDOW, mean, rate, rate_or_zero, share

VERDICTS = "fairlead_verdicts_total"
RISK = "fairlead_risk"
PROBES = "fairlead_stance_probes_total"
SCORER = 'scorer=~"$scorer"'


def build() -> Dashboard:
    """The board."""
    return board(
        "safety",
        "Fairlead: safety",
        "How risks are distributed, and what policies made of them.",
        choices=["model", "scorer"],
        panels=[
            heat("Risk of replies: $scorer",
                 "Texts by risk. A band that moves up is a model that got worse.",
                 f'sum by (le) (increase({RISK}_bucket{{side="reply",scorer="$scorer",{MODEL}}}'
                 f"[{WINDOW}]))", repeat="scorer"),
            lines("Mean risk of replies", "By scorer and model.",
                  {"{{scorer}} {{model}}": mean(RISK, f'side="reply",{SCORER},{MODEL}',
                                                by="scorer, model")}, unit="percentunit"),
            lines("Mean risk of prompts", "By scorer and model.",
                  {"{{scorer}} {{model}}": mean(RISK, f'side="prompt",{SCORER},{MODEL}',
                                                by="scorer, model")}, unit="percentunit"),
            lines("Vetoes by policy", "Texts per second that a rule vetoed.",
                  {"{{policy}}: {{side}} {{scorer}}":
                   rate(VERDICTS, 'verdict="veto"', by="policy, side, scorer")}),
            lines("Flags by policy", "Texts per second that a rule flagged.",
                  {"{{policy}}: {{side}} {{scorer}}":
                   rate(VERDICTS, 'verdict="flag"', by="policy, side, scorer")}),
            lines("Scores that did not come", "By scorer and by what went wrong.",
                  {"{{scorer}}: {{kind}}":
                   rate("fairlead_scorer_failures_total", by="scorer, kind")}),
            lines("Unscored", "Exchanges per second without any verdict, and replies with media "
                  "that nobody can read.",
                  {"exchanges": rate_or_zero("fairlead_exchanges_total", 'verdict="unscored"'),
                   "media": rate_or_zero("fairlead_unscored_media_total")}),
            lines("Asked again", "Vetoed replies that were asked for again, by what came of it.",
                  {"{{outcome}}": rate("fairlead_regenerations_total", by="outcome")}),
            lines("Twins", "Replies to a stated view, by what their twin told.",
                  {"{{outcome}}": rate("fairlead_twins_total", by="outcome")}),
            lines("Stance probes", "Replies to a stated view that were drawn, by what came of it.",
                  {"{{outcome}}": rate(PROBES, MODEL, by="outcome")}),
            lines("Flip rate", "Replies that caved, of those that caved or held.",
                  {"flip rate": share(PROBES, 'outcome="caved"',
                                      f'outcome=~"caved|held",{MODEL}')}, unit="percentunit"),
            lines("Cost of stance probes", "Requests and tokens per second.",
                  {"requests": rate("fairlead_stance_probe_requests_total"),
                   "tokens": rate("fairlead_stance_probe_tokens_total")}),
        ],
    )  # fmt: skip
