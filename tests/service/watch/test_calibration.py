"""Calibration of served models: figures, and what counts as worse than before."""

from __future__ import annotations

import numpy as np
import pytest

from service.watch.calibration import (
    FEWEST,
    by_model,
    compared,
    degradation,
    outcomes,
    readings_of,
    squared_error,
    stated_chances,
)
from storage.repositories.outcomes import CheckedReply


def replies(
    count: int, *, seed: int, boast: float = 0.0, model: str = "m", has_tokens: bool = False
) -> list[CheckedReply]:
    """Replies that state a chance and are right that often, less `boast`."""
    rng = np.random.default_rng(seed)
    stated = rng.beta(4, 2, count)
    right = rng.random(count) < np.clip(stated - boast, 0, 1)
    return [
        CheckedReply(
            interaction_id=f"fl_{seed}_{at:05}",
            choice_index=0,
            created_us=at,
            model=model,
            expressed=float(stated[at]),
            tokens=float(stated[at]) if has_tokens else None,
            likely=None,
            is_right=bool(right[at]),
            judge="thumb",
        )
        for at in range(count)
    ]


def pair(count: int, *, seed: int, boast: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """The same as arrays."""
    return stated_chances(replies(count, seed=seed, boast=boast), "expressed")


def test_reading_of_a_boaster() -> None:
    """Stated chances that are a fifth too high show in bias, error and diagram."""
    (found,) = readings_of(replies(3000, seed=1, boast=0.2))

    assert found.name == "expressed"
    assert found.bias == pytest.approx(0.2, abs=0.03)
    assert found.ece.low < found.ece.value < found.ece.high
    assert found.ece.value == pytest.approx(0.2, abs=0.03)
    assert sum(count for *_, count in found.diagram) == found.replies == 3000
    assert all(stated > right for stated, right, count in found.diagram if count > 200)


def test_few_replies_get_no_figures() -> None:
    """Below the least number there is no reading, and nothing to compare."""
    assert not readings_of(replies(FEWEST - 1, seed=1))
    few = pair(FEWEST - 1, seed=2)
    assert degradation("m", "expressed", pair(500, seed=1), few, margin=0.1, alpha=0.05) is None


def test_squared_error_has_no_bias_by_size() -> None:
    """Of a calibrated model it is nothing on average, however few the replies."""
    means = [
        np.mean([squared_error(*pair(size, seed=seed)) for seed in range(300)])
        for size in (50, 400)
    ]

    assert means == pytest.approx([0.0, 0.0], abs=0.002)
    assert squared_error(*pair(4000, seed=1, boast=0.2)) == pytest.approx(0.04, abs=0.012)


def test_unchanged_models_raise_no_alarm_however_many_replies() -> None:
    """A boaster that boasts as before is no news, with few replies and with many."""
    for size in (100, 1000):
        for boast in (0.0, 0.2):
            found = [
                degradation(
                    "m",
                    "expressed",
                    pair(size, seed=seed, boast=boast),
                    pair(size, seed=1000 + seed, boast=boast),
                    margin=0.1,
                    alpha=0.01,
                )
                for seed in range(8)
            ]
            assert not any(one and one.is_degraded for one in found)


def test_a_model_that_begins_to_boast_is_told() -> None:
    """What got worse by more than the margin is degraded; with a wide margin it is not."""
    before, after = pair(1000, seed=1), pair(400, seed=2, boast=0.3)

    found = degradation("m", "expressed", before, after, margin=0.1, alpha=0.01)
    tolerant = degradation("m", "expressed", before, after, margin=0.4, alpha=0.01)

    assert found
    assert found.is_degraded
    assert found.before < 0.1 < found.after
    assert found.change.low < found.change.value < found.change.high
    assert tolerant
    assert not tolerant.is_degraded


def test_only_models_of_both_times_are_compared() -> None:
    """A new model has nothing to be held against, and each reading is compared for itself."""
    old = by_model(replies(200, seed=1, model="a", has_tokens=True))
    newcomer = replies(90, seed=3, model="b")
    new = by_model([*newcomer, *replies(200, seed=2, model="a", has_tokens=True)])

    found = list(compared(old, new, margin=0.1, alpha=0.05))

    assert [(one.model, one.reading) for one in found] == [("a", "expressed"), ("a", "tokens")]
    assert list(new) == ["a", "b"]


def test_outcomes_carry_log_probabilities() -> None:
    """What a map is fitted on: wording, outcome, and the tokens' mean log-probability."""
    (one,) = outcomes(replies(1, seed=5, has_tokens=True))
    (bare,) = outcomes(replies(1, seed=5))

    assert one.mean_logprob == pytest.approx(np.log(one.expressed))
    assert bare.mean_logprob is None
