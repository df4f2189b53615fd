"""Hashes of texts: plain ones of what is kept, keyed ones of what is not."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import orjson

MIN_KEY_BYTES = 16
"""Shorter secrets could be guessed, and with them short texts."""


def canonical(value: Any) -> bytes:
    """A JSON value as bytes: equal for equal values, whatever the order of their keys."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(value, sort_keys=True).encode()


def prompt_hash(messages: Any) -> str:
    """Equal for equal conversations: SHA-256 of the canonical JSON, its first 32 hex digits."""
    return hashlib.sha256(canonical(messages)).hexdigest()[:32]


def keyed_hash(value: str, key: bytes) -> str:
    """HMAC-SHA256 of a text, its first 32 hex digits: who lacks the key cannot try out texts."""
    data = value.encode("utf-8", "surrogatepass")
    return hmac.new(key, data, hashlib.sha256).hexdigest()[:32]
