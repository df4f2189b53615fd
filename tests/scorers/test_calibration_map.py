"""Maps from how sure a reply sounds to how likely it is right."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from scorers.calibration_map import (
    Outcome,
    OutcomeMap,
    TooFewOutcomes,
    dump,
    fit_outcomes,
    gap,
    load,
    log_odds,
    token_chance,
)
from scorers.errors import ModelError
from scorers.training.metrics import expected_calibration_error


def boaster(count: int, *, seed: int, has_tokens: bool = False) -> list[Outcome]:
    """A model that says 0.8 to 0.99 and is right in `said ** 4`; its tokens know better."""
    rng = np.random.default_rng(seed)
    made = []
    for said in rng.choice([0.8, 0.85, 0.9, 0.95, 0.99], count):
        known = rng.uniform()
        correct = float(known < said**4)
        tokens = math.log(0.95 if rng.uniform() < 0.2 + 0.6 * correct else 0.5)
        made.append(Outcome(float(said), correct, tokens if has_tokens else None))
    return made


def ece(outcomes: list[Outcome], chances: list[float]) -> float:
    """The calibration error of some chances."""
    return expected_calibration_error(np.array([o.correct for o in outcomes]), np.array(chances))


def test_map_mends_a_boaster() -> None:
    """Fitted on some replies, the map is well calibrated on others."""
    made, later = fit_outcomes(boaster(2000, seed=1)), boaster(2000, seed=2)

    before = ece(later, [o.expressed for o in later])
    after = ece(later, [made.likely(o.expressed) for o in later])

    assert before > 0.15
    assert after < 0.05
    assert made.likely(0.99) > made.likely(0.8) + 0.1


def test_token_probabilities_sharpen_the_map() -> None:
    """With log-probabilities the chance is nearer to what came."""
    made, later = (boaster(2000, seed=seed, has_tokens=True) for seed in (1, 2))
    fitted = fit_outcomes(made)

    def brier(chances: list[float]) -> float:
        return float(np.mean([(c - o.correct) ** 2 for c, o in zip(chances, later, strict=True)]))

    joint = brier([fitted.likely(o.expressed, o.mean_logprob) for o in later])

    assert joint < brier([fitted.likely(o.expressed) for o in later]) - 0.03
    assert ece(later, [fitted.likely(o.expressed, o.mean_logprob) for o in later]) < 0.05


def test_thresholds_keep_their_rate() -> None:
    """At most five in a hundred right replies reach the gap for that rate."""
    outcomes = boaster(4000, seed=3)
    made = fit_outcomes(outcomes)
    bar = made.risk[made.fpr.index(0.05)]
    right = [o for o in outcomes if o.correct >= 0.5]

    reached = [float(gap(o.expressed, made.likely(o.expressed))) >= bar for o in right]

    assert np.mean(reached) <= 0.05


def test_too_few_outcomes() -> None:
    """Without enough wrong replies there is no map, and it says how many there are."""
    outcomes = [Outcome(0.9, 1.0)] * 500 + [Outcome(0.9, 0.0)] * 39

    with pytest.raises(TooFewOutcomes, match="500 right and 39 wrong"):
        fit_outcomes(outcomes)


def test_few_log_probabilities_are_left_out() -> None:
    """Weights for tokens need as many outcomes as the curve does."""
    outcomes = boaster(500, seed=4) + boaster(30, seed=5, has_tokens=True)

    made = fit_outcomes(outcomes)

    assert made.joint is None
    assert made.likely(0.9, -0.1) == made.likely(0.9)


def test_maps_come_back_from_their_file(tmp_path: Path) -> None:
    """Written and read again, a map gives the same chances to six digits."""
    maps = {"gpt-x": fit_outcomes(boaster(1000, seed=6, has_tokens=True))}
    dump(maps, tmp_path / "maps.json")

    [(name, read)] = load(tmp_path / "maps.json").items()

    assert name == "gpt-x"
    for said in (0.1, 0.8, 0.99):
        assert read.likely(said) == pytest.approx(maps["gpt-x"].likely(said), abs=1e-3)
        assert read.likely(said, -0.2) == pytest.approx(maps["gpt-x"].likely(said, -0.2), abs=1e-5)
    assert (read.fpr, read.risk) == (maps["gpt-x"].fpr, maps["gpt-x"].risk)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "holds no confidence maps"),
        ('{"version": 9, "models": {}}', "version 9, not 1"),
        ('{"version": 1, "models": {"a": {}}}', "KeyError"),
        ('{"version": 1, "models": []}', "holds no confidence maps"),
    ],
)
def test_file_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    """A file that holds no maps of this version is refused and named."""
    (tmp_path / "maps.json").write_text(text)

    with pytest.raises(ModelError, match=message):
        load(tmp_path / "maps.json")


@pytest.mark.parametrize("change", [{"y": [0.5]}, {"x": [2.0, 1.0]}, {"y": [0.1, 1.2]}])
def test_curve_that_is_none(tmp_path: Path, change: dict[str, object]) -> None:
    """A curve that does not ascend, or leaves [0, 1], is refused."""
    made = OutcomeMap(9, "logistic", (0.0, 1.0), (0.1, 0.2)).to_dict() | change
    (tmp_path / "maps.json").write_text(json.dumps({"version": 1, "models": {"a": made}}))

    with pytest.raises(ModelError, match="curve"):
        load(tmp_path / "maps.json")


def test_token_chance_is_the_geometric_mean() -> None:
    """Two tokens of 0.9 and 0.4 have the chance 0.6; it is at most 1, and -9999 counts as -20."""
    assert token_chance([math.log(0.9), math.log(0.4)]) == pytest.approx(0.6)
    assert token_chance([1e-9]) == 1.0
    assert token_chance([-9999.0, 0.0]) == pytest.approx(math.exp(-10))
    assert token_chance([]) is None


def test_log_odds_stay_finite() -> None:
    """Certainty has finite odds."""
    assert log_odds(1.0) == pytest.approx(math.log(999))
    assert log_odds(0.0) == pytest.approx(-math.log(999))


@pytest.mark.shared_data
def test_maps_mend_real_models(shared_data: Path) -> None:
    """Stated numbers of real models: fitted on one half, the error on the other falls by far."""
    by_model: dict[str, list[Outcome]] = defaultdict(list)
    file = shared_data / "confidence" / "train" / "mmlu_pro_numeric.parquet"
    for row in pq.read_table(file).to_pylist():
        by_model[row["split"]].append(Outcome(row["verbalised"], row["correct"]))
    before, after, texts = 0.0, 0.0, 0
    for outcomes in by_model.values():
        half, rest = outcomes[::2], outcomes[1::2]
        try:
            made = fit_outcomes(half)
        except TooFewOutcomes:
            continue
        before += ece(rest, [o.expressed for o in rest]) * len(rest)
        after += ece(rest, [made.likely(o.expressed) for o in rest]) * len(rest)
        texts += len(rest)

    assert texts > 15_000
    assert after < before / 3
