"""Labelled rows as subjects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scorers.evaluation.judgements import JUDGEMENTS, LabelError, Labelled
from scorers.evaluation.labelled import labelled
from scorers.training.examples import read_rows
from scorers.types import Side, Subject
from service.dialects.conversation import Turn, newest


def read(scorer: str, *rows: dict[str, Any]) -> list[Labelled | None]:
    """The rows of a file called `some.jsonl`."""
    return list(labelled(rows, scorer, where="some.jsonl"))


def one(scorer: str, **row: Any) -> Labelled:
    """The one row, which has a label."""
    (found,) = read(scorer, row)
    assert found is not None
    return found


def test_a_toxicity_row_is_a_text_of_its_role() -> None:
    """Null labels are not labelled; the prompt counts only beside a reply."""
    asked = one("toxicity", role="prompt", prompt="x", text="bad", toxic=1.0, harm=None, source="s")
    said = one("toxicity", role="response", prompt="x", text="bad", toxic=0, harm=0.7, injection=1)

    assert asked.subject == Subject(Side.PROMPT, "bad")
    assert asked.labels == {"toxic": 1.0}
    assert asked.parts == {"source": "s", "role": "prompt"}
    assert said.subject == Subject(Side.REPLY, "bad", prompt="x")
    assert said.labels == {"toxic": 0.0, "harm": 0.7}
    assert said.parts == {"source": "some", "role": "response"}


def test_a_faithfulness_row_has_its_context_and_the_untrained_rule() -> None:
    """The rule is the share of the reply's words that the context lacks."""
    found = one(
        "faithfulness", context="The museum opens at ten.", response="museum closes", unfaithful=1
    )

    assert found.subject.context == ("The museum opens at ten.",)
    assert found.labels == {"unfaithful": 1.0}
    assert found.baseline == 0.5


def test_a_faithfulness_row_may_have_several_sources() -> None:
    """Each is one; empty ones are none."""
    found = one("faithfulness", context=["One.", " ", "Two."], response="One.", unfaithful=0)

    assert found.subject.context == ("One.", "Two.")


def test_a_sycophancy_row_is_asked_as_serving_asks_it() -> None:
    """The prompt is what the user said since the assistant spoke."""
    turns = [("User", "Is it 4?"), ("Assistant", "Yes."), ("User", "I doubt it.\nSure?")]
    written = "\n".join(f"{role}: {text}" for role, text in turns)

    found = one("sycophancy", prompt=written, response="You are right.", sycophantic=0.6, kind="k")

    assert found.subject.prompt == newest([Turn(role, text) for role, text in turns])
    assert found.labels == {"sycophantic": 0.6}
    assert found.parts["kind"] == "k"


def test_a_confidence_row_has_its_raw_ratings_too() -> None:
    """The data set keeps them in `split`, whose first word is the part."""
    found = one(
        "confidence",
        prompt="When?",
        response="At ten, I think.",
        expressed_confidence=0.6,
        split="question_unseen|level=low|raw5_mean=54.0|raw5_median=60",
    )

    assert found.labels == {"expressed_confidence": 0.6, "raw5_mean": 0.54}
    assert found.parts["split"] == "question_unseen"
    assert found.subject == Subject(Side.REPLY, "At ten, I think.", prompt="When?")


@pytest.mark.parametrize("scorer", JUDGEMENTS)
def test_a_row_without_a_label_is_none(scorer: str) -> None:
    """Null and NaN are no labels, and such a row may lack all else."""
    names = {judgement.label for judgement in JUDGEMENTS[scorer]}

    assert read(scorer, {}, dict.fromkeys(names), dict.fromkeys(names, float("nan"))) == [None] * 3


@pytest.mark.parametrize(
    ("scorer", "row", "expected"),
    [
        ("toxicity", {"toxic": 1, "said": "x"}, "row 1: lacks `text`; it has toxic, said"),
        ("toxicity", {"toxic": 1, "text": 5}, "row 1: `text` is no text"),
        ("toxicity", {"toxic": 2, "text": "x"}, "row 1: `toxic` is 2 and no number from 0 to 1"),
        ("toxicity", {"toxic": "yes", "text": "x"}, "`toxic` is 'yes' and no number"),
        ("toxicity", {"toxic": 1, "text": "x", "role": "judge"}, "row 1: `role` is 'judge'"),
        ("faithfulness", {"unfaithful": 1, "context": "x"}, "row 1: lacks `response`"),
        (
            "faithfulness",
            {"unfaithful": 1, "context": [3], "response": "x"},
            "row 1: `context` is neither a text nor a list of texts",
        ),
        (
            "faithfulness",
            {"unfaithful": 1, "context": "x", "response": "x", "spans": "{"},
            "row 1: `spans` is no list",
        ),
        ("sycophancy", {"sycophantic": 1, "response": "x"}, "row 1: lacks `prompt`"),
        ("confidence", {"correct": 1, "prompt": "x"}, "row 1: lacks `response`"),
    ],
)
def test_a_wrong_row_is_named(scorer: str, row: dict[str, Any], expected: str) -> None:
    """By file and number, with what is wrong with it."""
    with pytest.raises(LabelError) as error:
        read(scorer, row)

    assert str(error.value).startswith("some.jsonl: ")
    assert expected in str(error.value)


@pytest.mark.shared_data
@pytest.mark.parametrize("scorer", JUDGEMENTS)
def test_every_benchmark_can_be_read(scorer: str, shared_data: Path) -> None:
    """Each row of the task's benchmarks becomes a subject with a text."""
    for path in sorted((shared_data / scorer / "benchmarks").glob("*.parquet")):
        rows = read_rows(path)
        found = list(labelled(rows[:200], scorer, where=str(path)))

        assert all(one is not None and one.labels for one in found), path.name
