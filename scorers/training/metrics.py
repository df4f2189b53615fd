"""The figures of merit, under the name that the training modules use."""

from scorers.evaluation.metrics import (
    METRICS,
    Interval,
    auroc,
    average_precision,
    balanced_accuracy,
    brier,
    expected_calibration_error,
    f1,
    false_positive_rate,
    ranks,
    recall,
    recall_at_fpr,
    reliability,
)

__all__ = [
    "METRICS",
    "Interval",
    "auroc",
    "average_precision",
    "balanced_accuracy",
    "brier",
    "expected_calibration_error",
    "f1",
    "false_positive_rate",
    "ranks",
    "recall",
    "recall_at_fpr",
    "reliability",
]
