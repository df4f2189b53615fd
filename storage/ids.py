"""Ids that sort by the time they were made."""

from __future__ import annotations

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_RANDOM_BITS = 78
_LENGTH = 26


def now_us() -> int:
    """The time now in unix microseconds."""
    return time.time_ns() // 1000


def new_id(prefix: str, at_us: int | None = None) -> str:
    """Make `<prefix>_` and 26 characters: 52 bits of microseconds, 78 random bits.

    Text order is time order down to the microsecond, across processes; within one microsecond the
    order is random. The alphabet is Crockford's base 32 in lower case (no i, l, o, u).
    """
    at = now_us() if at_us is None else at_us
    return _id(prefix, (at << _RANDOM_BITS) | (int.from_bytes(os.urandom(10), "big") >> 2))


def first_id(prefix: str, at_us: int) -> str:
    """The least id that `new_id` can make at this microsecond: a bound for those of a time."""
    return _id(prefix, at_us << _RANDOM_BITS)


def _id(prefix: str, value: int) -> str:
    return f"{prefix}_" + "".join(_PAIRS[(value >> shift) & 1023] for shift in range(120, -1, -10))


def id_us(value: str) -> int:
    """The microsecond at which `new_id` made this id; ValueError when it is not such an id."""
    body = value.rpartition("_")[2]
    if len(body) != _LENGTH or any(letter not in _ALPHABET for letter in body):
        raise ValueError(f"not an id: {value!r}")
    number = 0
    for letter in body:
        number = number * 32 + _ALPHABET.index(letter)
    return number >> _RANDOM_BITS
