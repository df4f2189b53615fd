"""The figures of an export: what is in it, how long, how even, how sure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Whether the longer of two replies is chosen. Differences are chosen minus rejected.

    `mean_chars` and `median_chars` are of the difference in characters. `correlation` is
    Pearson's, of margin and difference. `longer_wins` is the share of pairs that the rule "take
    the longer" gets right, equal lengths counting half: 0.5 is no bias, 1 a data set that
    teaches nothing but length. Shares are in [0, 1]; None where there is nothing to say.
    """

    chosen_longer: float
    equal: float
    mean_chars: float
    median_chars: float
    correlation: float | None
    longer_wins: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """How many liked and disliked replies there are, and the weights that even them out.

    With TRL's `desirable_weight` and `undesirable_weight` as given, the weighted counts are
    equal; the larger class has weight 1. Ethayarajh et al. 2024 (arXiv 2402.01306) advise a
    ratio of the weighted counts between 1 and 4/3. The weights are None where a class is empty.
    """

    good: int
    bad: int
    desirable_weight: float | None
    undesirable_weight: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The figures of what was exported.

    `groups` are the sets of prompts that are never split; `largest_group` is the share of the
    rows in the largest. `lengths` is None for labels, `balance` for pairs. `notes` say what a
    reader has to know beside the numbers.
    """

    rows: int
    prompts: int
    groups: int
    largest_group: float
    margin_quartiles: tuple[float, float, float] | None
    difficulty_quartiles: tuple[float, float, float] | None
    lengths: Lengths | None
    balance: Balance | None
    notes: tuple[str, ...] = ()

    def figures(self) -> dict[str, str]:
        """What to print, by name."""
        return {
            "rows": str(self.rows),
            "prompts": str(self.prompts),
            "groups of prompts (near-duplicates, conversations)": str(self.groups),
            "rows in the largest group": _share(self.largest_group),
            "margin, quartiles": _quartiles(self.margin_quartiles),
            "difficulty, quartiles": _quartiles(self.difficulty_quartiles),
            **_of_lengths(self.lengths),
            **_of_balance(self.balance),
        }


def lengths_of(chosen: Floats, rejected: Floats, margins: Floats) -> Lengths | None:
    """The figures of pairs' lengths in characters; None without pairs."""
    if not len(chosen):
        return None
    difference = chosen - rejected
    longer, equal = float(np.mean(difference > 0)), float(np.mean(difference == 0))
    return Lengths(
        chosen_longer=longer,
        equal=equal,
        mean_chars=float(np.mean(difference)),
        median_chars=float(np.median(difference)),
        correlation=_correlation(margins, difference),
        longer_wins=longer + equal / 2,
    )


def balance_of(good: int, bad: int) -> Balance:
    """The balance of labels."""
    most = max(good, bad)
    has_both = bool(good and bad)
    return Balance(
        good=good,
        bad=bad,
        desirable_weight=most / good if has_both else None,
        undesirable_weight=most / bad if has_both else None,
    )


def quartiles(values: Floats) -> tuple[float, float, float] | None:
    """The three quartiles; None without values."""
    if not len(values):
        return None
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return float(low), float(middle), float(high)


def largest_share(members: Sequence[int] | NDArray[np.int64]) -> float:
    """The share of the most frequent value; 0 without any."""
    counts = Counter(np.asarray(members).tolist())
    return max(counts.values()) / len(members) if counts else 0.0


def _correlation(one: Floats, other: Floats) -> float | None:
    if len(one) < 3 or not np.ptp(one) or not np.ptp(other):
        return None
    return float(np.corrcoef(one, other)[0, 1])


def _of_lengths(lengths: Lengths | None) -> dict[str, str]:
    if lengths is None:
        return {}
    correlation = lengths.correlation
    return {
        "chosen is longer": _share(lengths.chosen_longer),
        "equally long": _share(lengths.equal),
        "chosen minus rejected, mean characters": f"{lengths.mean_chars:+.1f}",
        "chosen minus rejected, median characters": f"{lengths.median_chars:+.1f}",
        "correlation of margin with that": "-" if correlation is None else f"{correlation:+.3f}",
        "what the rule “take the longer” gets right": _share(lengths.longer_wins),
    }


def _of_balance(balance: Balance | None) -> dict[str, str]:
    if balance is None:
        return {}
    found = {"liked": str(balance.good), "disliked": str(balance.bad)}
    if balance.desirable_weight is not None:
        found["`desirable_weight` that evens them"] = f"{balance.desirable_weight:.3g}"
        found["`undesirable_weight` that evens them"] = f"{balance.undesirable_weight:.3g}"
    return found


def _share(value: float) -> str:
    return f"{100 * value:.1f}%"


def _quartiles(values: tuple[float, float, float] | None) -> str:
    return "-" if values is None else " / ".join(f"{value:.2f}" for value in values)
