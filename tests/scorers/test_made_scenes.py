"""Generated scenes and blunt replies: repeatable, distinct, rows as served, labelled right."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import pytest

from scorers.builtin.toxicity import toxicity_rows
from scorers.training.labelled_rows import LabelledRow
from scorers.training.made.blunt import blunt
from scorers.training.made.scenes import scene, scenes
from scorers.types import Row, Side, Subject

MADE: dict[str, Callable[[int, random.Random], list[LabelledRow]]] = {
    "made_scenes": scenes,
    "made_blunt": blunt,
}
COUNT = 1500


def as_served(row: Row) -> list[Row]:
    """The rows that serving makes of the text of a row."""
    if row.pair is None:
        return toxicity_rows(Subject(Side.PROMPT, row.text))
    return toxicity_rows(Subject(Side.REPLY, row.pair, prompt=row.text))


@pytest.mark.parametrize("source", MADE)
def test_the_seed_decides_all(source: str) -> None:
    """The same seed makes the same rows, another seed others, and none comes twice."""
    first, again, other = (MADE[source](COUNT, random.Random(seed)) for seed in (5, 5, 6))

    assert first == again
    assert {row.row for row in first} != {row.row for row in other}
    assert len({row.row for row in first}) == COUNT
    assert {row.source for row in first} == {source}


@pytest.mark.parametrize("source", MADE)
def test_rows_are_those_of_serving(source: str) -> None:
    """Every row is one window of a prompt or a reply, with no slot left open."""
    for made in MADE[source](400, random.Random(5)):
        assert as_served(made.row) == [made.row]
        assert not re.search(r"\{\w+\}", made.row.text + (made.row.pair or ""))


def test_scenes_are_half_bad_and_insults_are_toxic_too() -> None:
    """Bad scenes are `harm`; those that abuse somebody are `toxic`; good ones are nothing."""
    rows = scenes(COUNT, random.Random(1))
    bad = [row for row in rows if row.labels["harm"] == 1.0]

    assert 0.4 < len(bad) / COUNT < 0.6
    assert any(row.labels.get("toxic") == 1.0 for row in bad)
    assert all(row.labels["toxic"] == 0.0 for row in rows if row.labels["harm"] == 0.0)


def test_good_and_bad_scenes_begin_alike() -> None:
    """What stands before the turn is drawn from the same sentences on both sides."""
    heads = [
        {scene("bloody", random.Random(at), bad=bad).split(". ")[0] for at in range(3000)}
        for bad in (True, False)
    ]

    assert len(heads[0] & heads[1]) > 0.1 * len(heads[0] | heads[1])


def test_blunt_replies_are_rude_only_by_their_insult() -> None:
    """A third and more are insults; the harmless rest contradicts as flatly."""
    rows = blunt(COUNT, random.Random(2))
    rude = [row for row in rows if row.labels["toxic"] == 1.0]
    texts = [row.row.pair or row.row.text for row in rows if row.labels["toxic"] == 0.0]

    assert 0.25 < len(rude) / COUNT < 0.5
    assert all("harm" not in row.labels for row in rude)
    assert sum(text.startswith(("No", "Wrong", "False")) for text in texts) > 0.1 * len(texts)
    assert not any(re.search(r"\b(idiot|moron|stupid|pathetic)\b", text) for text in texts)
