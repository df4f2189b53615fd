"""Made examples: sycophantic replies, prompts with a view, and the scale of certainty."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

import pytest

from scorers.training.examples import Example
from scorers.training.made.facts import FACTS
from scorers.training.made.hedging import (
    CLAUSES,
    DISCLAIMERS,
    NOTHING,
    PLAIN,
    hedging,
    lowered,
    stacked,
)
from scorers.training.made.sycophancy import sycophancy
from scorers.training.made.views import views
from scorers.types import Side

MAKERS = [(sycophancy, "sycophantic"), (views, "view"), (hedging, "expressed")]
Maker = Callable[[int, random.Random], list[Example]]


def made(maker: Maker, count: int = 4000, seed: int = 5) -> list[Example]:
    """Examples of one generator."""
    return maker(count, random.Random(seed))


@pytest.mark.parametrize(("maker", "head"), MAKERS)
def test_same_seed_gives_same_examples(maker: Maker, head: str) -> None:
    """The draws depend on nothing but the generator that is passed in."""
    assert made(maker, 300) == made(maker, 300)
    assert made(maker, 300) != made(maker, 300, seed=6)


@pytest.mark.parametrize(("maker", "head"), MAKERS)
def test_examples_are_whole(maker: Maker, head: str) -> None:
    """Every example has a text without open slots, one label in [0, 1] and a group."""
    examples = made(maker)

    assert len(examples) == 4000
    for example in examples:
        assert set(example.labels) == {head}
        assert 0.0 <= example.labels[head] <= 1.0
        assert example.group.startswith("made:")
        for text in (example.subject.text, example.subject.prompt):
            assert "{x}" not in text
            assert "  " not in text
            assert not any(f"{{{slot}}}" in text for slot in ("claim", "who", "a", "s", "pro", "q"))
        assert example.subject.text.strip()


@pytest.mark.parametrize(("maker", "head"), MAKERS[:2])
def test_both_labels_are_frequent(maker: Maker, head: str) -> None:
    """Neither label outnumbers the other by much."""
    share = sum(e.labels[head] >= 0.5 for e in made(maker)) / 4000

    assert 0.4 <= share <= 0.6


@pytest.mark.parametrize(
    "phrase",
    ["You're right", "I understand.", "Great question!", "I apologize", "Thank you", "I'm sorry",
     "Contrary to what", "**", "That's a brilliant plan!", "It's a masterpiece."],
)  # fmt: skip
def test_a_phrase_does_not_decide(phrase: str) -> None:
    """Politeness, apologies, agreement and praise occur in bending and in honest replies."""
    found = [e.labels["sycophantic"] >= 0.5 for e in made(sycophancy, 8000)
             if phrase in e.subject.text]  # fmt: skip

    assert len(found) >= 20
    assert 0.08 <= sum(found) / len(found) <= 0.85


def test_length_does_not_decide() -> None:
    """Short and long replies have both labels."""
    by_label = defaultdict(list)
    for example in made(sycophancy):
        by_label[example.labels["sycophantic"] >= 0.5].append(len(example.subject.text))
    means = {label: sum(sizes) / len(sizes) for label, sizes in by_label.items()}

    assert 0.75 <= means[True] / means[False] <= 1.33


def test_same_reply_has_both_labels() -> None:
    """There are replies whose label hangs on the prompt alone."""
    labels = defaultdict(set)
    for example in made(sycophancy, 8000):
        labels[example.subject.text].add(example.labels["sycophantic"] >= 0.5)

    assert sum(len(found) == 2 for found in labels.values()) >= 50


def test_caving_needs_no_phrase_of_agreement() -> None:
    """A bare repetition of the user's wrong claim is sycophantic, the bare right answer is not."""
    wrong = {f"{fact.say(a)}." for fact in FACTS for a in (fact.wrong, fact.third)}
    right = {f"{fact.say(fact.right)}." for fact in FACTS}
    pressed = [e for e in made(sycophancy, 8000) if e.source.endswith(":pressed")]
    caved = [e.labels["sycophantic"] for e in pressed if e.subject.text in wrong]
    held = [e.labels["sycophantic"] for e in pressed if e.subject.text in right]

    assert caved.count(1.0) > 10
    assert held
    assert set(held) == {0.0}


def test_views_are_prompts() -> None:
    """The view head reads prompts; the other two read replies with their prompt."""
    assert {e.subject.side for e in made(views)} == {Side.PROMPT}
    for maker in (sycophancy, hedging):
        assert all(e.subject.side is Side.REPLY and e.subject.prompt for e in made(maker))


def test_passing_on_a_view_is_half_a_view() -> None:
    """What "my professor says" is neither an own view nor none."""
    told = {e.labels["view"] for e in made(views)
            if e.subject.text.lower().startswith("my professor says")}  # fmt: skip

    assert told == {0.5}


def test_scale_falls_from_certainty_to_ignorance() -> None:
    """Markers keep the order that common sense gives them."""
    clauses = dict(CLAUSES)
    ordered = [
        clauses["I'm certain that"], PLAIN, clauses["I'm fairly sure that"],
        clauses["I think that"],
        clauses["it seems that"], clauses["it's possible that"], clauses["my best guess is that"],
        clauses["I doubt that"], clauses["I have no idea, but maybe"],
        dict(NOTHING)["I don't know."],
    ]  # fmt: skip

    assert all(high > low for high, low in pairwise(ordered))


def test_disclaimer_lowers_and_stronger_lowers_more() -> None:
    """A disclaimer never raises a claim."""
    left = dict(DISCLAIMERS)
    mild = lowered(0.7, left["though I'm not a hundred percent sure"])
    strong = lowered(0.7, left["but that's a wild guess"])

    assert 0.7 > mild > strong > 0.0


def test_whole_scale_is_used() -> None:
    """Every fifth of the scale has its share of examples."""
    bins = [0] * 5
    for example in made(hedging):
        bins[min(int(example.labels["expressed"] * 5), 4)] += 1

    assert min(bins) >= 400


def test_content_does_not_tell_certainty() -> None:
    """Answers to the same kind of question are as sure on average, right or wrong."""
    sums: dict[bool, list[float]] = {True: [], False: []}
    for example in made(hedging, 8000):
        fact = next((f for f in FACTS if example.group == f"made:{f.question}"), None)
        if fact and any(a in example.subject.text for a in (fact.right, fact.wrong, fact.third)):
            sums[fact.right in example.subject.text].append(example.labels["expressed"])
    means = [sum(found) / len(found) for found in sums.values()]

    assert means[0] == pytest.approx(means[1], abs=0.05)


def test_verbs_are_written_out() -> None:
    """The participle that a verb carries never shows in a text."""
    texts = [e.subject.text for maker in (views, hedging) for e in made(maker)]

    assert not [text for text in texts if "wrote:" in text or "opened:" in text]
    assert any("have written" in text or "have designed" in text for text in texts)


def test_two_hedges_hedge_more_than_one() -> None:
    """Stacked hedges fall below both; a firm marker lifts a weak one, but not to its own place."""
    assert stacked(0.7, 0.42) < 0.42
    assert 0.42 < stacked(0.97, 0.42) < 0.97
