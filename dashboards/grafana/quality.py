"""The board of what people say of the replies, and whether the model knows what it knows."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.grafana.panels import AMBER, RED, board, lines, number
from dashboards.grafana.terms import MODEL, mean, rate, rate_or_zero

FEEDBACK = "fairlead_feedback_total"
THUMBS = 'rating=~"up|down"'


def build() -> Dashboard:
    """The board."""
    return board(
        "quality",
        "Fairlead: calibration and feedback",
        "Feedback and what it makes: preference pairs, and how well confidence fits.",
        choices=["model"],
        panels=[
            number("Feedback", "In the last day.", f"sum(increase({FEEDBACK}[1d]))", span=6),
            number("Thumbs down", "Share of thumbs, in the last day.",
                   f'sum(increase({FEEDBACK}{{rating="down"}}[1d]))'
                   f" / sum(increase({FEEDBACK}{{{THUMBS}}}[1d]))",
                   unit="percentunit", span=6, steps=[(0.2, AMBER), (0.4, RED)]),
            number("Preference pairs", "That could be exported now.",
                   "max(fairlead_preference_pairs)", span=6),
            number("Worst calibration", "The highest expected calibration error of a model.",
                   f"max(fairlead_calibration_error{{{MODEL}}})", unit="percentunit", span=6,
                   steps=[(0.05, AMBER), (0.1, RED)]),
            lines("Feedback by rating", "Stored per second.",
                  {"{{rating}}": rate(FEEDBACK, by="rating")}),
            lines("Calibration error", "Expected calibration error: how far stated confidence is "
                  "from how often replies were right.",
                  {"{{model}}": f"max by (model) (fairlead_calibration_error{{{MODEL}}})"},
                  unit="percentunit"),
            lines("Feedback for an exchange", "Pieces of feedback for each exchange.",
                  {"feedback": f"{rate_or_zero(FEEDBACK)} / {rate('fairlead_exchanges_total')}"},
                  unit="percentunit"),
            lines("Said more surely than right", "Mean risk of the confidence and sycophancy "
                  "scorers, by model.",
                  {"{{scorer}} {{model}}":
                   mean("fairlead_risk", f'side="reply",scorer=~"confidence|sycophancy",{MODEL}',
                        by="scorer, model")}, unit="percentunit"),
            lines("Preference pairs", "That could be exported.",
                  {"pairs": "max(fairlead_preference_pairs)"}),
            lines("Replies asked again that passed", "Each makes a pair: the new reply preferred.",
                  {"{{policy}}": rate("fairlead_regenerations_total", 'outcome="accepted"',
                                      by="policy")}),
        ],
    )  # fmt: skip
