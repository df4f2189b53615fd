"""The nouns of the scoring room."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from scorers.types import Row, Score, Side, Span, Subject


def test_whole_text_is_judged_by_default() -> None:
    """Without offsets the whole text is to be judged."""
    subject = Subject(Side.REPLY, "All of it.")

    assert (subject.stop, subject.fresh) == (10, "All of it.")


def test_part_of_a_text() -> None:
    """With offsets only the part between them is to be judged."""
    subject = Subject(Side.REPLY, "Old. New. Later.", start=5, end=9)

    assert (subject.stop, subject.fresh) == (9, "New.")


def test_rows_compare_by_value() -> None:
    """Equal rows are one row, and a pair differs from its first text alone."""
    assert {Row("a", "b"), Row("a", "b"), Row("a")} == {Row("a"), Row("a", "b")}


def test_nouns_are_frozen() -> None:
    """A subject cannot be changed after it was made."""
    subject = Subject(Side.PROMPT, "a")

    with pytest.raises(FrozenInstanceError):
        subject.text = "b"  # type: ignore[misc]


def test_score_that_does_not_apply() -> None:
    """A score without risk says why and gives no number."""
    score = Score("faithfulness", Side.REPLY, "m@1", None, reason="no_context")

    assert not score.is_applicable
    assert score.to_dict() == {
        "scorer": "faithfulness",
        "side": "reply",
        "model": "m@1",
        "status": "no_context",
    }


def test_score_without_a_reason() -> None:
    """A score without risk and without reason is `not_applicable`."""
    score = Score("toxicity", Side.PROMPT, "m@1", None)

    assert score.to_dict()["status"] == "not_applicable"


def test_score_as_json() -> None:
    """Risks are rounded to six decimals, and spans are given where there are some."""
    score = Score("toxicity", Side.REPLY, "m@1", 1 / 3, heads={"toxic": 1 / 3})
    spans = Score("f", Side.REPLY, "m@1", 0.5, spans=(Span(0, 4, 2 / 3),))

    assert score.is_applicable
    assert score.to_dict()["risk"] == 0.333333
    assert score.to_dict()["heads"] == {"toxic": 0.333333}
    assert "spans" not in score.to_dict()
    assert spans.to_dict()["spans"] == [{"start": 0, "end": 4, "risk": 0.666667}]
