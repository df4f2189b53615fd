"""What scorers are judged by: label columns, heads, and labelled subjects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from scorers.types import Subject


class LabelError(ValueError):
    """The rows are not what the scorer's schema says; the message names the row or the column."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A label column, and the head whose risk is held against it.

    A `fault` is there or not (labels from one half on count as there); a `rating` is a degree.
    """

    label: str
    head: str
    kind: Literal["fault", "rating"] = "fault"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A subject with its labels by column, and the parts that it belongs to.

    `parts` are `source`, `split`, `kind` and `role` where the row has them. Of a `split` only
    what stands before its first `|` counts: behind it data sets keep particulars of the row.
    `baseline` is the risk by an untrained rule, where the task has one.
    """

    subject: Subject
    labels: dict[str, float]
    parts: dict[str, str] = field(default_factory=dict)
    baseline: float | None = None


JUDGEMENTS: Mapping[str, tuple[Judgement, ...]] = {
    "toxicity": (
        Judgement("toxic", "toxic"),
        Judgement("harm", "harm"),
        Judgement("harm", "risk"),
        Judgement("injection", "injection"),
    ),
    "faithfulness": (Judgement("unfaithful", "unsupported"),),
    "sycophancy": (Judgement("sycophantic", "sycophantic"),),
    "confidence": (
        Judgement("expressed_confidence", "expressed", "rating"),
        Judgement("raw5_mean", "expressed", "rating"),
        Judgement("correct", "expressed"),
    ),
}
"""What each scorer is judged by. The head `risk` is the highest of the scorer's default heads."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "toxicity": ("toxic", "harm", "injection"),
    "faithfulness": ("unfaithful",),
    "sycophancy": ("sycophantic",),
    "confidence": ("expressed_confidence", "correct"),
}
"""The label columns of each scorer's schema."""


def judgements(scorer: str, heads: Sequence[str]) -> tuple[Judgement, ...]:
    """What a scorer with these heads is judged by.

    An added classifier's head is held against the column of its name, and its risk against the
    column that has the scorer's own name.
    """
    if scorer in JUDGEMENTS:
        return JUDGEMENTS[scorer]
    return (*(Judgement(head, head) for head in heads), Judgement(scorer, "risk"))


def label_columns(scorer: str, heads: Sequence[str]) -> tuple[str, ...]:
    """The columns in which a scorer with these heads finds its labels."""
    return COLUMNS.get(scorer, (*heads, scorer))
