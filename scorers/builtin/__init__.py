"""The scorers that ship with Fairlead, in the order in which they run."""

from __future__ import annotations

from scorers.base import Scorer
from scorers.builtin.faithfulness import Faithfulness
from scorers.builtin.headmap import HeadMap, UnknownThreshold
from scorers.builtin.toxicity import Toxicity

BUILTIN: tuple[type[Toxicity | Faithfulness], ...] = (Toxicity, Faithfulness)
"""Every built-in scorer's class; each is made from a `HeadMap`."""

__all__ = ["BUILTIN", "Faithfulness", "HeadMap", "Scorer", "Toxicity", "UnknownThreshold"]
