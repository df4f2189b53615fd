"""API keys of the proxy: made, hashed, compared.

A key is 256 random bits, so a plain SHA-256 keeps it: slow salted hashes (bcrypt, argon2) protect
secrets that can be guessed, and 2^256 cannot. It also lets a key be found by its hash in an index.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence

from storage.ids import new_id, now_us
from storage.records import KeyRecord

KEY_PREFIX = "flk_"
SCOPES = ("proxy", "feedback", "erase", "admin")


def new_key(
    name: str,
    scopes: Sequence[str] = ("proxy",),
    *,
    policies: Sequence[str] | None = None,
    tenant: str | None = None,
) -> tuple[str, KeyRecord]:
    """A new key in plain text, to be shown once, and its record. ValueError for unknown scopes.

    `tenant` is the id of an earlier key whose exchanges it shares.
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise ValueError(
            f"scopes are among {', '.join(SCOPES)}; not {', '.join(unknown) or 'none'}"
        )
    plain = KEY_PREFIX + secrets.token_urlsafe(32)
    record = KeyRecord(
        id=new_id("key"),
        name=name,
        hash=hash_key(plain),
        scopes=tuple(dict.fromkeys(scopes)),
        created_us=now_us(),
        policies=None if policies is None else tuple(policies),
        tenant=tenant,
    )
    return plain, record


def hash_key(plain: str) -> str:
    """What is kept of a key: SHA-256 in hexadecimal."""
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def is_key(plain: str, record: KeyRecord) -> bool:
    """Whether this is the key of `record`, compared in constant time; revoked keys never are."""
    is_same = hmac.compare_digest(hash_key(plain), record.hash)
    return is_same and record.revoked_us is None
