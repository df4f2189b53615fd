"""Whether a rate is too high, told from counts: pure, and never by few events alone."""

from __future__ import annotations

import math


def binomial_tail(hits: int, total: int, share: float) -> float:
    """P(X ≥ hits) for X of Binomial(total, share): the exact one-sided p-value.

    Told as 1 up to the mean, where it says nothing. Summed from logarithms, so that it holds for
    millions.
    """
    if hits <= total * share:
        return 1.0
    if share <= 0:
        return 0.0
    logs = [_log_mass(k, total, share) for k in range(hits, min(total, hits + _TERMS) + 1)]
    highest = max(logs)
    return min(1.0, math.exp(highest) * math.fsum(math.exp(log - highest) for log in logs))


_Z95 = 1.959964
_TERMS = 20_000
"""Above the mean, terms beyond these add nothing: they are seven standard deviations away even
where ten million were hit."""


def rise(hits: int, total: int, *, before_hits: int, before_total: int, ratio: float) -> float:
    """The p-value of "the rate is at most `ratio` times what it was before".

    The conditional test of two Poisson rates (Przyborowski and Wilenski, Biometrika 31, 1940):
    given all hits, those of now are binomial, with the share that equal rates, times `ratio`,
    would give them. For shares of a whole it errs on the careful side. 1 where there is nothing
    to compare.
    """
    if not total or not before_total:
        return 1.0
    weight = ratio * total
    return binomial_tail(hits, hits + before_hits, weight / (weight + before_total))


def interval(hits: int, total: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson, JASA 22, 1927); the whole of [0, 1] where total is 0."""
    if not total:
        return 0.0, 1.0
    share, z2 = hits / total, _Z95**2
    middle = share + z2 / (2 * total)
    half = _Z95 * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    whole = 1 + z2 / total
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def _log_mass(k: int, total: int, share: float) -> float:
    choose = math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1)
    return choose + k * math.log(share) + (total - k) * math.log1p(-share)
