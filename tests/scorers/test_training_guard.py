"""Training leaves out what a benchmark judges, and what is nearly that."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scorers.training.examples import Example
from scorers.training.guard import Guard
from scorers.types import Side, Subject

PREMISE = "A woman with red hair and a silver necklace holds a telephone in a busy street."
CLAIM = "She is calling her husband."


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    """A guard over one grounded and one toxicity benchmark."""
    rows = {
        "faithfulness": [{"context": PREMISE, "response": CLAIM}],
        "toxicity": [{"text": "You are a thoroughly wicked person, said the clown."}],
    }
    for task, found in rows.items():
        folder = tmp_path / task / "benchmarks"
        folder.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(found), folder / "b.parquet")
    return Guard(tmp_path)


def grounded(context: str, text: str) -> Example:
    """A labelled claim with its context."""
    return Example(Subject(Side.REPLY, text, context=(context,)), {"unsupported": 1.0}, "s", "g")


def lone(text: str) -> Example:
    """A labelled prompt."""
    return Example(Subject(Side.PROMPT, text), {"toxic": 1.0}, "s", "g")


def test_same_claim_beside_an_edited_context_is_measured(guard: Guard) -> None:
    """A counterfactual edit of a benchmark's context does not make the row a new one."""
    edited = PREMISE.replace("red", "dark").replace("telephone", "coat")

    assert guard.is_measured(grounded(PREMISE, "she is calling her husband"))
    assert guard.is_measured(grounded(edited, CLAIM))
    assert guard.is_measured(grounded("A woman with red hair holds a telephone.", CLAIM))
    assert not guard.is_measured(grounded("Two men carry a ladder through the garden.", CLAIM))
    assert not guard.is_measured(grounded(PREMISE, "She is selling flowers."))


def test_texts_without_context_are_compared_whole(guard: Guard) -> None:
    """Case and punctuation make no difference; other texts pass."""
    assert guard.is_measured(lone("you are a thoroughly WICKED person said the clown"))
    assert not guard.is_measured(lone("You are a thoroughly kind person, said the clown."))
