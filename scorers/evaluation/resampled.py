"""Figures of merit of many resamplings at once.

A resampling of `n` texts is a row of `n` counts. All functions take counts of shape
(resamplings, n) and give one figure for each row, NaN where a class that it needs is missing;
a row of ones gives the figure of the texts themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from scorers.evaluation.metrics import Interval

Floats = NDArray[np.float64]
Figures = Callable[[Floats], Mapping[str, Floats]]

_CELLS = 1_000_000
"""Counts that are held in memory at a time."""


def counts(texts: int, rounds: int, *, seed: int = 0) -> Iterator[Floats]:
    """A row of ones, then `rounds` resamplings with replacement, in chunks."""
    rng = np.random.default_rng(seed)
    chunk = max(1, _CELLS // max(1, texts))
    yield np.ones((1, texts))
    for first in range(0, rounds, chunk):
        picks = rng.integers(0, texts, (min(chunk, rounds - first), texts))
        yield np.array([np.bincount(pick, minlength=texts) for pick in picks], np.float64)


def intervals(figures: Figures, texts: int, *, rounds: int, seed: int = 0) -> dict[str, Interval]:
    """Each figure of the texts with its 95% percentile bootstrap interval over the texts.

    Resamplings in which a figure is NaN do not count for its interval.
    """
    parts = [figures(drawn) for drawn in counts(texts, rounds, seed=seed)]
    found = {}
    for name in parts[0]:
        values = np.concatenate([part[name] for part in parts])
        drawn = values[1:][~np.isnan(values[1:])]
        low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (np.nan, np.nan)
        found[name] = Interval(float(values[0]), float(low), float(high))
    return found


def fault_figures(labels: Floats, risks: Floats, bars: Mapping[str, Floats]) -> Figures:
    """The figures of risks in [0, 1] against labels of 0 or 1, both of shape (texts,).

    `bars` are thresholds by name, one for each text, NaN where there is none. Without a name
    (`""`) they give `f1`, `balanced_accuracy`, `recall` and `false_positive_rate`, else the
    same with `_at_NAME` behind. `auroc`, `average_precision`, `best_f1`, `recall_at_1pct_fpr`,
    `ece` and `brier` need none.
    """
    ordered = _Ordered(labels, risks)

    def figures(drawn: Floats) -> dict[str, Floats]:
        with np.errstate(invalid="ignore", divide="ignore"):
            found = ordered.figures(drawn)
            found |= _calibration(drawn, labels, risks)
            for name, bar in bars.items():
                found |= _at_bar(drawn, labels, risks, bar, suffix=f"_at_{name}" if name else "")
        return found

    return figures


def rating_figures(labels: Floats, values: Floats) -> Figures:
    """`spearman`, `pearson` and `mean_absolute_error` of values against ratings of their shape."""
    ranked = _Ranks(labels), _Ranks(values)

    def figures(drawn: Floats) -> dict[str, Floats]:
        ones = np.ones((len(drawn), 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "spearman": _correlation(drawn, *(rank(drawn) for rank in ranked)),
                "pearson": _correlation(drawn, ones * labels, ones * values),
                "mean_absolute_error": drawn @ np.abs(labels - values) / drawn.sum(axis=1),
            }

    return figures


class _Ordered:
    """The texts by falling risk, those of equal risk in one group."""

    def __init__(self, labels: Floats, risks: Floats) -> None:
        self._order = np.argsort(-risks, kind="stable")
        self._is_bad = labels[self._order] > 0.5
        falling = risks[self._order]
        self._starts = np.flatnonzero(np.append(True, np.diff(falling) != 0))

    def figures(self, drawn: Floats) -> dict[str, Floats]:
        own = drawn[:, self._order]
        bad = np.add.reduceat(own * self._is_bad, self._starts, axis=1)
        good = np.add.reduceat(own * ~self._is_bad, self._starts, axis=1)
        caught, wrong = bad.cumsum(axis=1), good.cumsum(axis=1)
        all_bad, all_good = caught[:, -1], wrong[:, -1]
        lacks = (all_bad == 0) | (all_good == 0)
        pairs = (good * (caught - bad / 2)).sum(axis=1) / (all_bad * all_good)
        called = caught + wrong
        precision = caught / np.where(called == 0, 1.0, called)
        steps = (bad * precision).sum(axis=1) / all_bad
        best = (2 * caught / (called + all_bad[:, None])).max(axis=1)
        at = np.argmax(wrong > np.floor(0.01 * all_good)[:, None], axis=1)
        rows = np.arange(len(drawn))
        above = (caught - bad)[rows, at] / all_bad
        return {
            "auroc": np.where(lacks, np.nan, pairs),
            "average_precision": np.where(all_bad == 0, np.nan, steps),
            "best_f1": np.where(all_bad == 0, np.nan, best),
            "recall_at_1pct_fpr": np.where(lacks, np.nan, above),
        }


def _at_bar(
    drawn: Floats, labels: Floats, risks: Floats, bar: Floats, *, suffix: str
) -> dict[str, Floats]:
    bad, called = labels > 0.5, risks >= bar
    all_bad, all_good = drawn @ bad, drawn @ ~bad
    caught, wrong = drawn @ (bad & called), drawn @ (~bad & called)
    found = {
        "f1": np.where(all_bad == 0, np.nan, 2 * caught / (all_bad + caught + wrong)),
        "balanced_accuracy": (caught / all_bad + 1 - wrong / all_good) / 2,
        "recall": caught / all_bad,
        "false_positive_rate": wrong / all_good,
    }
    lacks = np.isnan(bar).any()
    return {name + suffix: np.where(lacks, np.nan, one) for name, one in found.items()}


def _calibration(
    drawn: Floats, labels: Floats, risks: Floats, *, bins: int = 15
) -> dict[str, Floats]:
    at = np.minimum((risks * bins).astype(int), bins - 1)
    within = (at[:, None] == np.arange(bins)).astype(np.float64)
    apart = np.abs(drawn @ (within * (risks - labels)[:, None])).sum(axis=1)
    texts = drawn.sum(axis=1)
    return {"ece": apart / texts, "brier": drawn @ (risks - labels) ** 2 / texts}


class _Ranks:
    """Ranks from 1 within each resampling, ties sharing their mean rank."""

    def __init__(self, values: Floats) -> None:
        self._order = np.argsort(values, kind="stable")
        rising = values[self._order]
        self._starts = np.flatnonzero(np.append(True, np.diff(rising) != 0))
        self._group = np.unique(values, return_inverse=True)[1]

    def __call__(self, drawn: Floats) -> Floats:
        sizes = np.add.reduceat(drawn[:, self._order], self._starts, axis=1)
        ranks: Floats = (sizes.cumsum(axis=1) - (sizes - 1) / 2)[:, self._group]
        return ranks


def _correlation(drawn: Floats, left: Floats, right: Floats) -> Floats:
    texts = drawn.sum(axis=1, keepdims=True)
    left = left - (drawn * left).sum(axis=1, keepdims=True) / texts
    right = right - (drawn * right).sum(axis=1, keepdims=True) / texts
    spread = (drawn * left**2).sum(axis=1) * (drawn * right**2).sum(axis=1)
    together: Floats = (drawn * left * right).sum(axis=1) / np.sqrt(spread)
    return np.where(spread <= 1e-18, np.nan, together)
