"""The confidence scorer: how sure a reply sounds, held against how likely it is right."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scorers.builtin import Confidence
from scorers.builtin.confidence import with_gap_thresholds
from scorers.builtin.toxicity import toxicity_rows
from scorers.calibration_map import OutcomeMap
from scorers.types import Side, Subject
from tests.scorers.head_maps import head_map, raw_seven_heads, seven_heads

EXPRESSED = 6
LONG = "The answer is beyond any doubt forty-two, as everybody knows. " * 30
SURE = 1 / (1 + math.exp(-4.0))
HALF_RIGHT = OutcomeMap(100, "logistic", (-8.0, 8.0), (0.5, 0.5))


def logits(*expressed: float) -> np.ndarray:
    """One row for each logit of the head."""
    made = np.zeros((len(expressed), 7), np.float32)
    made[:, EXPRESSED] = expressed
    return made


def test_reply_has_the_rows_of_toxicity() -> None:
    """The scorer reads what toxicity reads, so that it costs no pass of its own."""
    scorer = Confidence(seven_heads())

    for subject in (
        Subject(Side.REPLY, LONG, prompt="How much?"),
        Subject(Side.REPLY, LONG, start=500, end=700),
    ):
        assert list(scorer.rows(subject)) == toxicity_rows(subject)


def test_without_outcomes_there_is_no_risk() -> None:
    """How sure it sounds is told, and that nobody knows how likely it is right."""
    scorer = Confidence(seven_heads())
    subject = Subject(Side.REPLY, "It is 42.", served="gpt-x")

    score = scorer.score(subject, scorer.rows(subject), logits(4.0))

    assert (score.risk, score.reason) == (None, "no_outcomes")
    assert score.heads == {"expressed": pytest.approx(SURE, abs=1e-3)}
    assert score.to_dict()["heads"] == {"expressed": pytest.approx(SURE, abs=1e-3)}


def test_token_probabilities_stand_in_for_outcomes() -> None:
    """Without a map the chance of being right is the tokens' geometric mean probability."""
    scorer = Confidence(seven_heads())
    subject = Subject(Side.REPLY, "It is 42.", logprobs=(math.log(0.9), math.log(0.4)))

    score = scorer.score(subject, scorer.rows(subject), logits(4.0))

    assert score.risk == pytest.approx(SURE - 0.6, abs=1e-3)
    assert score.heads == {
        "expressed": pytest.approx(SURE, abs=1e-3),
        "tokens": pytest.approx(0.6),
        "likely": pytest.approx(0.6),
        "overconfident": score.risk,
    }


def test_map_of_the_served_model_counts() -> None:
    """The map is that of the model which wrote the reply; another model's is not used."""
    scorer = Confidence(seven_heads(), {"gpt-x": HALF_RIGHT})
    own = Subject(Side.REPLY, "It is 42.", served="gpt-x", logprobs=(0.0,))
    other = Subject(Side.REPLY, "It is 42.", served="gpt-y")
    rows = scorer.rows(own)

    assert scorer.score(own, rows, logits(4.0)).risk == pytest.approx(SURE - 0.5, abs=1e-3)
    assert scorer.score(other, rows, logits(4.0)).risk is None


def test_new_maps_count_at_once() -> None:
    """Whoever holds the maps may put one in while the scorer serves."""
    maps: dict[str, OutcomeMap] = {}
    scorer = Confidence(seven_heads(), maps)
    subject = Subject(Side.REPLY, "It is 42.", served="gpt-x")
    maps["gpt-x"] = HALF_RIGHT

    assert scorer.score(subject, scorer.rows(subject), logits(4.0)).risk is not None


def test_modesty_is_no_fault() -> None:
    """A reply that sounds less sure than it is likely right has the risk 0."""
    scorer = Confidence(seven_heads(), {"gpt-x": HALF_RIGHT})
    subject = Subject(Side.REPLY, "Perhaps 42?", served="gpt-x")

    assert scorer.score(subject, scorer.rows(subject), logits(-4.0)).risk == 0.0


def test_expressed_is_the_mean_of_its_windows_by_length() -> None:
    """A long window weighs more than a short one."""
    scorer = Confidence(seven_heads())
    subject = Subject(Side.REPLY, LONG, prompt="How much?")
    rows = scorer.rows(subject)
    lengths = np.array([len(row.pair or "") for row in rows])
    said = logits(*([4.0] + [-4.0] * (len(rows) - 1)))

    found = scorer.score(subject, rows, said).heads["expressed"]

    assert len(rows) > 2
    expected = (SURE * lengths[0] + (1 - SURE) * lengths[1:].sum()) / lengths.sum()
    assert found == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        (Subject(Side.REPLY, "  "), "empty"),
        (Subject(Side.REPLY, "{}", is_speech=False), "not_speech"),
    ],
)
def test_where_it_does_not_apply(subject: Subject, reason: str) -> None:
    """No text and a tool's arguments do not sound like anything."""
    scorer = Confidence(seven_heads())

    assert not scorer.rows(subject)
    assert scorer.score(subject, [], logits()).reason == reason
    assert scorer.heads == ("expressed",)


def test_thresholds_of_the_gap_without_maps() -> None:
    """A gap is never above how sure a reply sounds, so that head's thresholds keep the rate."""
    heads = with_gap_thresholds(seven_heads(), {})

    assert heads.threshold(["overconfident"], Side.REPLY, 0.05) == 0.7


def test_thresholds_of_the_gap_from_maps() -> None:
    """The highest of the served models' thresholds holds, so that the rate does for each."""
    table = {"fpr": (0.01, 0.05), "outcomes": 9, "kind": "logistic", "x": (0.0,), "y": (0.5,)}
    maps = {
        "a": OutcomeMap(**table, risk=(0.6, 0.2)),  # type: ignore[arg-type]
        "b": OutcomeMap(**table, risk=(0.5, 0.3)),  # type: ignore[arg-type]
    }
    heads = with_gap_thresholds(seven_heads(), maps)

    assert heads.threshold(["overconfident"], Side.REPLY, 0.01) == 0.6
    assert heads.threshold(["overconfident"], Side.REPLY, 0.05) == 0.3


def test_thresholds_that_ship_are_kept() -> None:
    """A model's own table for the gap is not replaced by a guess."""
    raw = raw_seven_heads()
    raw["thresholds"]["reply"]["overconfident"] = {"fpr": [0.05], "risk": [0.4]}

    heads = with_gap_thresholds(head_map(**raw), {})

    assert heads.threshold(["overconfident"], Side.REPLY, 0.05) == 0.4


def test_model_without_the_scorer_gets_no_thresholds() -> None:
    """Where there is no confidence scorer nothing is added."""
    assert with_gap_thresholds(head_map(), {"a": HALF_RIGHT}).thresholds == head_map().thresholds


def test_the_gap_speaks_on_replies_only() -> None:
    """A head that a scorer works out itself has something to say where its scorer has."""
    heads = seven_heads()

    assert heads.has("overconfident", Side.REPLY)
    assert not heads.has("overconfident", Side.PROMPT)
    assert not heads.has("nothing", Side.REPLY)
