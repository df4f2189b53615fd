from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.ids import id_us, new_id, now_us

MOMENTS = st.integers(0, (1 << 52) - 1)


@given(st.lists(MOMENTS, unique=True))
def test_ids_sort_by_time(moments: list[int]) -> None:
    """The text order of ids is the order of their microseconds."""
    ids = {moment: new_id("fl", moment) for moment in moments}

    assert sorted(ids.values()) == [ids[moment] for moment in sorted(moments)]


@given(MOMENTS)
def test_id_tells_its_time(moment: int) -> None:
    """The microsecond at which an id was made can be read from it."""
    assert moment == id_us(new_id("fl", moment))


def test_id_has_prefix_and_26_characters() -> None:
    """An id is a prefix, an underscore and 26 characters, and tells the time now."""
    before = now_us()

    ident = new_id("fl")

    assert ident.startswith("fl_")
    assert len(ident) == 29
    assert before <= id_us(ident) <= now_us()


def test_ids_of_one_microsecond_differ() -> None:
    """Many ids of the same microsecond are all different."""
    assert len({new_id("fl", 7) for _ in range(10_000)}) == 10_000


@pytest.mark.parametrize("text", ["", "fl_", "fl_short", "fl_" + "u" * 26, "chatcmpl-123"])
def test_other_texts_are_no_ids(text: str) -> None:
    """A text that new_id did not make has no time."""
    with pytest.raises(ValueError, match="not an id"):
        id_us(text)
