"""From labelled data to rows: licences, splits, sentences and damage."""

from __future__ import annotations

import random

import pytest

from scorers.training.config import load_config
from scorers.training.corrupt import corrupt, negate, oppose, swap_name, swap_number
from scorers.training.examples import Example, bucket, detokenise, is_allowed
from scorers.training.labelled_rows import claim_labels, toxicity_labelled
from scorers.types import Side, Subject

CONTEXT = "Anna Berg sold 40 boats in May. Carl Lund bought 12 of them, and prices increased."


def reply(text: str, label: float, spans: tuple[tuple[int, int], ...] | None = None) -> Example:
    """A reply to the context with its label."""
    subject = Subject(Side.REPLY, text, context=(CONTEXT,))
    return Example(subject, {"unsupported": label}, "paper", CONTEXT, spans)


@pytest.mark.parametrize(
    ("licence_class", "expected"),
    [("permissive", True), ("share-alike", True), ("non-commercial", False), ("unknown", False)],
)
def test_only_free_licences_are_trained_on(licence_class: str, *, expected: bool) -> None:
    """Nothing non-commercial and nothing without a licence is used."""
    row, allowed = {"source": "s", "license": "L", "split": ""}, load_config().licences

    assert is_allowed(row, {("s", "L"): licence_class}, allowed) is expected


def test_unlisted_licence_is_not_used() -> None:
    """A row whose licence the list of sources lacks is left out."""
    row = {"source": "s", "license": "other", "split": ""}

    assert not is_allowed(row, {}, load_config().licences)


def test_split_depends_on_nothing_but_the_group() -> None:
    """The same group falls on the same side in every run, and groups spread evenly."""
    counts = [bucket(str(at), 1) for at in range(5000)]

    assert bucket("a", 1) == bucket("a", 1)
    assert 0.06 < sum(one < 8 for one in counts) / 5000 < 0.10


def test_tokenised_text_is_joined_again() -> None:
    """The spacing of tokenised corpora is undone."""
    assert detokenise("it 's here , ( is n't it ) ?") == "it's here, (isn't it)?"


def test_spans_label_sentences() -> None:
    """Where spans are annotated, a sentence is at fault when it touches one."""
    text = "Anna Berg sold many boats in May. Carl Lund bought eighty of those boats."
    found = {s: y for _, s, y in claim_labels([reply(text, 1.0, ((51, 57),))])}

    assert list(found.values()) == [0.0, 1.0]


def test_edited_sentence_is_found_beside_the_faithful_reply() -> None:
    """Of an unfaithful reply only the sentences that no faithful one has are at fault."""
    kept, good, bad = (
        "Anna Berg sold 40 boats in May.",
        "Carl Lund bought twelve of them.",
        "Carl Lund bought all of them.",
    )
    found = {
        s: y
        for _, s, y in claim_labels([reply(f"{kept} {good}", 0.0), reply(f"{kept} {bad}", 1.0)])
    }

    assert found == {kept: 0.0, good: 0.0, bad: 1.0}


def test_lone_unfaithful_reply_of_several_sentences_says_nothing() -> None:
    """Without a faithful sibling nobody knows which sentence is at fault."""
    text = "Anna Berg sold 40 boats in May. Carl Lund bought all of those boats."

    assert list(claim_labels([reply(text, 1.0)])) == []


def test_long_bad_texts_are_labelled_softly() -> None:
    """A window of a long bad text may be harmless, so its label is less than sure."""
    example = Example(
        Subject(Side.REPLY, "Some words that go on and on. " * 80), {"harm": 1.0}, "paper", "g"
    )

    rows = toxicity_labelled(example, random.Random(1))

    assert len(rows) == 2
    assert {row.labels["harm"] for row in rows} == {0.85}


@pytest.mark.parametrize("damage", [swap_number, swap_name, negate, oppose, corrupt])
def test_damage_changes_the_sentence(damage: object) -> None:
    """Every kind of damage changes a sentence that has what it damages."""
    sentence = "In May the price was increased by Anna Berg to 40 crowns."

    assert callable(damage)
    changed = damage(sentence, CONTEXT, random.Random(3))

    assert changed is not None
    assert changed != sentence


def test_nothing_to_damage_is_told() -> None:
    """A sentence without numbers, names, opposites or auxiliaries stays as it is."""
    assert corrupt("people sing songs", "people sing songs", random.Random(1)) is None


def test_configuration_names_only_heads_that_scorers_know() -> None:
    """The shipped configuration has the seven heads, and stages that read something."""
    config = load_config()

    known = {"toxic", "harm", "injection", "unsupported", "sycophantic", "view", "expressed"}
    assert set(config.heads) == known
    assert all(stage.tokens > 0 for stage in config.stages)
