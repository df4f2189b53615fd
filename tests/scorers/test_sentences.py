"""Where sentences end."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorers.sentences import sentence_ends, sentences


def parts(text: str) -> list[str]:
    """The sentences of a text as strings."""
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ('He said "no." She left.', ['He said "no."', "She left."]),
        ("Dr. Miller met J. Smith.", ["Dr. Miller met J. Smith."]),
        ("It costs 3.50 a piece. Cheap.", ["It costs 3.50 a piece.", "Cheap."]),
        ("First line\nSecond line", ["First line", "Second line"]),
        ("1. Apples\n2. Pears", ["1. Apples", "2. Pears"]),
        ("Wait... What?", ["Wait...", "What?"]),
        ("你好。再见！", ["你好。", "再见！"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    """Sentences end at stops and line breaks, not at abbreviations, numbers or list items."""
    assert parts(text) == expected


def test_an_end_needs_what_follows() -> None:
    """A stop at the end of the text is not reported: the next character may undo it."""
    assert sentence_ends("Version 3.") == []
    assert sentence_ends("It is done. ") == [11]


def test_part_of_a_text() -> None:
    """Within bounds, offsets are still those of the whole text."""
    text = "One. Two. Three."

    assert sentences(text, 4, 9) == [(5, 9)]
    assert sentence_ends(text, 4) == [9]


@given(st.text(alphabet="aB1. \n!?\"'。", max_size=60), st.text(alphabet="aB1. \n!?", max_size=20))
def test_ends_stay_ends(text: str, more: str) -> None:
    """An end that was reported stays one, however the text goes on, but for joined line breaks."""
    later = sentence_ends(text + more)

    for end in sentence_ends(text):
        assert end in later or (end == len(text) and text.endswith("\n"))


@given(st.text(alphabet="aB1. \n!?\"'。", max_size=80))
def test_sentences_cover_the_text(text: str) -> None:
    """Sentences are in order, do not overlap, and leave out nothing but white space."""
    spans = sentences(text)
    left_out = text
    for start, end in reversed(spans):
        left_out = left_out[:start] + left_out[end:]

    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    assert not left_out.strip()
