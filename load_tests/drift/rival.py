"""Evidently's default data-drift test on the same windows.

Its defaults for a reference of more than 1,000 rows, as `evidently` 0.7.23 has them: numbers by
the Wasserstein distance divided by the reference's standard deviation, categories by the
Jensen-Shannon distance, a column drifts from 0.1 on, a data set where half of its columns do.
Written again here for speed; `agreement.py` holds it against the package itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon

from service.watch.series import Series

THRESHOLD = 0.1
SHARE = 0.5
CATEGORIES = ("share", "label")


def distances(
    reference: Series, values: NDArray[np.float64], window: NDArray[np.int64], windows: int
) -> list[float]:
    """How far a column is from its reference in each window; `window` numbers the values'."""
    kinds, place = np.unique(np.concatenate([reference.values, values]), return_inverse=True)
    size = len(reference.values)
    before = np.bincount(place[:size], minlength=len(kinds)) / size
    found = []
    for number in range(windows):
        counts = np.bincount(place[size:][window == number], minlength=len(kinds))
        now = counts / max(1, counts.sum())
        if not counts.sum():
            found.append(0.0)
        elif reference.kind in CATEGORIES:
            found.append(float(jensenshannon(before, now)))
        else:
            gaps = np.abs(np.cumsum(before - now)[:-1]) @ np.diff(kinds)
            found.append(float(gaps) / max(float(np.std(reference.values)), 0.001))
    return found
