"""How good a scorer's risks are: the figures of merit, each by its definition.

`resampled.py` works out the same figures for many resamplings at once.

`labels` are 0 or 1 (1 = has the fault), `risks` are probabilities; both of shape (texts,).
Figures that need both classes are NaN where one is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Metric = Callable[[Floats, Floats], float]


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with the ends of its 95% bootstrap interval."""

    value: float
    low: float
    high: float


def ranks(values: Floats) -> Floats:
    """Ranks from 1, ties sharing their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    shared: Floats = (ends - (counts - 1) / 2.0)[inverse]
    return shared


def auroc(labels: Floats, risks: Floats) -> float:
    """Chance that a faulty text has a higher risk than a sound one, ties counting half."""
    bad = labels > 0.5
    n_bad, n_good = int(bad.sum()), int((~bad).sum())
    if not n_bad or not n_good:
        return float("nan")
    return float((ranks(risks)[bad].sum() - n_bad * (n_bad + 1) / 2) / (n_bad * n_good))


def average_precision(labels: Floats, risks: Floats) -> float:
    """Precision averaged over recall, a step at each distinct risk."""
    if not (labels > 0.5).any():
        return float("nan")
    order = np.argsort(-risks, kind="stable")
    hits = np.cumsum(labels[order] > 0.5)
    last = np.append(np.diff(risks[order]) != 0, True)
    precision, recall = hits[last] / (np.flatnonzero(last) + 1), hits[last] / hits[-1]
    return float((precision * np.diff(np.concatenate(([0.0], recall)))).sum())


def f1(labels: Floats, risks: Floats, *, threshold: float = 0.5) -> float:
    """Harmonic mean of precision and recall of the texts at or above the threshold."""
    bad, called = labels > 0.5, risks >= threshold
    total = int(bad.sum()) + int(called.sum())
    return 2.0 * int((bad & called).sum()) / total if bad.any() else float("nan")


def balanced_accuracy(labels: Floats, risks: Floats, *, threshold: float = 0.5) -> float:
    """Mean of the share of faulty texts caught and the share of sound ones let through."""
    bad, called = labels > 0.5, risks >= threshold
    if bad.all() or not bad.any():
        return float("nan")
    return float((called[bad].mean() + (~called[~bad]).mean()) / 2.0)


def false_positive_rate(labels: Floats, risks: Floats, *, threshold: float = 0.5) -> float:
    """Share of sound texts at or above the threshold."""
    good = labels <= 0.5
    return float((risks[good] >= threshold).mean()) if good.any() else float("nan")


def recall(labels: Floats, risks: Floats, *, threshold: float = 0.5) -> float:
    """Share of faulty texts at or above the threshold."""
    bad = labels > 0.5
    return float((risks[bad] >= threshold).mean()) if bad.any() else float("nan")


def recall_at_fpr(labels: Floats, risks: Floats, *, fpr: float = 0.01) -> float:
    """Share of faulty texts above the risk that `fpr` of these sound texts exceed."""
    bad = labels > 0.5
    if bad.all() or not bad.any():
        return float("nan")
    good = np.sort(risks[~bad])[::-1]
    bar = good[min(int(fpr * len(good)), len(good) - 1)]
    return float((risks[bad] > bar).mean())


def brier(labels: Floats, risks: Floats) -> float:
    """Mean squared distance of risk and label."""
    return float(np.mean((risks - labels) ** 2))


def reliability(labels: Floats, risks: Floats, *, bins: int = 15) -> list[tuple[float, float, int]]:
    """Mean risk, share of faulty texts and number of texts of each non-empty equal-width bin."""
    at = np.minimum((risks * bins).astype(int), bins - 1)
    return [
        (float(risks[at == b].mean()), float(labels[at == b].mean()), int((at == b).sum()))
        for b in np.unique(at)
    ]


def expected_calibration_error(labels: Floats, risks: Floats, *, bins: int = 15) -> float:
    """Mean distance of risk and observed share over equal-width bins, weighted by texts."""
    cells = reliability(labels, risks, bins=bins)
    return sum(abs(risk - share) * count for risk, share, count in cells) / len(labels)


METRICS: dict[str, Metric] = {
    "auroc": auroc,
    "average_precision": average_precision,
    "f1": f1,
    "balanced_accuracy": balanced_accuracy,
    "recall_at_1pct_fpr": recall_at_fpr,
    "ece": expected_calibration_error,
    "brier": brier,
}
"""Those that need no more than labels and risks, by the names that reports give them."""
