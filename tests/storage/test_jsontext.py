from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import RecordRejected
from storage.jsontext import clean, dumps, loads, short

ANY_TEXT = st.text(st.characters(exclude_categories=()))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_json_comes_back_as_it_was(value: Any) -> None:
    """Any JSON value survives, lone surrogates and huge integers too, and its text is UTF-8."""
    text = dumps(value)

    assert text.encode()
    assert value == loads(text)


def test_infinity_becomes_null() -> None:
    """A float that JSON has no word for is stored as null."""
    assert loads(dumps([float("nan"), float("inf")])) == [None, None]


@pytest.mark.parametrize("value", [object(), {1, 2}, [b"bytes"]])
def test_what_is_no_json_is_rejected(value: Any) -> None:
    """A value that is not JSON is refused, not stored as something else."""
    with pytest.raises(RecordRejected, match="not storable"):
        dumps(value)


def test_bottomless_nesting_is_rejected() -> None:
    """A value nested deeper than JSON writers go is refused."""
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]

    with pytest.raises(RecordRejected):
        dumps(value)


@given(st.text(st.characters(exclude_categories=()), max_size=600))
def test_short_text_fits_and_stays_itself(text: str) -> None:
    """At most 600 characters: the text itself where it has no more; two long ones stay two."""
    long = "x" * 600 + text

    assert short(text) == clean(text)
    assert len(short(long)) <= 600
    assert short(long + "y") != short(long + "z")


@given(ANY_TEXT)
def test_cleaned_text_is_storable_anywhere(text: str) -> None:
    """Cleaned text is valid UTF-8 without NUL, and good text is left alone."""
    cleaned = clean(text)

    assert cleaned == cleaned.encode("utf-8").decode("utf-8")
    assert "\0" not in cleaned
    assert clean(cleaned) == cleaned
