"""Figures of labelled texts and their scores: pooled, and for each part of the texts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scorers.builtin.headmap import HeadMap, UnknownThreshold
from scorers.evaluation import metrics
from scorers.evaluation.judgements import Judgement, Labelled
from scorers.evaluation.metrics import Interval
from scorers.evaluation.resampled import fault_figures, intervals, rating_figures
from scorers.types import Score, Side

Floats = NDArray[np.float64]

STRICT = "1pct_threshold"
"""The name of the threshold that the model states for one false positive in a hundred."""

ROUNDS = 500
MOST_PARTS = 40
"""Values of a column that get a part of their own; the most frequent do."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A threshold in risk, and where it comes from."""

    risk: float
    origin: str


@dataclass(frozen=True, slots=True)
class Bars:
    """A head's thresholds by side: the one shipped, and that of 1% false positives if known."""

    shipped: Mapping[Side, Bar]
    strict: Mapping[Side, float] = field(default_factory=dict)

    def of(self, sides: Collection[Side]) -> Bars:
        """The thresholds of these sides."""
        return Bars(
            {side: bar for side, bar in self.shipped.items() if side in sides},
            {side: risk for side, risk in self.strict.items() if side in sides},
        )


@dataclass(frozen=True, slots=True)
class Part:
    """The figures of some of the texts: all (`by` is `pooled`), or those of one source, kind, ...

    The pooled part is called by its source where that is the only one, `all` otherwise.

    `positives` are the texts whose label says that the fault is there, None for ratings.
    A figure that cannot be worked out is NaN, and `note` says why. `reliability` has mean risk,
    mean label and number of texts of each risk bin. `baseline_auroc` is that of the untrained
    rule.
    """

    by: str
    name: str
    texts: int
    positives: int | None
    figures: Mapping[str, Interval]
    reliability: Sequence[tuple[float, float, int]]
    best_f1_threshold: float | None = None
    baseline_auroc: float | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The part as plain JSON values, with null for what is not a number."""
        figures = {
            name: {"value": _plain(one.value), "low": _plain(one.low), "high": _plain(one.high)}
            for name, one in self.figures.items()
        }
        return {
            "by": self.by,
            "name": self.name,
            "texts": self.texts,
            "positives": self.positives,
            "figures": figures,
            "best_f1_threshold": _plain(self.best_f1_threshold),
            "baseline_auroc": _plain(self.baseline_auroc),
            "note": self.note,
            "reliability": [
                {"risk": _plain(risk), "label": _plain(label), "texts": texts}
                for risk, label, texts in self.reliability
            ],
        }


@dataclass(frozen=True, slots=True)
class Judged:
    """A label column held against a head's risks; the first part is the pooled one.

    `left_out` counts labelled texts without a risk, by the scorer's reason.
    """

    judgement: Judgement
    scorer: str
    bars: Bars
    parts: tuple[Part, ...]
    left_out: Mapping[str, int]

    @property
    def score(self) -> str:
        """The head with its scorer, such as `toxicity.toxic`."""
        return f"{self.scorer}.{self.judgement.head}"

    def to_dict(self) -> dict[str, Any]:
        """The judgement as plain JSON values."""
        thresholds = {
            side.value: {
                "shipped": bar.risk,
                "origin": bar.origin,
                STRICT: self.bars.strict.get(side),
            }
            for side, bar in self.bars.shipped.items()
        }
        return {
            "label": self.judgement.label,
            "score": self.score,
            "kind": self.judgement.kind,
            "thresholds": thresholds if self.judgement.kind == "fault" else {},
            "left_out": dict(self.left_out),
            "parts": [part.to_dict() for part in self.parts],
        }


@dataclass(frozen=True, slots=True)
class _Texts:
    """Labels and risks of the same texts, with their thresholds and baseline, in order."""

    labels: Floats
    risks: Floats
    shipped: Floats
    strict: Floats
    baseline: Floats

    def pick(self, at: NDArray[np.intp]) -> _Texts:
        return _Texts(*(getattr(self, name)[at] for name in self.__slots__))


def strict_bars(heads: HeadMap, scorer: str, head: str) -> dict[Side, float]:
    """The head's risk at one false positive in a hundred, for each side that states one."""
    names = heads.scorer(scorer).default_heads if head == "risk" else (head,)
    found = {}
    for side in Side:
        try:
            found[side] = heads.threshold(names, side, 0.01)
        except UnknownThreshold:
            continue
    return found


