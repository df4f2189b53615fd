"""Judgements as tables: cells of text, and Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from scorers.evaluation.metrics import Interval
from scorers.evaluation.report import STRICT, Judged, Part

RANKING = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "recall_at_1pct_fpr": "recall at 1% FP",
    "ece": "ECE",
    "brier": "Brier",
}
"""Figures that no threshold decides, and their titles."""

THRESHOLDS = {
    "f1": "F1",
    "balanced_accuracy": "balanced accuracy",
    "recall": "recall",
    "false_positive_rate": "false positives",
    f"f1_at_{STRICT}": "F1 at the 1% threshold",
    f"recall_at_{STRICT}": "recall at the 1% threshold",
    f"false_positive_rate_at_{STRICT}": "false positives at the 1% threshold",
    "best_f1": "best F1",
}
"""Figures at the shipped threshold, at that for 1% false positives, and at the best one."""

RATING = {
    "spearman": "Spearman",
    "pearson": "Pearson",
    "mean_absolute_error": "mean absolute error",
}
BASELINE = "novel-word AUROC"
BEST_AT = "best threshold"


def number(value: float | None) -> str:
    """Three decimals; a dash for what is not a number."""
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"


def with_interval(found: Interval | None, *, between: str = " ") -> str:
    """A figure with its interval in brackets."""
    if found is None or math.isnan(found.value):
        return "–"
    if math.isnan(found.low):
        return number(found.value)
    return f"{number(found.value)}{between}[{number(found.low)}, {number(found.high)}]"


def size(part: Part) -> str:
    """How many texts there are, and how many of them have the fault."""
    return f"{part.texts}" if part.positives is None else f"{part.texts} ({part.positives})"


def markdown(found: Iterable[tuple[str, Judged]]) -> str:
    """Judgements of named data sets: a table of faults, one of ratings; intervals in brackets."""
    every = list(found)
    faults = [one for one in every if one[1].judgement.kind == "fault"]
    ratings = [one for one in every if one[1].judgement.kind == "rating"]
    tables = []
    if faults:
        tables.append(_table(faults, {**RANKING, **THRESHOLDS}, (BEST_AT, BASELINE)))
    if ratings:
        tables.append(_table(ratings, RATING, ()))
    return "\n\n".join(tables)


def _table(
    found: Sequence[tuple[str, Judged]], figures: dict[str, str], more: Sequence[str]
) -> str:
    head = ["texts of", "score → label", "texts (bad)", *figures.values(), *more, "note"]
    lines = [_line(head), "|" + " --- |" * len(head)]
    for name, judged in found:
        for part in judged.parts:
            cells = [name if part.by == "pooled" else f"{name}: {part.by} {part.name}"]
            cells += [f"{judged.score} → {judged.judgement.label}", size(part)]
            cells += [with_interval(part.figures.get(key)) for key in figures]
            cells += [number(part.best_f1_threshold), number(part.baseline_auroc)] if more else []
            lines.append(_line([*cells, part.note]))
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
