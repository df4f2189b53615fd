"""The faithfulness scorer: claims, evidence, and risks of sentences and replies."""

from __future__ import annotations

import numpy as np
import pytest

from scorers.builtin import Faithfulness
from scorers.builtin.evidence import evidence
from scorers.builtin.faithfulness import claim_spans, claim_text, claims
from scorers.types import Side, Subject
from tests.scorers.head_maps import head_map, raw_heads

TOWER = "The tower was built in 1889 by Gustave Eiffel. It is 330 metres tall."
FILLER = "Rivers carry sand and silt towards the sea over many thousand years. " * 30


def subject(text: str, *, prompt: str = "", context: tuple[str, ...] = (TOWER,)) -> Subject:
    """A reply with its context."""
    return Subject(Side.REPLY, text, prompt=prompt, context=context)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (subject("A reply.", context=()), "no_context"),
        (subject("A reply.", context=("  ",)), "no_context"),
        (subject(" "), "empty"),
    ],
)
def test_not_applicable_without_context_or_text(given: Subject, reason: str) -> None:
    """Without evidence or without text there is no risk, and the reason is told."""
    scorer = Faithfulness(head_map())

    score = scorer.score(given, scorer.rows(given), np.zeros((0, 4), np.float32))

    assert (score.risk, score.reason) == (None, reason)


def test_prompts_are_not_judged() -> None:
    """The scorer has nothing to say on the prompt side."""
    given = Subject(Side.PROMPT, "A text.", context=(TOWER,))

    assert list(Faithfulness(head_map()).rows(given)) == []


def test_each_sentence_is_held_against_evidence() -> None:
    """Every sentence of the reply is the second text of a row, the context the first."""
    given = subject("The tower was built in 1889. It stands in the middle of Berlin.")
    rows = Faithfulness(head_map()).rows(given)

    assert [row.pair for row in rows] == [
        "The tower was built in 1889.",
        "It stands in the middle of Berlin.",
    ]
    assert {row.text for row in rows} == {TOWER}


def test_evidence_is_found_in_a_long_context() -> None:
    """The window that holds the facts is picked out of a long context."""
    context = (FILLER, f"{FILLER} {TOWER} {FILLER}")
    [claim] = claims(subject("The tower was built by Gustave Eiffel.", context=context))

    assert "Gustave Eiffel" in claim.rows[0].text
    assert all(len(row.text) < 900 for row in claim.rows)


def test_short_fragments_join_their_neighbour() -> None:
    """A fragment is judged with the sentence beside it, and nothing is lost."""
    text = "Yes. The tower was built in 1889. Right."

    assert claim_spans(text, 0, len(text)) == [(0, len(text))]


def test_bare_answer_is_put_behind_its_question() -> None:
    """A short answer is read with the question that it answers, a long one without."""
    assert claim_text("Is it tall?", "Yes.") == "Is it tall? Yes."
    assert claim_text("Is it tall?", "It is" + " very" * 20) == "It is" + " very" * 20


def test_reply_is_as_bad_as_its_worst_sentence_and_spans_name_it() -> None:
    """One unsupported sentence makes the reply unsupported and comes back as its span."""
    scorer = Faithfulness(head_map())
    given = subject("The tower was built in 1889. It stands in the middle of Berlin.")

    score = scorer.score(given, scorer.rows(given), _column([-3.0, 3.0]))

    assert score.risk == pytest.approx(1 / (1 + np.exp(-3.0)), abs=1e-3)
    [span] = score.spans
    assert given.text[span.start : span.end] == "It stands in the middle of Berlin."


def test_sentence_takes_its_best_evidence() -> None:
    """A sentence that one piece of evidence supports is supported."""
    scorer = Faithfulness(head_map())
    given = subject("Gustave Eiffel saw sand on the tower.", context=(f"{TOWER} {FILLER} {TOWER}",))
    rows = scorer.rows(given)

    score = scorer.score(given, rows, _column([4.0] * (len(rows) - 1) + [-4.0]))

    assert len(rows) > 1
    assert score.evidence_windows > 1
    assert score.risk is not None
    assert score.risk < 0.05


def test_only_the_fresh_part_is_judged() -> None:
    """Claims of a stream's part lie within it and are offsets into the whole text."""
    text = "The tower was built in 1889. It stands in the middle of Berlin."
    given = Subject(Side.REPLY, text, context=(TOWER,), start=28)
    [claim] = claims(given)

    assert text[claim.start : claim.end] == "It stands in the middle of Berlin."


def test_novelty_counts_what_the_context_lacks() -> None:
    """New words, numbers and names are counted apart, written either way."""
    found = evidence((TOWER,))
    assert found is not None

    same, new = found.novelty("The tower is 330 metres tall."), found.novelty("In 1925, Berlin.")

    assert (same.words, same.numbers, same.names) == (0.0, 0.0, 0.0)
    assert (new.numbers, new.names) == (1.0, 1.0)


def test_novelty_moves_the_risk_by_the_models_blend() -> None:
    """A blend adds the weighted novelty to the head's logit."""
    given = subject("The tower was built in 1925.")
    plain = Faithfulness(head_map())
    blended = Faithfulness(head_map(blends={"unsupported": {"numbers": 2.0}}))
    logits = _column([0.0])

    low = plain.score(given, plain.rows(given), logits).risk
    high = blended.score(given, blended.rows(given), logits).risk

    assert low == pytest.approx(0.5, abs=1e-3)
    assert high == pytest.approx(1 / (1 + np.exp(-2.0)), abs=1e-3)


def test_number_of_claims_moves_the_reply_but_not_its_sentences() -> None:
    """A weight on the number of claims lowers a long reply's risk and leaves its spans alone."""
    given = subject("The tower was built in 1889. It stands in the middle of Berlin.")
    scorer = Faithfulness(head_map(blends={"unsupported": {"claims": -1.0}}))

    score = scorer.score(given, scorer.rows(given), _column([-3.0, 3.0]))

    assert score.risk == pytest.approx(1 / (1 + np.exp(-3.0 + np.log(2))), abs=1e-3)
    assert score.spans[0].risk == pytest.approx(1 / (1 + np.exp(-3.0)), abs=1e-3)


def test_long_reply_has_a_map_of_its_own() -> None:
    """From the third claim on another calibration holds, where the model has one."""
    short = subject("The tower was built in 1889. It stands in the middle of Berlin.")
    long = subject(short.text + " It was painted by three hundred men in one summer.")
    raw = raw_heads()["calibration"]
    never = {"kind": "platt", "x": [-20.0, 20.0], "y": [0.25, 0.25]}
    own = head_map(calibration=raw | {"unsupported": raw["unsupported"] | {"long": never}})
    without, scorer = Faithfulness(head_map()), Faithfulness(own)

    def risk(given: Subject, by: Faithfulness) -> float | None:
        rows = by.rows(given)
        return by.score(given, rows, _column([3.0] * len(rows))).risk

    assert risk(short, scorer) == risk(short, without)
    assert risk(long, without) == pytest.approx(1 / (1 + np.exp(-3.0)), abs=1e-3)
    assert risk(long, scorer) == 0.25


def _column(values: list[float]) -> np.ndarray:
    logits = np.zeros((len(values), 4), np.float32)
    logits[:, 3] = values
    return logits
