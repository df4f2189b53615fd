"""Which replies are worth imitating."""

from __future__ import annotations

from collections import Counter

import pytest

from storage.exports.base import ExportOptions
from storage.exports.good import good_replies_of
from storage.exports.judgement import PromptGroup
from tests.storage.building import exchange, preference, thumb
from tests.storage.exports.test_judgement import group

GOOD, BAD, MORE = exchange("Good."), exchange("Bad."), exchange("More.")
ALL = (GOOD, BAD, MORE)


def made(judged: PromptGroup, *sources: str) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """(source, text) of each good reply, and what was dropped."""
    dropped: Counter[str] = Counter()
    found = good_replies_of(judged, ExportOptions(sources=sources or None), dropped)
    shown = [(each.provenance.source, each.completion["content"]) for each in found]
    return shown, dict(+dropped)


def test_liked_preferred_and_corrected_replies_are_good() -> None:
    """Each way of calling a reply good gives one; the disliked one gives none."""
    said = (
        thumb(GOOD, "up"),
        thumb(BAD, "down", correction="Right."),
        preference(MORE, BAD),
    )

    expected = [("comparisons", "More."), ("corrections", "Right."), ("thumbs", "Good.")]
    assert made(group(*said, exchanges=ALL)) == (expected, {})


def test_a_reply_called_good_twice_is_one() -> None:
    """The more direct statement is its source."""
    said = (thumb(GOOD, "up"), preference(GOOD, BAD))

    assert made(group(*said, exchanges=ALL)) == ([("comparisons", "Good.")], {"duplicate": 1})


def test_the_better_of_two_bad_replies_is_no_example() -> None:
    """What raters dislike, or what loses to another reply, is left out and counted."""
    said = (preference(GOOD, BAD), thumb(GOOD, "down"))
    assert made(group(*said, exchanges=ALL)) == ([], {"disliked": 1})

    chain = (preference(GOOD, MORE), preference(MORE, BAD))
    assert made(group(*chain, exchanges=ALL)) == (
        [("comparisons", "Good.")], {"disliked": 1},
    )  # fmt: skip


def test_a_liked_reply_that_was_corrected_is_no_example() -> None:
    """The correction is, whichever of the two was said first."""
    said = (thumb(BAD, "up", "ann"), thumb(BAD, None, "bob", correction="Right."))

    assert made(group(*said, exchanges=ALL)) == ([("corrections", "Right.")], {"disliked": 1})


@pytest.mark.parametrize(
    ("source", "expected"),
    [("corrections", "Right."), ("comparisons", "More."), ("thumbs", "Good.")],
)
def test_only_named_sources_are_used(source: str, expected: str) -> None:
    """A source that was asked for gives its own replies, the others none."""
    said = (
        thumb(GOOD, "up"),
        thumb(BAD, "down", correction="Right."),
        preference(MORE, BAD),
    )

    assert made(group(*said, exchanges=ALL), source)[0] == [(source, expected)]
