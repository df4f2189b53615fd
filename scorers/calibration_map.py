"""How often replies that sound so sure turned out right: a map for each served model.

A map is fitted on outcomes (`fit_outcomes`), kept as JSON (`dump`, `load`) and asked by the
confidence scorer. It has a curve from the wording alone, and, where enough outcomes had token
log-probabilities, weights that join the two.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scorers.errors import ModelError
from scorers.training.fit import fit, logistic

VERSION = 1
FEWEST_OUTCOMES = 40
"""Fewer replies of a kind (right or wrong, with log-probabilities or not) give no map."""

FPR = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
_EDGE = 1e-3
_LEAST_LOGPROB = -20.0
Floats = NDArray[np.float64]


class TooFewOutcomes(ValueError):
    """There are not enough right and wrong replies to say how likely the next is right."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One reply that was checked: how sure it sounded and whether it was right, both in [0, 1].

    `mean_logprob` is the mean log-probability of its tokens, None where it is not known.
    """

    expressed: float
    correct: float
    mean_logprob: float | None = None


@dataclass(frozen=True)
class OutcomeMap:
    """The chance that a reply of one served model is right.

    `x` and `y` are the knots of a curve over the log-odds of how sure it sounds. `joint` weighs
    those log-odds, the mean log-probability and 1 in a logistic sum. `fpr` and `risk` say which
    gap at most such a share of the right replies reach. `made` says when it was fitted.
    """

    outcomes: int
    kind: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    joint: tuple[float, float, float] | None = None
    fpr: tuple[float, ...] = ()
    risk: tuple[float, ...] = ()
    made: str = ""

    @cached_property
    def version(self) -> str:
        """A name for what the map says: the same numbers have the same name."""
        content = self.to_dict()
        del content["made"]
        return f"map-{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8]}"

    def likely(self, expressed: float, mean_logprob: float | None = None) -> float:
        """The chance in [0, 1] that a reply which sounds so sure is right."""
        odds = log_odds(expressed)
        if self.joint is None or mean_logprob is None:
            return float(np.interp(odds, self.x, self.y))
        wording, tokens, offset = self.joint
        return 1.0 / (1.0 + math.exp(-_bounded(wording * odds + tokens * mean_logprob + offset)))

    def to_dict(self) -> dict[str, Any]:
        """The map as plain JSON values."""
        return {
            "made": self.made,
            "outcomes": self.outcomes,
            "kind": self.kind,
            "x": [round(x, 4) for x in self.x],
            "y": [round(y, 6) for y in self.y],
            "joint": None if self.joint is None else [round(w, 6) for w in self.joint],
            "thresholds": {"fpr": list(self.fpr), "risk": list(self.risk)},
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> OutcomeMap:
        """The map out of its JSON values; KeyError, TypeError or ValueError where they are none."""
        x, y = _numbers(raw["x"]), _numbers(raw["y"])
        joint, table = raw.get("joint"), raw.get("thresholds") or {"fpr": [], "risk": []}
        if not x or len(x) != len(y) or sorted(x) != list(x):
            raise ValueError("a curve needs as many `y` as `x`, and its `x` ascending")
        if not all(0.0 <= value <= 1.0 for value in y):
            raise ValueError("a curve's `y` are chances in [0, 1]")
        weights = None
        if joint is not None:
            wording, tokens, offset = _numbers(joint)
            weights = (wording, tokens, offset)
        return cls(
            outcomes=int(raw["outcomes"]),
            kind=str(raw["kind"]),
            x=x,
            y=y,
            joint=weights,
            fpr=_numbers(table["fpr"]),
            risk=_numbers(table["risk"]),
            made=str(raw.get("made", "")),
        )


def token_chance(logprobs: Sequence[float]) -> float | None:
    """The geometric mean of the tokens' probabilities, None without tokens.

    exp(mean log p): the sequence's likelihood, normalised by its length (Malinin & Gales 2021,
    "Uncertainty Estimation in Autoregressive Structured Prediction", section 3).
    """
    mean = mean_logprob(logprobs)
    return None if mean is None else math.exp(min(0.0, mean))


def mean_logprob(logprobs: Sequence[float]) -> float | None:
    """The mean of log-probabilities, None without any.

    One counts as -20 at least: some servers write -9999 for all that is improbable.
    """
    if not logprobs:
        return None
    return math.fsum(max(value, _LEAST_LOGPROB) for value in logprobs) / len(logprobs)


def gap(expressed: ArrayLike, likely: ArrayLike) -> Floats:
    """How much more surely something is said than it is likely to be right, in [0, 1].

    max(0, expressed - likely): the part of the calibration error that is overconfidence.
    """
    return np.maximum(0.0, np.asarray(expressed, np.float64) - np.asarray(likely, np.float64))


def log_odds(chance: float) -> float:
    """The log-odds of a chance, which is kept a thousandth away from 0 and 1."""
    bounded = min(max(chance, _EDGE), 1.0 - _EDGE)
    return math.log(bounded / (1.0 - bounded))


def fit_outcomes(outcomes: Sequence[Outcome], *, made: datetime | None = None) -> OutcomeMap:
    """A map fitted on checked replies of one served model, at the time `made`.

    The curve is a logistic or an isotonic map, whichever has the lower cross-validated Brier
    score. Raises TooFewOutcomes below forty right or forty wrong replies.
    """
    _expect_enough(outcomes)
    odds = np.array([log_odds(o.expressed) for o in outcomes])
    correct = np.array([o.correct for o in outcomes], np.float64)
    curve = fit(odds, correct)
    bare = OutcomeMap(
        outcomes=len(outcomes),
        kind=curve.kind,
        x=tuple(map(float, curve.x)),
        y=tuple(float(y) for y in np.clip(curve.y, 0.0, 1.0)),
        joint=_joint([o for o in outcomes if o.mean_logprob is not None]),
    )
    fpr, risk = _thresholds(bare, outcomes)
    at = "" if made is None else made.isoformat(timespec="seconds")
    return replace(bare, fpr=fpr, risk=risk, made=at)


def _expect_enough(outcomes: Sequence[Outcome]) -> None:
    right = sum(o.correct >= 0.5 for o in outcomes)
    wrong = len(outcomes) - right
    if min(right, wrong) < FEWEST_OUTCOMES:
        raise TooFewOutcomes(
            f"{right} right and {wrong} wrong replies are known; it takes {FEWEST_OUTCOMES} of each"
        )


def _joint(outcomes: Sequence[Outcome]) -> tuple[float, float, float] | None:
    right = sum(o.correct >= 0.5 for o in outcomes)
    if min(right, len(outcomes) - right) < FEWEST_OUTCOMES:
        return None
    design = np.array([[log_odds(o.expressed), o.mean_logprob, 1.0] for o in outcomes])
    correct = np.array([o.correct for o in outcomes], np.float64)
    wording, tokens, offset = logistic(design, correct, np.array([0.0, 0.0, 0.0]))
    return float(wording), float(tokens), float(offset)


def _thresholds(
    made: OutcomeMap, outcomes: Sequence[Outcome]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """For each rate the gap that at most this share of the right replies reach."""
    right = [o for o in outcomes if o.correct >= 0.5]
    likely = [made.likely(o.expressed, o.mean_logprob) for o in right]
    falling = np.sort(gap([o.expressed for o in right], likely))[::-1]
    at = [min(int(rate * len(falling)), len(falling) - 1) for rate in FPR]
    bars = [min(float(np.nextafter(falling[i], 2.0)), 1.0) for i in at]
    return FPR, tuple(min(1.0, round(bar + 5e-7, 6)) for bar in bars)


def dump(maps: Mapping[str, OutcomeMap], path: Path) -> None:
    """Writes the maps, by served model, as JSON."""
    raw = {"version": VERSION, "models": {name: made.to_dict() for name, made in maps.items()}}
    path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> dict[str, OutcomeMap]:
    """The maps of a file, by served model; ModelError says what is wrong with it."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        version, models = raw["version"], raw["models"]
        maps = {str(name): OutcomeMap.from_dict(made) for name, made in models.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} holds no confidence maps ({error!r})") from error
    if version != VERSION:
        raise ModelError(f"{path} has confidence maps of version {version!r}, not {VERSION}")
    return maps


def _numbers(values: Sequence[Any]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _bounded(value: float) -> float:
    return min(max(value, -30.0), 30.0)
