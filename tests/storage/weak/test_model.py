from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.weak.model import ENOUGH, fit


def drawn(accuracy: list[float], coverage: list[float], size: int = 4000) -> tuple[Any, Any]:
    """Truths and votes of functions of these accuracies, each voting on its share."""
    random = np.random.default_rng(7)
    truth = np.where(random.random(size) < 0.6, 1, -1).astype(np.int8)
    right = random.random((size, len(accuracy))) < accuracy
    votes = np.where(right, truth[:, None], -truth[:, None])
    votes[random.random(votes.shape) >= coverage] = 0
    return truth, votes.astype(np.int8)


def test_accuracies_are_found_without_ratings() -> None:
    """From where functions agree alone: within a few points, in the right order."""
    wanted = [0.9, 0.75, 0.65, 0.55]
    _, votes = drawn(wanted, [0.7, 0.7, 0.7, 0.7])

    found = fit(votes, np.zeros(len(votes), dtype=np.int8), method="weighted")

    assert found.accuracy == pytest.approx(wanted, abs=0.06)
    assert not found.is_measured.any()


def test_weighing_beats_counting() -> None:
    """One good function against three poor ones that vote everywhere."""
    truth, votes = drawn([0.92, 0.56, 0.56, 0.56], [0.9, 1.0, 1.0, 1.0])
    none = np.zeros(len(votes), dtype=np.int8)
    rated = none.copy()
    rated[:300] = truth[:300]

    def right(method: Any, known: Any) -> float:
        up = fit(votes, known, method=method).up[300:]
        return float(np.mean((up > 0.5) == (truth[300:] > 0)))

    assert right("weighted", rated) > right("majority", rated) + 0.1
    assert right("weighted", rated) == pytest.approx(0.9, abs=0.04)


def test_probabilities_mean_what_they_say() -> None:
    """Of those taken for good with some probability about that share is."""
    truth, votes = drawn([0.85, 0.7, 0.65, 0.6], [0.8, 0.6, 0.6, 0.6])
    rated = np.zeros(len(votes), dtype=np.int8)
    rated[:400] = truth[:400]

    up = fit(votes, rated, method="weighted").up

    for low in (0.1, 0.3, 0.5, 0.7, 0.9):
        near = np.abs(up - low) < 0.1
        assert np.mean(truth[near] > 0) == pytest.approx(up[near].mean(), abs=0.08)


def test_ratings_tell_who_is_wrong() -> None:
    """A function that is mostly wrong is heard the other way round."""
    truth, votes = drawn([0.2], [1.0], size=400)

    found = fit(votes, truth, method="weighted")

    assert found.is_measured.all()
    assert found.accuracy[0] == pytest.approx(0.2, abs=0.06)
    assert found.up[votes[:, 0] > 0].max() < 0.5


def test_a_few_ratings_do_not_measure() -> None:
    """Under `ENOUGH` votes on rated replies a function is fitted."""
    truth, votes = drawn([0.9], [1.0], size=100)
    rated = np.zeros(100, dtype=np.int8)
    rated[: ENOUGH - 1] = truth[: ENOUGH - 1]
    assert not fit(votes, rated, method="weighted").is_measured.any()

    rated[ENOUGH - 1] = truth[ENOUGH - 1]
    assert fit(votes, rated, method="weighted").is_measured.all()


def test_a_majority_counts() -> None:
    """The share of votes that are up, one more on each side; nothing where nobody votes."""
    votes = np.array([[1, 1, -1], [1, 1, 1], [1, -1, 0], [0, 0, 0]], dtype=np.int8)

    up = fit(votes, np.zeros(4, dtype=np.int8), method="majority").up

    assert up[:3].tolist() == [0.6, 0.8, 0.5]
    assert np.isnan(up[3])


def test_nothing_to_vote_on_is_no_trouble() -> None:
    """No replies, no labels."""
    nothing = np.zeros((0, 2), dtype=np.int8)

    for method in ("weighted", "majority"):
        assert len(fit(nothing, np.zeros(0, dtype=np.int8), method=method).up) == 0  # type: ignore[arg-type]


tables = st.lists(
    st.tuples(
        st.lists(st.sampled_from([-1, 0, 1]), min_size=3, max_size=3),
        st.sampled_from([-1, 0, 0, 1]),
    ),
    max_size=30,
)


@settings(max_examples=80, deadline=None)
@given(tables, st.sampled_from(["weighted", "majority"]), st.randoms(use_true_random=False))
def test_order_decides_nothing(described: Any, method: Any, random: Any) -> None:
    """Probabilities stay in [0, 1], are there exactly where somebody votes, and move with rows."""
    places = list(range(len(described)))
    random.shuffle(places)

    def made(rows: Any) -> Any:
        votes = np.array([row for row, _ in rows], dtype=np.int8).reshape(len(rows), 3)
        return fit(votes, np.array([known for _, known in rows], dtype=np.int8), method=method)

    one, other = made(described), made([described[at] for at in places])

    for at, (row, _) in enumerate(described):
        assert np.isnan(one.up[at]) == (not any(row))
        assert np.isnan(one.up[at]) or 0 <= one.up[at] <= 1
    assert np.allclose(one.up[places], other.up, equal_nan=True)
