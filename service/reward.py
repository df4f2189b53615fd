"""The reward of a reply: a weighted sum of its risks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.exchange import Verdict


@dataclass(frozen=True, slots=True)
class Reward:
    """A reward and what each weighted rule gave to it.

    `value` is the sum of weight x risk over the rules that applied. As a risk lies in [0, 1],
    it lies between the sum of the negative weights and that of the positive ones: with negative
    weights 0 is the best reply and less is worse. A rule that did not apply has the term None
    and gives 0. The value is None, never a number, where a score failed to come or where the
    policy has none of the weighted rules.
    """

    value: float | None
    terms: Mapping[str, float | None]


def reward(verdict: Verdict, weights: Mapping[str, float]) -> Reward:
    """The reward of a reply with this verdict, rounded to six decimals."""
    risks = {rule.rule: rule.score.risk for rule in verdict.rules}
    terms: dict[str, float | None] = {}
    for name, weight in weights.items():
        risk = risks.get(name)
        terms[name] = None if risk is None else round(weight * risk, 6) + 0.0
    if verdict.failure is not None or not risks.keys() & weights.keys():
        return Reward(None, terms)
    return Reward(round(sum(term for term in terms.values() if term is not None), 6), terms)
