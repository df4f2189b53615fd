"""The scorers that ship with Fairlead, in the order in which they run."""

from __future__ import annotations

from scorers.base import Scorer
from scorers.builtin.confidence import Confidence
from scorers.builtin.faithfulness import Faithfulness
from scorers.builtin.headmap import HeadMap, UnknownThreshold
from scorers.builtin.sycophancy import Sycophancy
from scorers.builtin.toxicity import Toxicity

BUILTIN: tuple[type[Toxicity | Faithfulness | Sycophancy | Confidence], ...] = (
    Toxicity,
    Faithfulness,
    Sycophancy,
    Confidence,
)
"""Every built-in scorer's class; each is made from a `HeadMap`."""

__all__ = [
    "BUILTIN",
    "Confidence",
    "Faithfulness",
    "HeadMap",
    "Scorer",
    "Sycophancy",
    "Toxicity",
    "UnknownThreshold",
]
