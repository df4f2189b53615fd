"""Figures of merit against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scorers.evaluation import metrics

LABELS = np.array([0.0, 0.0, 1.0, 1.0])
RISKS = np.array([0.1, 0.4, 0.35, 0.8])


def test_auroc_counts_ordered_pairs() -> None:
    """Three of the four pairs are in order."""
    assert metrics.auroc(LABELS, RISKS) == pytest.approx(0.75)


def test_auroc_counts_ties_half() -> None:
    """Equal risks say nothing."""
    assert metrics.auroc(LABELS, np.full(4, 0.3)) == pytest.approx(0.5)


def test_average_precision_steps_through_recall() -> None:
    """Precision 1 at half the recall and two thirds at the rest."""
    assert metrics.average_precision(LABELS, RISKS) == pytest.approx(0.5 + 0.5 * 2 / 3)


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, 2 / 3), (0.3, 0.8)])
def test_f1_at_a_threshold(threshold: float, expected: float) -> None:
    """Texts at or above the threshold are called faulty."""
    assert metrics.f1(LABELS, RISKS, threshold=threshold) == pytest.approx(expected)


def test_balanced_accuracy_weighs_both_classes_alike() -> None:
    """Half of the faulty and all of the sound texts are right at one half."""
    assert metrics.balanced_accuracy(LABELS, RISKS) == pytest.approx(0.75)


def test_recall_at_fpr_allows_no_more_false_positives() -> None:
    """With four sound texts no false positive fits into one in a hundred."""
    assert metrics.recall_at_fpr(LABELS, RISKS, fpr=0.01) == pytest.approx(0.5)


def test_perfect_risks_have_no_calibration_error() -> None:
    """Risks equal to the labels are calibrated and have a Brier score of nought."""
    assert metrics.expected_calibration_error(LABELS, LABELS) == pytest.approx(0.0)
    assert metrics.brier(LABELS, LABELS) == pytest.approx(0.0)


def test_sure_and_wrong_is_the_worst_calibration() -> None:
    """Risks opposite to the labels are as wrong as can be."""
    assert metrics.expected_calibration_error(LABELS, 1 - LABELS) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "name", ["auroc", "average_precision", "f1", "balanced_accuracy", "recall_at_1pct_fpr"]
)
def test_one_class_alone_has_no_figure(name: str) -> None:
    """Figures that need both classes are not a number without one."""
    assert math.isnan(metrics.METRICS[name](np.zeros(4), RISKS))
