"""Figures of many resamplings at once, held against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scorers.evaluation import metrics
from scorers.evaluation.resampled import counts, fault_figures, intervals, rating_figures

Floats = NDArray[np.float64]
RISKS = st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.50001, 0.9, 1.0])
TEXTS = st.lists(st.tuples(st.booleans(), RISKS, st.integers(0, 3)), min_size=1, max_size=250)


def columns(texts: list[tuple[bool, float, int]]) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Labels, risks, and how often each text was drawn."""
    labels, risks, drawn = zip(*texts, strict=True)
    return np.array(labels, np.float64), np.array(risks), np.array(drawn)


@given(TEXTS)
def test_a_resampling_has_the_figures_of_its_texts(texts: list[tuple[bool, float, int]]) -> None:
    """Counts of 0, 1, 2, 3 mean the same as leaving out and repeating texts."""
    labels, risks, drawn = columns(texts)
    if not drawn.sum():
        return
    own, found = np.repeat(labels, drawn), np.repeat(risks, drawn)

    half = np.full(len(labels), 0.5)
    many = fault_figures(labels, risks, {"": half})(drawn[None, :].astype(np.float64))

    for name, metric in metrics.METRICS.items():
        assert many[name][0] == pytest.approx(metric(own, found), nan_ok=True), name
    assert many["recall"][0] == pytest.approx(metrics.recall(own, found), nan_ok=True)
    rate = metrics.false_positive_rate(own, found)
    assert many["false_positive_rate"][0] == pytest.approx(rate, nan_ok=True)
    best = max(metrics.f1(own, found, threshold=bar) for bar in set(found))
    assert many["best_f1"][0] == pytest.approx(best, nan_ok=True)


def test_each_text_has_its_own_threshold() -> None:
    """A prompt's threshold does not hold for a reply; without one there is no figure."""
    labels, risks = np.array([1.0, 0.0]), np.array([0.6, 0.6])
    bars = {"": np.array([0.5, 0.7]), "low": np.array([0.5, 0.5]), "gone": np.array([0.5, np.nan])}

    found = fault_figures(labels, risks, bars)(np.ones((1, 2)))

    assert (found["f1"][0], found["balanced_accuracy"][0]) == (1.0, 1.0)
    assert found["false_positive_rate_at_low"][0] == 1.0
    assert math.isnan(found["recall_at_gone"][0])


def test_ratings_by_hand() -> None:
    """Values 1, 2, 3 against ratings 1, 3, 2 of ten: half of the order, a third of a tenth off."""
    ratings, values = np.array([0.1, 0.3, 0.2]), np.array([0.1, 0.2, 0.3])

    found = rating_figures(ratings, values)(np.ones((1, 3)))

    assert found["spearman"][0] == pytest.approx(0.5)
    assert found["pearson"][0] == pytest.approx(0.5)
    assert found["mean_absolute_error"][0] == pytest.approx(0.2 / 3)


def test_spearman_sees_order_only() -> None:
    """A bent but rising relation is perfect by rank and not by value; ties share a rank."""
    ratings = np.array([0.0, 0.1, 0.1, 0.9])
    values = ratings**4

    found = rating_figures(ratings, values)(np.ones((1, 4)))

    assert found["spearman"][0] == pytest.approx(1.0)
    assert found["pearson"][0] < 0.995


@given(st.lists(st.tuples(RISKS, RISKS, st.integers(0, 3)), min_size=2, max_size=40))
def test_a_resampling_has_the_correlation_of_its_texts(
    texts: list[tuple[float, float, int]],
) -> None:
    """Ranks are those within the resampling."""
    ratings, values, drawn = (np.array(column) for column in zip(*texts, strict=True))
    own, found = np.repeat(ratings, drawn), np.repeat(values, drawn)
    if len(set(own)) < 2 or len(set(found)) < 2:
        return

    many = rating_figures(ratings, values)(drawn[None, :].astype(np.float64))

    ranked = np.corrcoef(metrics.ranks(own), metrics.ranks(found))[0, 1]
    assert many["spearman"][0] == pytest.approx(ranked)
    assert many["pearson"][0] == pytest.approx(np.corrcoef(own, found)[0, 1])


def test_equal_ratings_correlate_with_nothing() -> None:
    """There is no figure, and no warning."""
    found = rating_figures(np.full(3, 0.5), np.array([0.1, 0.2, 0.3]))(np.ones((1, 3)))

    assert math.isnan(found["pearson"][0])
    assert math.isnan(found["spearman"][0])


def test_resamplings_draw_as_many_texts_as_there_are() -> None:
    """The first row is the texts themselves; the same seed draws the same."""
    drawn = np.concatenate(list(counts(7, 20, seed=3)))
    again = np.concatenate(list(counts(7, 20, seed=3)))

    assert drawn.shape == (21, 7)
    assert (drawn[0] == 1).all()
    assert (drawn.sum(axis=1) == 7).all()
    assert len({tuple(row) for row in drawn}) > 10
    assert (drawn == again).all()


def test_an_interval_holds_the_value_and_narrows_with_texts() -> None:
    """Forty times the texts make it more than four times as narrow."""
    labels, risks = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.35, 0.8])

    def auroc(times: int) -> metrics.Interval:
        own, found = np.tile(labels, times), np.tile(risks, times)
        return intervals(fault_figures(own, found, {}), len(own), rounds=300)["auroc"]

    few, many = auroc(5), auroc(200)
    assert few.value == many.value == pytest.approx(0.75)
    assert few.low < few.value < few.high
    assert many.low < many.value < many.high
    assert 4 * (many.high - many.low) < few.high - few.low


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Of a hundred samples of a known recall, about ninety-five intervals hold it."""
    rng, covered = np.random.default_rng(5), 0
    for seed in range(100):
        risks = rng.random(200)
        figures = fault_figures(np.ones(200), risks, {"": np.full(200, 0.4)})
        found = intervals(figures, 200, rounds=200, seed=seed)["recall"]
        covered += found.low <= 0.6 <= found.high

    assert 88 <= covered <= 99