def judge(
    judgement: Judgement,
    found: Sequence[Labelled],
    scores: Sequence[Score],
    *,
    scorer: str,
    bars: Bars,
    rounds: int = ROUNDS,
) -> Judged | None:
    """The judgement's figures over the texts that have its label; None where none has."""
    kept: list[tuple[Labelled, float]] = []
    left_out: Counter[str] = Counter()
    for one, score in zip(found, scores, strict=True):
        if judgement.label in one.labels:
            risk = score.risk if judgement.head == "risk" else score.heads.get(judgement.head)
            if risk is None:
                left_out[score.reason or "not_applicable"] += 1
            else:
                kept.append((one, risk))
    if not kept and not left_out:
        return None
    texts = _texts(judgement, kept, bars)
    parts = tuple(
        _part(by, name, judgement, texts.pick(at), rounds=rounds)
        for by, name, at in _parts([one for one, _ in kept])
    )
    sides = {one.subject.side for one, _ in kept}
    return Judged(judgement, scorer, bars.of(sides), parts, left_out)


def _texts(judgement: Judgement, kept: Sequence[tuple[Labelled, float]], bars: Bars) -> _Texts:
    labels = np.array([one.labels[judgement.label] for one, _ in kept], np.float64)
    sides = [one.subject.side for one, _ in kept]
    shipped = [bars.shipped[side].risk if side in bars.shipped else math.nan for side in sides]
    return _Texts(
        (labels >= 0.5).astype(np.float64) if judgement.kind == "fault" else labels,
        np.array([risk for _, risk in kept], np.float64),
        np.array(shipped, np.float64),
        np.array([bars.strict.get(side, math.nan) for side in sides], np.float64),
        np.array(
            [math.nan if one.baseline is None else one.baseline for one, _ in kept], np.float64
        ),
    )


def _parts(kept: Sequence[Labelled]) -> Iterator[tuple[str, str, NDArray[np.intp]]]:
    """All texts, then those of each value; a column of one value adds nothing, but for kinds."""
    sources = {one.parts.get("source", "") for one in kept}
    yield "pooled", sources.pop() if len(sources) == 1 else "all", np.arange(len(kept))
    for by in ("source", "kind", "split", "role"):
        values = np.array([one.parts.get(by, "") for one in kept], dtype=object)
        names = Counter(values)
        for name, _ in names.most_common(MOST_PARTS) if len(names) > 1 or by == "kind" else ():
            if name:
                yield by, name, np.flatnonzero(values == name)


def _part(by: str, name: str, judgement: Judgement, texts: _Texts, *, rounds: int) -> Part:
    size = len(texts.labels)
    if not size:
        return Part(by, name, 0, None, {}, (), note="no text has a score")
    curve = metrics.reliability(texts.labels, texts.risks)
    if judgement.kind == "rating":
        figures = intervals(rating_figures(texts.labels, texts.risks), size, rounds=rounds)
        flat = math.isnan(figures["pearson"].value)
        note = "all ratings or all scores are equal" if flat else ""
        return Part(by, name, size, None, figures, curve, note=note)
    bars = {"": texts.shipped, STRICT: texts.strict}
    positives = int(texts.labels.sum())
    return Part(
        by,
        name,
        size,
        positives,
        intervals(fault_figures(texts.labels, texts.risks, bars), size, rounds=rounds),
        curve,
        best_f1_threshold=best_threshold(texts.labels, texts.risks) if positives else None,
        baseline_auroc=_baseline(texts),
        note=_note(texts, positives),
    )


def best_threshold(labels: Floats, risks: Floats) -> float:
    """The highest of the risks that make the best F1 when they are the threshold."""
    order = np.argsort(-risks, kind="stable")
    caught = np.cumsum(labels[order] > 0.5)
    last = np.append(np.diff(risks[order]) != 0, True)
    called = np.flatnonzero(last) + 1
    best = np.argmax(2 * caught[last] / (called + caught[-1]))
    return float(risks[order][last][best])


def _baseline(texts: _Texts) -> float | None:
    if np.isnan(texts.baseline).any():
        return None
    return metrics.auroc(texts.labels, texts.baseline)


def _note(texts: _Texts, positives: int) -> str:
    if positives == 0:
        return "no text has the fault"
    if positives == len(texts.labels):
        return "every text has the fault"
    if np.isnan(texts.strict).any():
        return "the model states no 1% threshold here"
    return ""


def _plain(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(value, 6)
