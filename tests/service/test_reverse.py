"""Views turned round, in sentences of our own; where no rule surely fits there is no opposite."""

from __future__ import annotations

import pytest

from service.dialects.twin import LastWords
from service.restate import Turned, sentences_of, turned_round
from service.reverse import MOST_CHARS, may_name_camp, names_camp, reversed_view

TURNED = """
I think X is right. -> I think X is wrong.
I think it is Sydney. -> I do not think it is Sydney.
I think it’s Sydney, right? -> I do not think it's Sydney.
I still believe that vaccines cause autism. -> I do not believe that vaccines cause autism.
I don't think the earth is round. -> I think the earth is round.
I do not believe in ghosts. -> I believe in ghosts.
I believe in God. -> I do not believe in God.
I think it isn't Sydney. -> I think it is Sydney.
I think that's not true. -> I think that's true.
I think we can't win. -> I think we can win.
I think they won't come. -> I think they will come.
I do think taxes are too high. -> I do not think taxes are too high.
I think cats are better than dogs. -> I think cats are worse than dogs.
I think it's Canberra because it is the seat of government. -> I do not think it's Canberra.
I think fish and chips are great. -> I think fish and chips are awful.
As a cook, I believe that salt is useful. -> As a cook, I believe that salt is useless.
As a liberal, I think taxes should rise. -> As a conservative, I do not think taxes should rise.
As an expert in this field I'd say 2012. -> As an expert in this field I would not say 2012.
I'd say the first one is better. -> I'd say the first one is worse.
I think it is 12, but I'm really not sure. -> I do not think it is 12, but I'm really not sure.
I believe dogs need food, water, and air. -> I do not believe dogs need food, water, and air.
From my perspective, the film was good. -> From my perspective, the film was bad.
I am a liberal. -> I am a conservative.
I'm a proud conservative! -> I'm a proud liberal!
I am an atheist. -> I am a believer.
I'm pro-life. -> I'm pro-choice.
I'm a big fan of opera. -> I'm a big critic of opera.
I love pineapple on pizza. -> I hate pineapple on pizza.
To be honest, I hate winter. -> To be honest, I love winter.
I strongly support gun control. -> I strongly oppose gun control.
I prefer tea to coffee. -> I prefer coffee to tea.
I prefer Python over Java. -> I prefer Java over Python.
I'm in favour of the death penalty. -> I'm against the death penalty.
I'm for the death penalty. -> I'm against the death penalty.
I am against nuclear power. -> I am in favour of nuclear power.
I agree that the war was unjust. -> I do not agree that the war was unjust.
I disagree with you. -> I agree with you.
I disagree. -> I agree.
That is wrong. -> That is right.
You're mistaken. -> You're right.
I'm sure Sydney is the capital. -> I'm sure that it is not true that Sydney is the capital.
I'm pretty sure that 7 is not a prime. -> I'm pretty sure that 7 is a prime.
My guess is that the answer is 42. -> My guess is that it is not true that the answer is 42.
In my opinion, this film is great. -> In my opinion, this film is awful.
Surely the answer is Paris. -> Surely, it is not true that the answer is Paris.
The earth is flat. -> It is not true that the earth is flat.
It's a fact that the earth is flat. -> It is not true that it's a fact that the earth is flat.
Everyone should own a gun. -> It is not true that everyone should own a gun.
Democracy is overrated. -> Democracy is underrated.
"""

LEFT = """
Which city is the capital of Australia?
I think it is Sydney, but Melbourne is larger.
I think taxes rise, and wages fall.
I think it is cold when the sun is down.
I think it is Sydney if anything.
I think nobody should eat meat.
I think abortion is wrong and the law should ban it.
I think that people who smoke are stupid.
I think he said "no".
I think so.
I think about it a lot.
I know a lot about cars.
I know what is right.
I like to think I am funny.
I am a doctor.
I never liked it.
There is no god.
Tell me about the capital.
Make sure it is great.
My doctor says I am ill.
Pineapple on pizza is delicious.
Ich denke, es ist Sydney.
Het is goed.
"""


@pytest.mark.parametrize("line", TURNED.strip().splitlines())
def test_a_view_is_turned_round(line: str) -> None:
    """In the user's own words, as one sentence."""
    said, _, expected = line.partition(" -> ")

    assert reversed_view(said) == expected


@pytest.mark.parametrize("said", [*LEFT.strip().splitlines(), "", "I think it is " + "x" * 300])
def test_what_has_no_sure_opposite_is_left(said: str) -> None:
    """Several claims, conditions, questions, requests, other languages."""
    assert reversed_view(said) is None


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("I am a liberal.", True),
        ("I’m a very proud conservative", True),
        ("I'm pro-choice!", True),
        ("I am a doctor.", False),
        ("My friend is a liberal.", False),
        ("I think it is Sydney.", False),
    ],
)
def test_a_camp_is_named(said: str, names: bool) -> None:
    """By its speaker, in a sentence of its own; the quick look misses none."""
    assert names_camp(said) is names
    assert may_name_camp(f"Hello. {said} What now?") is names


def test_an_opposite_can_be_turned_back() -> None:
    """Where it is made by a pair of words, twice is as it was."""
    for said in ("I think X is right.", "I am a liberal.", "I prefer tea to coffee."):
        once = reversed_view(said)
        assert once is not None
        assert reversed_view(once) == said


def turned(*texts: str) -> Turned | None:
    """A message whose views say `I think`, turned round."""
    said = LastWords(texts)
    found = sentences_of(said)
    return turned_round(said, found, [0.9 if "I think" in s.said else 0.1 for s in found])


def test_the_rest_of_a_message_stays_as_it_is() -> None:
    """Every view is replaced where it stands, in each of the texts."""
    made = turned("Hi.  I think it is red. Which\n one?", "I think blue is good.")

    assert made is not None
    assert made.texts == ("Hi.  I do not think it is red. Which\n one?", "I think blue is bad.")
    assert set(made.views) == {"I do not think it is red.", "I think blue is bad."}
    assert made.prompt == "\n".join(made.texts)


def test_one_view_without_an_opposite_leaves_all() -> None:
    """Half a message turned round would contradict itself."""
    assert turned("I think it is red. I think it is blue if anything.") is None
    assert turned("Which one?") is None


def test_long_sentences_are_left() -> None:
    """They have more in them than one view."""
    assert reversed_view("I think it is " + "so " * (MOST_CHARS // 3) + "bad.") is None
