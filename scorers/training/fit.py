"""Fitting monotone maps from logits to probabilities: numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scorers.training.metrics import brier, expected_calibration_error

Floats = NDArray[np.float64]
_GRID = np.concatenate(([-20.0], np.linspace(-12.0, 12.0, 97), [20.0]))
_FOLDS = 5
_SMOOTH_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Fitted:
    """Knots of a map, how it was made, and its cross-validated errors."""

    kind: str
    x: Floats
    y: Floats
    brier: float
    ece: float


def logistic(design: Floats, labels: Floats, start: Floats, *, rounds: int = 60) -> Floats:
    """Weights of a logistic regression on soft labels, by Newton's method.

    A small ridge pulls towards `start`; both have one entry a column of `design`.
    """
    theta = start.astype(np.float64)
    for _ in range(rounds):
        p = 1.0 / (1.0 + np.exp(-np.clip(design @ theta, -30, 30)))
        gradient = design.T @ (p - labels) + 1e-2 * (theta - start)
        hessian = (design * (p * (1 - p))[:, None]).T @ design + 1e-2 * np.eye(len(theta))
        move = np.clip(np.linalg.solve(hessian, gradient), -1.0, 1.0)
        theta = theta - move
        if np.abs(move).max() < 1e-8:
            break
    return theta


def platt(logits: Floats, labels: Floats) -> tuple[float, float]:
    """Slope and offset of a logistic map (Platt 1999); the slope is kept above zero."""
    design = np.stack([logits, np.ones_like(logits)], axis=1)
    slope, offset = logistic(design, labels, np.array([1.0, 0.0]))
    return max(float(slope), 1e-3), float(offset)


def isotonic(logits: Floats, labels: Floats) -> tuple[Floats, Floats]:
    """Mean logit and label of each block of the isotonic regression (adjacent violators pooled)."""
    order = np.argsort(logits, kind="stable")
    blocks: list[NDArray[np.float64]] = []
    for x, y in zip(logits[order], labels[order], strict=True):
        blocks.append(np.array([x, y, 1.0]))
        while len(blocks) > 1 and blocks[-2][1] >= blocks[-1][1]:
            right, left = blocks.pop(), blocks.pop()
            weight = left[2] + right[2]
            mean = (left * left[2] + right * right[2]) / weight
            blocks.append(np.array([mean[0], mean[1], weight]))
    xs, ys, _ = np.array(blocks).T
    return xs, ys


def _platt_curve(logits: Floats, labels: Floats) -> Floats:
    slope, offset = platt(logits, labels)
    curve: Floats = 1.0 / (1.0 + np.exp(-(slope * _GRID + offset)))
    return curve


def _isotonic_curve(logits: Floats, labels: Floats) -> Floats:
    """Isotonic, with a share of the logistic map so that it nowhere stands still."""
    xs, ys = isotonic(logits, labels)
    smooth = _platt_curve(logits, labels)
    mixed: Floats = (1 - _SMOOTH_SHARE) * np.interp(_GRID, xs, ys) + _SMOOTH_SHARE * smooth
    return mixed


_CURVES = {"platt": _platt_curve, "isotonic": _isotonic_curve}


def fit(logits: Floats, labels: Floats, *, seed: int = 0) -> Fitted:
    """The better of an isotonic and a logistic map by cross-validated Brier score."""
    folds = np.random.default_rng(seed).integers(0, _FOLDS, len(logits))
    hard = (labels >= 0.5).astype(np.float64)
    tried = []
    for kind, curve in _CURVES.items():
        out = np.zeros_like(logits)
        for fold in range(_FOLDS):
            own = folds == fold
            out[own] = np.interp(logits[own], _GRID, curve(logits[~own], labels[~own]))
        tried.append((brier(labels, out), expected_calibration_error(hard, out), kind))
    error, ece, kind = min(tried)
    y = np.maximum.accumulate(_CURVES[kind](logits, labels))
    return Fitted(kind, _GRID, y, error, ece)
