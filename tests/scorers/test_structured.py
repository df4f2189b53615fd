"""Structured context: records become lines that a sentence can be held against."""

from __future__ import annotations

import json

import pytest

from scorers.builtin.evidence import evidence
from scorers.builtin.structured import readable

RECORD = {
    "name": "Blue Door",
    "hours": {"Monday": "17:0-21:30"},
    "attributes": {"BusinessParking": {"garage": True, "street_side": False}, "WiFi": None},
    "reviews": [{"stars": 4.0, "text": "Lovely soup.\nSlow service."}],
}


@pytest.mark.parametrize("text", [json.dumps(RECORD), json.dumps(RECORD, indent=2), repr(RECORD)])
def test_record_becomes_a_line_a_field(text: str) -> None:
    """JSON and Python literals alike: the path of names, then the value in words."""
    lines = readable(text).splitlines()

    assert "name: Blue Door" in lines
    assert "hours monday: 17:0-21:30" in lines
    assert "attributes business parking garage: yes" in lines
    assert "attributes business parking street side: no" in lines
    assert "attributes wi fi: unknown" in lines
    assert "reviews 1 stars: 4.0" in lines


@pytest.mark.parametrize(
    "text",
    [
        "Plain text stays.",
        "[1] a footnote, not a list",
        "{not json}",
        '{"cut": [1, 2',
        "",
        "[" * 5000,
        "{'a': __import__('os')}",
    ],
)
def test_anything_else_is_left_alone(text: str) -> None:
    """What is no record comes back unchanged, however odd."""
    assert readable(text) == text


def test_evidence_of_a_record_is_the_field() -> None:
    """A sentence about one field is held against that field."""
    filler = {f"field {at}": f"value number {at} of many others" for at in range(60)}
    found = evidence((json.dumps(filler | RECORD),))

    assert found is not None
    assert any("garage: yes" in part for part in found.pick("There is parking in a garage."))
