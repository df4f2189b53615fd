"""Calibration maps: monotone, close to the truth, and never flat."""

from __future__ import annotations

import numpy as np
import pytest

from scorers.training.fit import fit, isotonic, platt


def drawn(slope: float, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels whose true log-odds are `slope` times the logit, less one."""
    rng = np.random.default_rng(7)
    logits = rng.normal(0.0, 2.0, count)
    chance = 1 / (1 + np.exp(-(slope * logits - 1.0)))
    return logits, (rng.random(count) < chance).astype(float)


def test_platt_finds_slope_and_offset() -> None:
    """The logistic map recovers what the labels were drawn from."""
    slope, offset = platt(*drawn(0.7))

    assert slope == pytest.approx(0.7, abs=0.08)
    assert offset == pytest.approx(-1.0, abs=0.12)


def test_isotonic_pools_what_is_out_of_order() -> None:
    """Two labels in the wrong order share their mean."""
    x, y = isotonic(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 0.0]))

    assert list(x) == [0.0, 1.5]
    assert list(y) == [0.0, 0.5]


@pytest.mark.parametrize("slope", [0.3, 2.0])
def test_fitted_map_rises_everywhere_and_is_calibrated(slope: float) -> None:
    """The chosen map has no flat part that would hide the order of two texts."""
    fitted = fit(*drawn(slope))

    assert (np.diff(fitted.y) > 0).all()
    assert fitted.ece < 0.05
    assert 0.0 <= fitted.y[0] < fitted.y[-1] <= 1.0
