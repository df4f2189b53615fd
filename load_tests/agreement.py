"""How far the agreement figures hold: `python -m load_tests.agreement`.

Raters of known reliability judge invented replies, seven in ten of them good. Printed are how often
the interval of alpha holds the alpha of 200,000 units, how often one rater who says the opposite is
seen, and how often somebody is accused who should not be.
"""

from __future__ import annotations

import random
from collections import Counter

from storage.agreement import RATINGS, AgreementTally, Rater, krippendorff_alpha

ROUNDS = 300


def main() -> None:
    """Prints the three tables."""
    for raters, right in ((2, 0.9), (4, 0.8)):
        true = krippendorff_alpha(_shapes(200_000, raters, right, seed=99)).value
        assert true is not None
        for units in (20, 50, 200):
            share, width = _coverage(units, raters, right, true=true)
            print(f"{raters} raters, {units} units: interval holds {true:.3f} in {share:.1%}, "
                  f"width {width:.2f}")  # fmt: skip
    for units in (10, 30, 100):
        seen, accused = _accusations(units, [0.1, *[0.8] * 5])
        print(f"{units} replies, five raters of 0.8: contrary one seen in {seen:.1%}, "
              f"somebody else accused in {accused:.1%}")  # fmt: skip
    for units in (10, 30, 100, 300):
        first, others = _accusations(units, [0.5] * 6)
        print(f"{units} replies, six coins: the first accused in {first:.1%}, "
              f"another in {others:.1%}")  # fmt: skip


def _shapes(units: int, raters: int, right: float, *, seed: int) -> Counter[tuple[int, ...]]:
    draw = random.Random(seed)
    found: Counter[tuple[int, ...]] = Counter()
    for _ in range(units):
        is_good = draw.random() < 0.7
        ups = sum((draw.random() < right) == is_good for _ in range(raters))
        found[ups, raters - ups] += 1
    return found


def _coverage(units: int, raters: int, right: float, *, true: float) -> tuple[float, float]:
    held, widths = 0, []
    for seed in range(ROUNDS):
        alpha = krippendorff_alpha(_shapes(units, raters, right, seed=seed), seed=seed)
        if alpha.low is not None and alpha.high is not None:
            widths.append(alpha.high - alpha.low)
            held += alpha.low <= true <= alpha.high
    return held / len(widths), sum(widths) / len(widths)


def _accusations(units: int, rights: list[float]) -> tuple[float, float]:
    first = others = 0
    for seed in range(ROUNDS):
        draw = random.Random(seed)
        tally = AgreementTally(RATINGS)
        for _ in range(units):
            is_good = draw.random() < 0.7
            said: dict[Rater, str] = {
                (None, str(at)): "up" if (draw.random() < right) == is_good else "down"
                for at, right in enumerate(rights)
            }
            tally.add(said)
        contrary = {rater.rater for rater in tally.result().raters if rater.is_contrary}
        first += "0" in contrary
        others += bool(contrary - {"0"})
    return first / ROUNDS, others / ROUNDS


if __name__ == "__main__":
    main()
