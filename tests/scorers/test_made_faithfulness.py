"""Made examples of supported and unsupported claims: seeded, marked and even."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from scorers.training.evaluate import novel_share
from scorers.training.examples import Example, by_group
from scorers.training.labelled_rows import claim_labels, faithfulness_labelled
from scorers.training.made.corruptions import corruptions
from scorers.training.made.dialogues import dialogues
from scorers.training.made.faults import Around, roles
from scorers.training.made.kinds import clock
from scorers.training.made.pools import CITIES, COMPANIES, MONTHS, number_word, person
from scorers.training.made.records import records
from scorers.training.made.rewrites import active
from scorers.training.metrics import auroc
from scorers.types import Side, Subject

Maker = Callable[[int, random.Random], list[Example]]


def passages(count: int) -> list[Example]:
    """Short articles with names, numbers, dates, denials and plans."""
    rng, made = random.Random(11), list[Example]()
    for _ in range(count):
        ann, bob, city, firm = person(rng), person(rng), rng.choice(CITIES), rng.choice(COMPANIES)
        few, many, month = rng.randint(2, 12), rng.randint(20, 900), rng.choice(MONTHS)
        text = (
            f"In {month} the owners of {firm} sold {few} boats to {ann}, who lives in {city}. "
            f"However, {bob} did not approve the sale because it was too early for the company. "
            f"The boats, which were built near {rng.choice(CITIES)}, may be used after the summer. "
            f"Most of the {many} workers in {rng.choice(CITIES)} supported {ann} during the talks. "
            f"According to {bob}, sales increased by {rng.randint(2, 40)}% last year, and it "
            f"plans to open {number_word(rng.randint(2, 12))} additional shops in {city}. "
            f"It was founded in {rng.randint(1880, 2015)} by {person(rng)} after a long dispute."
        )
        subject = Subject(Side.REPLY, f"The firm sold {few} boats in {month}.", context=(text,))
        made.append(Example(subject, {"unsupported": 0.0}, "paper", text))
    return made


def claims(count: int, rng: random.Random) -> list[Example]:
    """Claims on made-up articles."""
    return corruptions(passages(count), count, rng)


MAKERS = {"made_records": records, "made_claims": claims, "made_dialogues": dialogues}
made_by = pytest.mark.parametrize(("source", "make"), MAKERS.items(), ids=list(MAKERS))


def told(examples: list[Example]) -> list[tuple[Example, float]]:
    """Every sentence as a reply of its own, with its label."""
    return [
        (Example(Subject(Side.REPLY, text, context=one.subject.context), {}, "", ""), label)
        for group in by_group(examples)
        for one, text, label in claim_labels(group)
    ]


@made_by
def test_same_seed_makes_the_same_examples(source: str, make: Maker) -> None:
    """A seed decides everything; another one makes something else."""
    first = make(40, random.Random(3))

    assert first == make(40, random.Random(3))
    assert first != make(40, random.Random(4))
    assert {e.source for e in first} == {source}
    assert len(first) == 40


@made_by
def test_spans_and_labels_agree(source: str, make: Maker) -> None:
    """A reply is unsupported where a span says so; spans are words of the reply."""
    for one in make(300, random.Random(1)):
        assert one.spans is not None
        assert one.labels == {"unsupported": float(bool(one.spans))}
        assert "[" not in one.subject.text
        for left, right in one.spans:
            part = one.subject.text[left:right]
            assert len(part) >= 4
            assert part == part.strip()


@made_by
def test_both_classes_are_about_even(source: str, make: Maker) -> None:
    """Of the sentences four to six in ten are unsupported."""
    labels = [label for _, label in told(make(400, random.Random(2)))]

    assert 0.4 <= float(np.mean(labels)) <= 0.6


@made_by
def test_new_words_do_not_tell_the_classes_apart(source: str, make: Maker) -> None:
    """The novel-word rule is of little use on made sentences."""
    sentences = told(make(500, random.Random(6)))
    labels = np.array([label for _, label in sentences])

    assert 0.4 <= auroc(labels, np.array([novel_share(one) for one, _ in sentences])) <= 0.66


@made_by
def test_rows_hold_evidence_and_claim(source: str, make: Maker) -> None:
    """Every example becomes rows through the code that serves."""
    rows = faithfulness_labelled(make(20, random.Random(7)), random.Random(7))

    assert len(rows) >= 20
    assert all(row.row.pair and row.row.text.strip() for row in rows)


def test_wrong_parts_are_not_in_the_passage() -> None:
    """A claim on a passage is marked where it departs from it, and faithful ones are not copies."""
    made = claims(400, random.Random(9))
    wrong = [one for one in made if one.spans]
    right = [one for one in made if not one.spans]
    edited = [one for one in right if one.subject.text not in one.subject.context[0]]

    assert all(one.subject.text not in one.subject.context[0] for one in wrong)
    assert len(edited) > 0.6 * len(right)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The opera was written by Ann Lee in 1999.", "Ann Lee wrote the opera in 1999."),
        ("The book that failed was written by Ann Lee.", None),
    ],
)
def test_only_plain_passives_are_turned(sentence: str, expected: str | None) -> None:
    """Who did what to whom stays the same when a sentence is made active."""
    assert active(sentence, random.Random(0)) == expected


def test_linked_names_are_not_swapped() -> None:
    """Names change places where the sentence has a direction, not where it joins them."""
    around = Around("", ("Ann Lee", "Bob Ray"), (), (), (), ())

    assert roles("In spring Ann Lee and Bob Ray came.", around, random.Random(0)) is None
    assert roles("In spring Ann Lee followed Bob Ray.", around, random.Random(0)) == (
        "In spring [Bob Ray] followed [Ann Lee]."
    )


def test_clock_times_are_told_truly() -> None:
    """A time of the data keeps its meaning in every spelling."""
    told = {clock(17 * 60, random.Random(seed)) for seed in range(60)}

    assert told == {"5 PM", "5pm", "5:00 PM", "5:00pm", "17:00"}
