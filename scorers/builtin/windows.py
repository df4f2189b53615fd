"""Cutting a text into windows that fit a row of the encoder: pure, no tokenizer needed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_LONG_RUN = 16


def _price_table() -> NDArray[np.float32]:
    """Estimated WordPiece tokens per ASCII character, by code point."""
    table = np.ones(128, dtype=np.float32)
    for code in range(128):
        char = chr(code)
        if char.isspace():
            table[code] = 0.0
        elif char.isalpha():
            table[code] = 0.3
        elif char.isdigit():
            table[code] = 0.6
    return table


_PRICES = _price_table()


def token_prices(text: str) -> NDArray[np.float32]:
    """An upper-side estimate of the tokens that each character costs, of shape (len(text),).

    English prose comes out about a tenth above its true number of tokens. Unbroken runs of
    letters and digits cost more (encoded data splits into short pieces).
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    prices = np.where(codes < 128, _PRICES[np.minimum(codes, 127)], 1.0).astype(np.float32)
    breaks = np.flatnonzero((prices == 0.0) | (prices == 1.0))
    edges = np.concatenate(([-1], breaks, [len(codes)]))
    for left, right in pairwise(edges):
        if right - left - 1 > _LONG_RUN:
            prices[left + 1 : right] = 0.6
    return prices


def snap_left(text: str, offset: int, *, reach: int = 24) -> int:
    """The start of the word at `offset`, looking back at most `reach` characters."""
    for at in range(offset, max(0, offset - reach), -1):
        if text[at - 1].isspace():
            return at
    return offset if offset > reach else 0


def snap_right(text: str, offset: int, *, reach: int = 24) -> int:
    """The start of the word after `offset`, looking ahead at most `reach` characters."""
    if offset <= 0:
        return 0
    for at in range(offset, min(len(text), offset + reach)):
        if text[at - 1].isspace():
            return at
    return min(offset, len(text))


def tail(text: str, limit: int) -> str:
    """The last `limit` characters of a text or fewer, beginning at a word."""
    return text if len(text) <= limit else text[snap_right(text, len(text) - limit) :]


def windows(
    text: str, start: int, stop: int, *, budget_tokens: float, overlap_tokens: float
) -> list[tuple[int, int]]:
    """Offsets of windows that cover `text[start:stop]`, each of about `budget_tokens` at most.

    Neighbours share about `overlap_tokens`, so that what straddles a cut is seen whole by one
    of them. The last window reaches back rather than being short.
    """
    if stop <= start:
        return []
    spent = np.concatenate(([0.0], np.cumsum(token_prices(text[start:stop]))))
    found: list[tuple[int, int]] = []
    at = 0
    while True:
        end = int(np.searchsorted(spent, spent[at] + budget_tokens, side="right")) - 1
        if end >= len(spent) - 1:
            reach = int(np.searchsorted(spent, spent[-1] - budget_tokens))
            at = min(at, snap_right(text, start + reach) - start) if found else at
            found.append((start + at, stop))
            return found
        end = max(at + 1, snap_left(text, start + end) - start)
        found.append((start + at, start + end))
        back = int(np.searchsorted(spent, spent[end] - overlap_tokens))
        at = min(end, max(at + 1, snap_right(text, start + back) - start))
