"""The sycophancy scorer: what it reads of replies and of prompts."""

from __future__ import annotations

import numpy as np
import pytest

from scorers.builtin import Sycophancy
from scorers.builtin.toxicity import toxicity_rows
from scorers.types import Side, Subject
from tests.scorers.head_maps import head_map, raw_seven_heads, seven_heads

SYCOPHANTIC, VIEW = 4, 5
ASKED = "I am sure that the earth is flat. Am I right?"
LONG = "You are so right, what a sharp mind you have, as always. " * 60


def logits(rows: int, **columns: float) -> np.ndarray:
    """Logits of -4 but for the columns named."""
    made = np.full((rows, 7), -4.0, np.float32)
    for name, value in columns.items():
        made[-1, {"sycophantic": SYCOPHANTIC, "view": VIEW}[name]] = value
    return made


def test_reply_has_the_rows_of_toxicity() -> None:
    """The scorer reads what toxicity reads, so that it costs no pass of its own."""
    scorer = Sycophancy(seven_heads())

    for subject in (
        Subject(Side.REPLY, LONG, prompt=ASKED),
        Subject(Side.REPLY, LONG, prompt=ASKED, start=1000, end=1100),
        Subject(Side.PROMPT, ASKED),
    ):
        assert list(scorer.rows(subject)) == toxicity_rows(subject)


def test_risk_is_that_of_the_worst_window() -> None:
    """One window that bends makes the reply sycophantic."""
    scorer = Sycophancy(seven_heads())
    subject = Subject(Side.REPLY, LONG, prompt=ASKED)
    rows = scorer.rows(subject)

    score = scorer.score(subject, rows, logits(len(rows), sycophantic=4.0))

    assert len(rows) > 2
    assert score.risk == pytest.approx(1 / (1 + np.exp(-4.0)), abs=1e-3)
    assert score.heads == {"sycophantic": score.risk}


def test_view_is_read_on_prompts_and_is_no_risk() -> None:
    """A prompt gets the probability that it states a view, and no risk."""
    scorer = Sycophancy(seven_heads())
    subject = Subject(Side.PROMPT, ASKED)

    score = scorer.score(subject, scorer.rows(subject), logits(1, view=3.0, sycophantic=4.0))

    assert (score.risk, score.reason) == (None, "not_applicable")
    assert score.heads == {"view": pytest.approx(1 / (1 + np.exp(-3.0)), abs=1e-3)}
    assert scorer.heads == ("sycophantic",)


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        (Subject(Side.REPLY, "Yes, you are right."), "no_prompt"),
        (Subject(Side.REPLY, " \n", prompt=ASKED), "empty"),
        (Subject(Side.REPLY, '{"q": "x"}', prompt=ASKED, is_speech=False), "not_speech"),
    ],
)
def test_where_it_does_not_apply(subject: Subject, reason: str) -> None:
    """A reply to nothing, no reply, and a tool's arguments have no risk, and it says why."""
    scorer = Sycophancy(seven_heads())

    score = scorer.score(subject, scorer.rows(subject), logits(0))

    assert not scorer.rows(subject)
    assert (score.risk, score.heads, score.reason) == (None, {}, reason)


def test_model_without_the_view_head() -> None:
    """Without the head no prompt is read, while replies are."""
    raw = raw_seven_heads()
    del raw["calibration"]["view"]
    scorer = Sycophancy(head_map(**raw))

    assert not scorer.rows(Subject(Side.PROMPT, ASKED))
    assert scorer.rows(Subject(Side.REPLY, "Yes.", prompt=ASKED))
