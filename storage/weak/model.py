"""From votes to probabilities. Pure.

`weighted` is the one-coin model of Dawid and Skene 1979 ("Maximum likelihood estimation of observer
error-rates using the EM algorithm"), the label model of data programming (Ratner et al. 2017,
"Snorkel: rapid training data creation with weak supervision") for functions that err independently:
a function that votes is right with its accuracy, whatever the truth. Replies that people rated are
known; a function with `ENOUGH` votes on those is measured by them alone, the others are fitted to
all votes by expectation and maximisation. `majority` counts votes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.exports.base import Method

Votes = NDArray[np.int8]
"""Shape (replies, functions): 1 is up, -1 down, 0 cannot tell."""
Floats = NDArray[np.float64]

ENOUGH = 20
_PRIOR_ACCURACY, _PRIOR_VOTES = 0.7, 10.0
_PRIOR_RATINGS = 5.0
_ROUNDS, _CLOSE = 100, 1e-6
_LEAST, _MOST = 0.05, 0.95


@dataclass(frozen=True, slots=True)
class Fitted:
    """The model. `up` is each reply's probability of being good, NaN where nobody votes.

    `accuracy` is that of each function, `rated_votes` how many of its votes are on rated replies
    and `is_measured` whether those alone gave the accuracy. `share_up` is the chance that a
    reply is good before anybody votes.
    """

    up: Floats
    accuracy: Floats
    rated_votes: NDArray[np.int64]
    is_measured: NDArray[np.bool_]
    share_up: float


def fit(votes: Votes, rated: NDArray[np.int8], *, method: Method) -> Fitted:
    """The model of these votes; `rated` is 1 (up), -1 (down) or 0 (not rated) for each reply."""
    on_rated = (votes != 0) & (rated != 0)[:, None]
    rated_votes = on_rated.sum(axis=0)
    right = ((votes == rated[:, None]) & on_rated).sum(axis=0)
    measured = _smoothed(right, rated_votes)
    is_measured = rated_votes >= ENOUGH
    share_up = _share_up(rated)
    if method == "majority":
        up = _majority(votes)
        return Fitted(up, measured, rated_votes, is_measured, 0.5)
    accuracy = np.where(is_measured, measured, _PRIOR_ACCURACY)
    for _ in range(_ROUNDS):
        known = np.where(rated == 0, _posterior(votes, accuracy, share_up), (rated + 1) / 2)
        agreed = np.where(votes > 0, known[:, None], 1 - known[:, None])
        fitted = _smoothed((agreed * (votes != 0)).sum(axis=0), (votes != 0).sum(axis=0))
        before, accuracy = accuracy, np.where(is_measured, measured, fitted)
        if np.abs(accuracy - before).max(initial=0.0) < _CLOSE:
            break
    up = _posterior(votes, accuracy, share_up)
    up[(votes == 0).all(axis=1)] = np.nan
    return Fitted(up, accuracy, rated_votes, is_measured, share_up)


def _smoothed(right: NDArray[np.generic], votes: NDArray[np.generic]) -> Floats:
    """The share of right votes, as if `_PRIOR_VOTES` more had been cast; never quite sure."""
    prior = _PRIOR_ACCURACY * _PRIOR_VOTES
    share: Floats = (right.astype(np.float64) + prior) / (votes.astype(np.float64) + _PRIOR_VOTES)
    return np.clip(share, _LEAST, _MOST)


def _share_up(rated: NDArray[np.int8]) -> float:
    ups, all_ = float((rated > 0).sum()), float((rated != 0).sum())
    return (ups + _PRIOR_RATINGS) / (all_ + 2 * _PRIOR_RATINGS)


def _posterior(votes: Votes, accuracy: Floats, share_up: float) -> Floats:
    odds = np.log(accuracy / (1 - accuracy))
    total = votes @ odds + np.log(share_up / (1 - share_up))
    found: Floats = 1 / (1 + np.exp(-total))
    return found


def _majority(votes: Votes) -> Floats:
    """The share of the votes that are up, as if one more had been cast on each side."""
    ups, cast = (votes > 0).sum(axis=1), (votes != 0).sum(axis=1)
    found: Floats = (ups + 1) / (cast + 2)
    found[cast == 0] = np.nan
    return found
