"""JSON to text and back: fast where possible, and never losing what only slow JSON can hold."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import orjson

from storage.errors import RecordRejected

# PostgreSQL takes 2,704 bytes in an index row of two columns; a character has up to four.
_INDEXED_CHARACTERS = 600
_HASH_CHARACTERS = 32


def dumps(value: Any) -> str:
    """Text of a JSON value. Lone surrogates and integers past 64 bits are kept too.

    Raises RecordRejected when the value is no JSON at all or is nested too deep.
    """
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return _slow_dumps(value)


def loads(data: str | bytes) -> Any:
    """The JSON value of a text written by `dumps`."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data)


def _slow_dumps(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordRejected(f"not storable as JSON: {error}") from error


def clean(value: str) -> str:
    """Text that every database takes: no NUL (PostgreSQL), no lone surrogates (UTF-8)."""
    if "\0" in value:
        value = value.replace("\0", "\ufffd")
    if value.isascii():
        return value
    return value.encode("utf-8", "replace").decode("utf-8")


def short(value: str) -> str:
    """Clean text that an index of every database takes.

    Of what is longer the beginning stays, and a hash of the whole: two long texts are never one.
    """
    if len(value) <= _INDEXED_CHARACTERS:
        return clean(value)
    whole = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARACTERS]
    return f"{clean(value[: _INDEXED_CHARACTERS - _HASH_CHARACTERS - 1])}~{whole}"
