"""How often `fairlead compare` is wrong when one peeks, and how much data it needs.

    python -m load_tests.compare [--runs 200] [--looks 40] [--case NAME]

Each run draws exchanges of two models and asks after every two hundred, up to the first answer.
Where the candidate is worse by exactly the margin both answers are wrong; where it is equal, the
data needed for "not worse" is the power. Users ask several times a day and differ; their day is
one observation, and it grows between looks, as in the command.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from service.watch.compare import Answer, Sample, answer_to

ALPHA = 0.05
STEP = 200
Draw = Callable[[np.random.Generator, int, float], NDArray[np.float64]]


@dataclass(frozen=True)
class Case:
    """A measure: its baseline, its margin, how it is drawn, whether by user or in pairs."""

    name: str
    mean: float
    margin: float
    draw: Draw
    kind: str = "exchanges"


def shares(rng: np.random.Generator, count: int, mean: float) -> NDArray[np.float64]:
    """Vetoes and thumbs."""
    return (rng.random(count) < mean).astype(np.float64)


def risks(rng: np.random.Generator, count: int, mean: float) -> NDArray[np.float64]:
    """Risks, many small and few large, in hundredths."""
    return np.round(rng.beta(mean, 1 - mean, count), 2)


CASES = (
    Case("veto rate 2%", 0.02, 0.02, shares),
    Case("thumbs down 15%", 0.15, 0.05, shares),
    Case("veto rate 5%, in pairs", 0.05, 0.02, shares, "pairs"),
    Case("mean risk 0.1, by user", 0.1, 0.02, risks, "users"),
    Case("mean risk 0.1", 0.1, 0.02, risks),
)


def run(case: Case, rng: np.random.Generator, shift: float, looks: int) -> tuple[Answer, int]:
    """The first answer and the exchanges of each arm that it took."""
    size = STEP * looks
    before, users = _arm(case, rng, size, case.mean)
    if case.kind == "pairs":
        # Seven in ten prompts have the same outcome; the others make up the shift.
        fresh, others = _arm(case, rng, size, case.mean + shift / 0.3)
        after = np.where(rng.random(size) < 0.7, before, fresh)
    else:
        after, others = _arm(case, rng, size, case.mean + shift)
    for count in range(STEP, size + 1, STEP):
        sample = Sample(
            _observed(before[:count], users[:count]),
            _observed(after[:count], others[:count]),
            case.kind == "pairs",
        )
        answer = answer_to(sample, case.margin, alpha=ALPHA, worse_alpha=ALPHA)
        if answer != "open":
            return answer, count
    return "open", size


def _arm(
    case: Case, rng: np.random.Generator, size: int, mean: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Values in order of time, and whose observation each belongs to."""
    if case.kind != "users":
        return case.draw(rng, size, mean), np.arange(size)
    people = rng.beta(20 * mean, 20 * (1 - mean), 200)
    who = rng.integers(0, 200, size)
    values = np.round(rng.beta(2 * people[who] + 1e-3, 2 * (1 - people[who]) + 1e-3), 2)
    return values, who + 200 * (np.arange(size) // 1000)


def _observed(values: NDArray[np.float64], units: NDArray[np.int64]) -> NDArray[np.float64]:
    _, place = np.unique(units, return_inverse=True)
    return np.bincount(place, weights=values) / np.bincount(place)


def main(arguments: Sequence[str]) -> int:
    """Prints a row for each case; exit code 1 where wrong answers exceed alpha beyond chance."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.compare")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--looks", type=int, default=40)
    parser.add_argument("--case", choices=[case.name for case in CASES], help="this one alone")
    options = parser.parse_args(arguments)
    table = Table(
        "measure", "margin", "wrong: not worse", "wrong: worse", "equal: not worse", "median", "90%"
    )
    is_broken = False
    most = ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / options.runs)
    for number, case in enumerate(CASES):
        if options.case not in (None, case.name):
            continue
        rng = np.random.default_rng(number)
        at_margin = [run(case, rng, case.margin, options.looks) for _ in range(options.runs)]
        wrong = [np.mean([a == w for a, _ in at_margin]) for w in ("not_worse", "worse")]
        is_broken |= max(wrong) > most
        equal = [run(case, rng, 0.0, options.looks) for _ in range(options.runs)]
        sizes = np.sort([n if a == "not_worse" else np.inf for a, n in equal])
        known = np.mean(np.isfinite(sizes))
        middle, far = (sizes[int(len(sizes) * share)] for share in (0.5, 0.9))
        table.add_row(
            case.name, f"{case.margin:g}", *(f"{share:.1%}" for share in wrong),
            f"{known:.0%}", f"{middle:,.0f}", f"{far:,.0f}",
        )  # fmt: skip
        print(f"{case.name}: wrong {wrong}, known {known}, {middle} {far}", file=sys.stderr)
    Console(width=120).print(table)
    return 1 if is_broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
