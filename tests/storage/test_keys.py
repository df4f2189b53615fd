from __future__ import annotations

from dataclasses import replace

import pytest

from storage.keys import hash_key, is_key, new_key


def test_new_key_is_kept_as_a_hash() -> None:
    """The record of a new key knows its hash, never its text."""
    plain, record = new_key("ci", ("proxy", "admin", "proxy"))

    assert plain.startswith("flk_")
    assert len(plain) >= 47
    assert plain not in repr(record)
    assert record.hash == hash_key(plain)
    assert record.scopes == ("proxy", "admin")


def test_keys_differ() -> None:
    """No two keys are the same."""
    assert len({new_key("ci")[0] for _ in range(100)}) == 100


def test_only_the_key_itself_fits() -> None:
    """A key fits its own record until it is revoked, and no other text does."""
    plain, record = new_key("ci")

    assert is_key(plain, record)
    assert not is_key(plain + "x", record)
    assert not is_key("\ud800", record)
    assert not is_key(plain, replace(record, revoked_us=1))


@pytest.mark.parametrize("scopes", [(), ("root",), ("proxy", "root")])
def test_unknown_scope_is_refused(scopes: tuple[str, ...]) -> None:
    """A key has at least one scope, all of them known."""
    with pytest.raises(ValueError, match="scopes are among"):
        new_key("ci", scopes)
