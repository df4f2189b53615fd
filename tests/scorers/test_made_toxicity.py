"""Generated abuse, danger and attacks: repeatable, balanced, distinct, in words that both share."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from scorers.builtin.toxicity import toxicity_rows
from scorers.training.labelled_rows import LabelledRow
from scorers.training.made.abuse import abuse
from scorers.training.made.attacks import attacks
from scorers.training.made.danger import danger
from scorers.training.made.grammar import Grammar, respelt
from scorers.types import Side, Subject

DOCUMENTS = (
    "The ferry leaves at nine. Bicycles cost four crowns more. Dogs travel for free. " * 3,
    "Dear all,\nthe boiler was repaired on Monday. Hot water is back.\nRegards, the office",
    "Quarterly sales rose by 4%. The north did best, with boats and oars. " * 40,
)
MADE: dict[str, Callable[[int, random.Random], list[LabelledRow]]] = {
    "made_abuse": abuse,
    "made_danger": danger,
    "made_attacks": partial(attacks, documents=DOCUMENTS),
}
HEAD = {"made_abuse": "toxic", "made_danger": "harm", "made_attacks": "injection"}
COUNT = 1500


def is_bad(row: LabelledRow) -> bool:
    """Whether any head of the row is at fault."""
    return max(row.labels.values()) >= 0.5


def words(rows: list[LabelledRow]) -> Counter[str]:
    """In how many of the rows each word stands."""
    return Counter(w for row in rows for w in set(re.findall(r"[a-z']+", row.row.text.lower())))


@pytest.mark.parametrize("source", MADE)
def test_the_seed_decides_all(source: str) -> None:
    """The same seed makes the same rows, another seed others."""
    first, again, other = (MADE[source](200, random.Random(seed)) for seed in (5, 5, 6))

    assert first == again
    assert {row.row for row in first} != {row.row for row in other}


@pytest.mark.parametrize("source", MADE)
def test_half_of_the_rows_are_bad(source: str) -> None:
    """All rows asked for come back, as many bad ones as good ones, under the right name."""
    rows = MADE[source](COUNT, random.Random(1))

    assert len(rows) == COUNT
    assert sum(is_bad(row) for row in rows) == COUNT // 2
    assert {row.source for row in rows} == {source}


@pytest.mark.parametrize("source", MADE)
def test_good_rows_clear_the_head_that_bad_rows_accuse(source: str) -> None:
    """The head that a module is for is known in nearly all its rows, and in all good ones."""
    rows = MADE[source](COUNT, random.Random(1))
    head = HEAD[source]

    assert all(row.labels[head] == 0.0 for row in rows if not is_bad(row))
    assert sum(row.labels.get(head) == 1.0 for row in rows) > 0.45 * COUNT


@pytest.mark.parametrize("source", MADE)
def test_no_text_comes_twice(source: str) -> None:
    """No two texts are the same but for case and punctuation, nor does any keep an open choice."""
    texts = [row.row.text for row in MADE[source](COUNT, random.Random(2))]
    keys = {re.sub(r"\W+", " ", text.lower()) for text in texts}

    assert len(keys) == COUNT
    assert not any(re.search(r"\{[a-z_]+\}|\{[^{}\"]*\|", text) for text in texts)


@pytest.mark.parametrize("source", MADE)
def test_both_sides_use_the_same_words(source: str) -> None:
    """Of the words in common use, few stand on one side only."""
    rows = MADE[source](4000, random.Random(3))
    bad = words([row for row in rows if is_bad(row)])
    good = words([row for row in rows if not is_bad(row)])
    common = [word for word, times in (bad + good).items() if times >= 30]
    lopsided = [w for w in common if min(bad[w], good[w]) < 0.02 * (bad[w] + good[w])]

    assert len(lopsided) / len(common) < 0.08


@pytest.mark.parametrize("source", MADE)
def test_openings_differ(source: str) -> None:
    """The first four words are varied, so that no frame is learnt by heart."""
    rows = MADE[source](COUNT, random.Random(4))
    openings = {" ".join(row.row.text.lower().split()[:4]) for row in rows}

    assert len(openings) > 0.33 * COUNT


@pytest.mark.parametrize("source", MADE)
def test_rows_are_those_of_serving(source: str) -> None:
    """Every row is a single window of a prompt, as serving cuts it."""
    for made in MADE[source](400, random.Random(5)):
        assert toxicity_rows(Subject(Side.PROMPT, made.row.text)) == [made.row]


def test_planted_commands_stand_in_the_documents() -> None:
    """Attacks are planted in the documents that are given, which also come untouched."""
    rows = attacks(600, random.Random(6), DOCUMENTS)
    ferries = [row for row in rows if "ferry leaves" in row.row.text]

    assert {is_bad(row) for row in ferries} == {True, False}
    assert any(row.row.text in DOCUMENTS[0] for row in ferries)


def test_attacks_need_no_documents() -> None:
    """Without documents the generator falls back on its own."""
    assert len(attacks(100, random.Random(7), ())) == 100


def test_choices_nest() -> None:
    """A choice may stand in a choice, and a bound name is the same all over."""
    grammar = Grammar({"who": ("a {old} aunt",), "old": ("old",)})

    assert grammar.expand("{who} met {x|x}, {y} and {y}.", random.Random(1), y="Bo") == (
        "An old aunt met x, Bo and Bo."
    )


def test_spelling_varies() -> None:
    """Most texts stay as they are, and many spellings appear."""
    rng = random.Random(8)
    made = Counter(respelt("Somebody should water the plants.", rng) for _ in range(300))

    assert made["Somebody should water the plants."] > 150
    assert len(made) > 40
