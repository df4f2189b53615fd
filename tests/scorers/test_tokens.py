"""From rows to token ids, and what gives way when a row is too long."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scorers.errors import ModelError
from scorers.tokens import RowTokenizer
from scorers.types import Row
from tests.fakes.tiny_model import tiny_tokenizer

CLS, SEP, UNKNOWN, GOOD, BAD = 2, 3, 1, 4, 6


@pytest.fixture
def tokenizer() -> RowTokenizer:
    """The tiny model's tokenizer, rows of at most 19 tokens: 16 of a pair beside 3 special ones."""
    return RowTokenizer(tiny_tokenizer(), max_tokens=19)


def test_single_text(tokenizer: RowTokenizer) -> None:
    """A single text stands between two special tokens, all of the first type."""
    [encoding] = tokenizer.encode([Row("good bad")])

    assert encoding.ids == [CLS, GOOD, BAD, SEP]
    assert encoding.type_ids == [0, 0, 0, 0]
    assert len(encoding) == 4


def test_pair(tokenizer: RowTokenizer) -> None:
    """The second text of a pair follows a separator and is of the second type."""
    [encoding] = tokenizer.encode([Row("good", "bad")])

    assert encoding.ids == [CLS, GOOD, SEP, BAD, SEP]
    assert encoding.type_ids == [0, 0, 0, 1, 1]


def test_empty_second_text_is_still_a_pair(tokenizer: RowTokenizer) -> None:
    """An empty second text keeps its separator, so that a row's shape does not change."""
    [encoding] = tokenizer.encode([Row("good", "")])

    assert encoding.ids == [CLS, GOOD, SEP, SEP]


def test_rows_keep_their_order(tokenizer: RowTokenizer) -> None:
    """Encodings come in the order of the rows, whatever their lengths."""
    encodings = tokenizer.encode([Row("good " * 40), Row("bad"), Row("good", "bad " * 40)])

    assert [len(encoding) for encoding in encodings] == [19, 3, 19]
    assert tokenizer.encode([]) == []


def test_long_single_text_keeps_its_beginning(tokenizer: RowTokenizer) -> None:
    """A single text that is too long loses its end and keeps its special tokens."""
    [encoding] = tokenizer.encode([Row("bad " + "good " * 40)])

    assert encoding.ids == [CLS, BAD, *[GOOD] * 16, SEP]


@pytest.mark.parametrize(
    ("first", "second", "kept_first", "kept_second"),
    [(40, 5, 11, 5), (40, 14, 2, 14), (40, 40, 2, 14), (1, 40, 1, 15), (0, 40, 0, 16)],
)
def test_second_text_of_a_pair_goes_before_the_first(
    tokenizer: RowTokenizer, first: int, second: int, kept_first: int, kept_second: int
) -> None:
    """The first text gives way to the second down to an eighth of the row."""
    [encoding] = tokenizer.encode([Row("good " * first, "bad " * second)])

    assert encoding.ids == [CLS, *[GOOD] * kept_first, SEP, *[BAD] * kept_second, SEP]
    assert encoding.type_ids == [0] * (kept_first + 2) + [1] * (kept_second + 1)


def test_lone_surrogates(tokenizer: RowTokenizer) -> None:
    """Half a surrogate pair, which JSON can carry, is an unknown word and no error."""
    single, pair = tokenizer.encode([Row("good \ud800"), Row("\udfff", "good")])

    assert single.ids == [CLS, GOOD, UNKNOWN, SEP]
    assert pair.ids == [CLS, UNKNOWN, SEP, GOOD, SEP]


def test_counts(tokenizer: RowTokenizer) -> None:
    """A count is of the text's own tokens, however many."""
    assert tokenizer.count("good bad " * 50) == 100


def test_many_threads(tokenizer: RowTokenizer) -> None:
    """Threads that share a tokenizer get the same encodings as one alone."""
    rows = [Row("good " * at, "bad " * (40 - at)) for at in range(40)]
    expected = tokenizer.encode(rows)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: tokenizer.encode(rows), range(20)))

    assert all(encodings == expected for encodings in found)


def test_truncation_and_padding_of_the_file_are_off(tmp_path: Path) -> None:
    """What the file says of truncation and padding does not reach the rows."""
    raw = tiny_tokenizer()
    raw.enable_padding(length=12)
    raw.enable_truncation(4)
    raw.save(str(tmp_path / "tokenizer.json"))

    [encoding] = RowTokenizer.open(tmp_path / "tokenizer.json").encode([Row("good " * 6)])

    assert len(encoding) == 8


def test_missing_file(tmp_path: Path) -> None:
    """Without a tokenizer.json the error says what belongs there."""
    with pytest.raises(ModelError, match=r"needs its tokenizer\.json"):
        RowTokenizer.open(tmp_path / "tokenizer.json")


def test_broken_file(tmp_path: Path) -> None:
    """A file that is no tokenizer is a ModelError that names it."""
    (tmp_path / "tokenizer.json").write_text("{}")

    with pytest.raises(ModelError, match=r"is not a tokenizer\.json"):
        RowTokenizer.open(tmp_path / "tokenizer.json")


def test_what_loses_its_end_says_so(tokenizer: RowTokenizer) -> None:
    """A row that fits is not cut; one that is too long in tokens or in characters is."""
    rows = [
        Row("good " * 17),
        Row("good " * 18),
        Row("good", "bad " * 40),
        Row("good" + " " * 10_000 + "bad"),
    ]

    assert [encoding.is_cut for encoding in tokenizer.encode(rows)] == [False, True, True, True]
