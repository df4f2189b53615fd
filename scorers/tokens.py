"""From rows to token ids, with the truncation that training used too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tokenizers
from tokenizers import Tokenizer

from scorers.errors import ModelError
from scorers.serving import Encoding
from scorers.types import Row

_CHARACTERS_PER_TOKEN = 32
"""More than any language needs on average; longer texts are cut before they are tokenised."""


class RowTokenizer:
    """Turns rows into encodings of at most `max_tokens` tokens; safe to use from many threads.

    A single text keeps its beginning. In a pair the second text (the reply, the
    claim) is what is judged: it is kept whole as long as the first can keep an
    eighth of the row, and the first text is cut at its end.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_tokens: int = 256) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        self.max_tokens = max_tokens

    @classmethod
    def open(cls, path: Path, *, max_tokens: int = 256) -> RowTokenizer:
        """The tokenizer of a `tokenizer.json`; ModelError where there is none or it is broken."""
        if not path.is_file():
            raise ModelError(f"no tokenizer at {path}: a model needs its tokenizer.json beside it")
        try:
            return cls(Tokenizer.from_file(str(path)), max_tokens=max_tokens)
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(f"{path} is not a tokenizer.json: {error}") from error

    def encode(self, rows: Sequence[Row]) -> list[Encoding]:
        """The encodings of `rows`, in their order, special tokens included."""
        limit = self.max_tokens * _CHARACTERS_PER_TOKEN
        inputs = [
            row.text[:limit] if row.pair is None else (row.text[:limit], row.pair[:limit])
            for row in rows
        ]
        try:
            found = self._tokenizer.encode_batch_fast(inputs)
        except TypeError:  # a lone surrogate, which JSON may carry and UTF-8 may not
            inputs = [_mended(given) for given in inputs]
            found = self._tokenizer.encode_batch_fast(inputs)
        return [
            self._fitted(row, given, encoding)
            for row, given, encoding in zip(rows, inputs, found, strict=True)
        ]

    def count(self, text: str) -> int:
        """How many tokens a text has, without special tokens and without truncation."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _fitted(
        self, row: Row, given: str | tuple[str, str], encoding: tokenizers.Encoding
    ) -> Encoding:
        limit = self.max_tokens * _CHARACTERS_PER_TOKEN
        is_long = len(encoding.ids) > self.max_tokens
        fitted = self._cut(given) if is_long else encoding
        is_cut = is_long or len(row.text) > limit or len(row.pair or "") > limit
        return Encoding(fitted.ids, fitted.type_ids, is_cut)

    def _cut(self, given: str | tuple[str, str]) -> tokenizers.Encoding:
        """A row that is too long, truncated and with its special tokens."""
        if isinstance(given, str):
            room = self.max_tokens - self._tokenizer.num_special_tokens_to_add(is_pair=False)
            only = self._tokenizer.encode(given, add_special_tokens=False)
            only.truncate(room)
            return self._tokenizer.post_process(only)
        room = self.max_tokens - self._tokenizer.num_special_tokens_to_add(is_pair=True)
        first, second = (self._tokenizer.encode(text, add_special_tokens=False) for text in given)
        second.truncate(room - min(len(first.ids), room // 8))
        first.truncate(room - len(second.ids))
        return self._tokenizer.post_process(first, second)


def _mended(given: str | tuple[str, str]) -> str | tuple[str, str]:
    if isinstance(given, str):
        return given.encode("utf-8", "replace").decode()
    first, second = (text.encode("utf-8", "replace").decode() for text in given)
    return first, second
