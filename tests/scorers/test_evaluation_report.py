"""Figures by part."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from scorers.builtin import HeadMap
from scorers.evaluation.judgements import Judgement, Labelled
from scorers.evaluation.markdown import markdown
from scorers.evaluation.report import (
    MOST_PARTS,
    STRICT,
    Bar,
    Bars,
    Judged,
    best_threshold,
    judge,
    strict_bars,
)
from scorers.types import Score, Side, Subject
from tests.fakes.tiny_model import write_tiny_model

HALF = Bars({side: Bar(0.5, "one half") for side in Side}, dict.fromkeys(Side, 0.9))
FAULT = Judgement("toxic", "toxic")


def texts(*given: tuple[float, float | None], **parts: str) -> tuple[list[Labelled], list[Score]]:
    """Replies with these labels and risks, all of the same parts."""
    found = [Labelled(Subject(Side.REPLY, "x"), {"toxic": label}, parts) for label, _ in given]
    scores = [
        Score("toxicity", Side.REPLY, "m@1", risk, heads={} if risk is None else {"toxic": risk},
              reason="empty" if risk is None else "")
        for _, risk in given
    ]  # fmt: skip
    return found, scores


def judged(
    *given: tuple[list[Labelled], list[Score]], by: Judgement = FAULT, bars: Bars = HALF
) -> Judged:
    """The figures of these texts together."""
    found = judge(
        by,
        [one for labels, _ in given for one in labels],
        [one for _, scores in given for one in scores],
        scorer="toxicity",
        bars=bars,
        rounds=20,
    )
    assert found is not None
    return found


def test_each_part_has_its_own_figures() -> None:
    """Pooled first, then each source, each kind, and what else has several values."""
    good = texts((1, 0.9), (0, 0.1), source="one", kind="k", split="a")
    bad = texts((1, 0.1), (0, 0.9), source="two", kind="k", split="b")

    found = judged(good, bad)

    assert [(part.by, part.name, part.texts) for part in found.parts] == [
        ("pooled", "all", 4), ("source", "one", 2), ("source", "two", 2),
        ("kind", "k", 4), ("split", "a", 2), ("split", "b", 2),
    ]  # fmt: skip
    values = [part.figures["auroc"].value for part in found.parts]
    assert values == [0.5, 1.0, 0.0, 0.5, 1.0, 0.0]


def test_the_only_source_names_the_pooled_part() -> None:
    """It gets no part of its own."""
    found = judged(texts((1, 0.9), (0, 0.1), source="one", split="a"))

    assert [(part.by, part.name) for part in found.parts] == [("pooled", "one")]


def test_a_column_of_ids_makes_no_part_for_each() -> None:
    """Only the most frequent values do."""
    found = judged(*(texts((1, 0.9), source="s", split=str(at)) for at in range(MOST_PARTS + 9)))

    assert len(found.parts) == 1 + MOST_PARTS


def test_soft_labels_count_from_one_half() -> None:
    """Half of the raters are enough."""
    found = judged(texts((0.5, 0.9), (0.49, 0.1)))

    assert found.parts[0].positives == 1
    assert found.parts[0].figures["brier"].value == pytest.approx(0.01)


def test_texts_without_a_score_are_left_out_and_told() -> None:
    """They count as no risk, least of all as none."""
    found = judged(texts((1, 0.9), (1, None), (0, 0.1)))

    assert found.left_out == {"empty": 1}
    assert found.parts[0].texts == 2


def test_nothing_but_texts_without_a_score_is_told_too() -> None:
    """There is a part without figures."""
    found = judged(texts((1, None)))

    assert (found.parts[0].texts, found.parts[0].note) == (0, "no text has a score")
    assert "no text has a score" in markdown([("set", found)])


def test_a_label_that_nobody_has_is_not_judged() -> None:
    """There is nothing to say."""
    found, scores = texts((1, 0.9))

    assert judge(Judgement("harm", "harm"), found, scores, scorer="toxicity", bars=HALF) is None


@pytest.mark.parametrize(
    ("label", "note"), [(0, "no text has the fault"), (1, "every text has the fault")]
)
def test_one_class_alone_says_so(label: float, note: str) -> None:
    """A dash in the table, null in JSON, and the reason beside it."""
    found = judged(texts((label, 0.9), (label, 0.1)))

    part = json.loads(json.dumps(found.to_dict()))["parts"][0]
    assert part["note"] == note
    assert part["figures"]["auroc"] == {"value": None, "low": None, "high": None}
    assert part["figures"]["brier"]["value"] == pytest.approx(0.41)
    line = markdown([("set", found)]).splitlines()[2]
    assert line.startswith(f"| set | toxicity.toxic → toxic | 2 ({2 * label:.0f}) | – | ")
    assert line.endswith(f"| {note} |")


def test_thresholds_are_those_of_the_text_s_side() -> None:
    """Prompts are called bad from 0.8 on, replies from 0.3."""
    bars = Bars({Side.PROMPT: Bar(0.8, "p"), Side.REPLY: Bar(0.3, "r")}, {Side.PROMPT: 0.1})
    replies, scores = texts((1, 0.5), (0, 0.2))
    prompts = [Labelled(Subject(Side.PROMPT, "x"), {"toxic": label}) for label in (1.0, 0.0)]

    found = judged((replies, scores), (prompts, texts((1, 0.9), (0, 0.5))[1]), bars=bars)
    only = judged((prompts, texts((1, 0.9), (0, 0.5))[1]), bars=bars)

    assert found.parts[0].figures["f1"].value == 1.0
    assert math.isnan(found.parts[0].figures[f"f1_at_{STRICT}"].value)
    assert found.parts[0].note == "the model states no 1% threshold here"
    assert only.parts[0].figures[f"false_positive_rate_at_{STRICT}"].value == 1.0
    assert only.to_dict()["thresholds"] == {"prompt": {"shipped": 0.8, "origin": "p", STRICT: 0.1}}


def test_the_untrained_rule_stands_beside() -> None:
    """Its AUROC over the same texts."""
    found, scores = texts((1, 0.9), (0, 0.1))
    beside = [Labelled(one.subject, one.labels, {}, baseline=0.3) for one in found]

    assert judged((beside, scores)).parts[0].baseline_auroc == 0.5
    assert judged((found, scores)).parts[0].baseline_auroc is None


def test_a_rating_is_a_degree() -> None:
    """It has correlations and a mean error, and no class."""
    found = judged(
        texts((0.1, 0.2), (0.4, 0.5), (0.5, 0.6)), by=Judgement("toxic", "toxic", "rating")
    )

    part = found.parts[0]
    assert (part.positives, set(part.figures)) == (
        None, {"spearman", "pearson", "mean_absolute_error"},
    )  # fmt: skip
    assert part.figures["mean_absolute_error"].value == pytest.approx(0.1)
    assert found.to_dict()["thresholds"] == {}
    assert "| Spearman | Pearson |" in markdown([("set", found)])


def test_the_risk_of_a_score_can_be_judged() -> None:
    """The head `risk` is what the scorer came to."""
    found, _ = texts((1, 0.0))
    score = Score("toxicity", Side.REPLY, "m@1", 0.7, heads={"toxic": 0.1})

    part = judged((found, [score]), by=Judgement("toxic", "risk")).parts[0]

    assert part.figures["brier"].value == pytest.approx(0.09)


@pytest.mark.parametrize(
    ("labels", "risks", "expected"),
    [
        ([0, 1, 1], [0.2, 0.4, 0.6], 0.4),
        ([1, 0, 0], [0.9, 0.9, 0.1], 0.9),
        ([1, 0, 1], [0.9, 0.5, 0.5], 0.5),
    ],
)
def test_the_best_threshold_by_hand(labels: list[int], risks: list[float], expected: float) -> None:
    """From there on texts are called bad; equal risks fall together."""
    assert best_threshold(np.array(labels, np.float64), np.array(risks)) == expected


def test_the_model_s_own_thresholds_are_used(tmp_path: Path) -> None:
    """For one false positive in a hundred, where the side states them."""
    heads = HeadMap.load(write_tiny_model(tmp_path / "tiny"))

    assert strict_bars(heads, "toxicity", "risk") == {Side.PROMPT: 0.9, Side.REPLY: 0.9}
    assert strict_bars(heads, "toxicity", "toxic") == {Side.PROMPT: 0.9, Side.REPLY: 0.9}
