"""Who may do what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from service.access import (
    ANYONE,
    Access,
    Caller,
    is_loopback,
    is_required,
    own_key,
    without_own_keys,
)
from service.errors import Forbidden, StoreUnavailable, Unauthorized
from storage.errors import StoreUnavailable as StoreAway
from storage.keys import hash_key, new_key
from storage.records import KeyRecord


@dataclass
class KeyShelf:
    """Keys in memory; a store and its unit of work in one."""

    records: dict[str, KeyRecord] = field(default_factory=dict)
    asked: int = 0
    tried: int = 0
    is_away: bool = False

    @property
    def keys(self) -> KeyShelf:
        """The keys of the unit of work."""
        return self

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[KeyShelf]:
        """A unit of work."""
        self.tried += 1
        if self.is_away:
            raise StoreAway("gone")
        yield self

    async def by_hash(self, key_hash: str) -> KeyRecord | None:
        """The key with this hash."""
        self.asked += 1
        return self.records.get(key_hash)

    def add(self, *scopes: str, policies: tuple[str, ...] | None = None) -> str:
        """A new key with these scopes."""
        key, record = new_key("test", scopes=scopes, policies=policies)  # type: ignore[arg-type]
        self.records[record.hash] = record
        return key

    def revoke(self, key: str) -> None:
        """Ends a key."""
        self.records[hash_key(key)] = replace(self.records[hash_key(key)], revoked_us=1)


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s


def bearer(key: str) -> list[tuple[bytes, bytes]]:
    """The header that carries a key."""
    return [(b"authorization", f"Bearer {key}".encode())]


async def test_without_keys_anyone_may() -> None:
    """The store is not asked, and no policy is out of reach."""
    shelf = KeyShelf()

    assert await Access(shelf, is_required=False).identify([], "admin") is ANYONE
    assert (ANYONE.policies, ANYONE.tenant, shelf.asked) == (None, None, 0)


async def test_a_key_is_its_caller() -> None:
    """The caller has the key's id, scopes and policies, and sees what is its own."""
    shelf = KeyShelf()
    key = shelf.add("proxy", policies=("strict",))

    caller = await Access(shelf, is_required=True).identify(bearer(key), "proxy")

    ident = shelf.records[hash_key(key)].id
    assert caller == Caller(ident, frozenset({"proxy"}), policies=("strict",), own_key_id=ident)
    assert caller.tenant == caller.key_id
    assert caller.owns(caller.key_id)
    assert not caller.owns(None)


async def test_a_key_that_names_no_policies_may_not_choose() -> None:
    """None of its own is not the same as any."""
    shelf = KeyShelf()
    key = shelf.add("proxy")

    caller = await Access(shelf, is_required=True).identify(bearer(key), "proxy")

    assert caller.policies == ()


@pytest.mark.parametrize("headers", [[], bearer("sk-upstream"), bearer("flk_unknown"), bearer("")])
async def test_no_key_or_an_unknown_one_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    """Somebody else's key is none of ours."""
    with pytest.raises(Unauthorized):
        await Access(KeyShelf(), is_required=True).identify(headers, "proxy")


async def test_a_scope_that_is_missing_is_refused() -> None:
    """The message names the scope and not the key."""
    shelf = KeyShelf()
    key = shelf.add("proxy")

    with pytest.raises(Forbidden) as caught:
        await Access(shelf, is_required=True).identify(bearer(key), "feedback")

    assert "`feedback`" in caught.value.message
    assert key not in caught.value.message


async def test_admin_has_every_scope_and_sees_all() -> None:
    """An admin's key is the tenant of nobody."""
    shelf = KeyShelf()
    key = shelf.add("admin")

    caller = await Access(shelf, is_required=True).identify(bearer(key), "proxy")

    assert (caller.is_admin, caller.tenant, caller.owns("other")) == (True, None, True)


async def test_a_key_is_remembered_and_a_revocation_comes_through() -> None:
    """The store is asked once in a while, and the answer is not used for longer."""
    shelf, clock = KeyShelf(), Clock()
    access = Access(shelf, is_required=True, cache_s=5, clock=clock)
    key = shelf.add("proxy")

    await access.identify(bearer(key), "proxy")
    shelf.revoke(key)
    await access.identify(bearer(key), "proxy")

    assert shelf.asked == 1
    clock.now_s += 5
    with pytest.raises(Unauthorized, match="revoked"):
        await access.identify(bearer(key), "proxy")


async def test_a_store_that_is_away_lets_nobody_in() -> None:
    """A key that cannot be looked up is no key."""
    shelf = KeyShelf(is_away=True)

    with pytest.raises(StoreUnavailable):
        await Access(shelf, is_required=True).identify(bearer("flk_x"), "proxy")


async def test_a_known_key_stands_while_the_store_is_away() -> None:
    """For a stated time since it was looked up last, and the store is not asked each time."""
    now, shelf = 0.0, KeyShelf()
    key = shelf.add("proxy")
    access = Access(shelf, is_required=True, cache_s=5, outage_s=60, clock=lambda: now)
    caller = await access.identify(bearer(key), "proxy")
    shelf.is_away = True

    now = 50.0
    assert await access.identify(bearer(key), "proxy") == caller
    assert shelf.tried == 2
    assert await access.identify(bearer(key), "proxy") == caller
    assert shelf.tried == 2
    now = 61.0
    with pytest.raises(StoreUnavailable):
        await access.identify(bearer(key), "proxy")
    with pytest.raises(StoreUnavailable):
        await access.identify(bearer("flk_other"), "proxy")


async def test_a_key_revoked_meanwhile_ends_with_the_outage() -> None:
    """Once the store answers again its word counts."""
    now, shelf = 0.0, KeyShelf()
    key = shelf.add("proxy")
    access = Access(shelf, is_required=True, cache_s=5, outage_s=60, clock=lambda: now)
    await access.identify(bearer(key), "proxy")
    shelf.records.clear()

    now = 10.0
    for _ in range(2):
        with pytest.raises(Unauthorized):
            await access.identify(bearer(key), "proxy")


async def test_what_is_remembered_is_bounded() -> None:
    """More keys than the cache holds push out the oldest."""
    shelf = KeyShelf()
    access = Access(shelf, is_required=True)
    keys = [shelf.add("proxy") for _ in range(10_001)]

    for key in keys:
        await access.identify(bearer(key), "proxy")
    await access.identify(bearer(keys[-1]), "proxy")
    assert shelf.asked == 10_001
    await access.identify(bearer(keys[0]), "proxy")
    assert shelf.asked == 10_002


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"x-fairlead-key", b"flk_a"), (b"authorization", b"Bearer flk_b")], "flk_a"),
        ([(b"x-api-key", b"flk_c"), (b"authorization", b"bearer  flk_b ")], "flk_b"),
        ([(b"x-api-key", b"flk_c"), (b"authorization", b"Bearer sk-1")], "flk_c"),
        ([(b"authorization", b"Basic flk_b")], None),
        ([(b"authorization", b"\xff\xfe")], None),
    ],
)
def test_the_own_key_is_found(headers: list[tuple[bytes, bytes]], expected: str | None) -> None:
    """Our own header comes first, then Authorization, then Anthropic's; theirs are not ours."""
    assert own_key(headers) == expected


def test_own_keys_do_not_go_upstream() -> None:
    """Whatever carries a key of ours is dropped; the client's own key for the upstream stays."""
    ours = [("Authorization", "Bearer flk_a"), ("x-api-key", "flk_a"), ("X-Fairlead-Key", "flk_a")]
    theirs = [("Authorization", "Bearer sk-1"), ("x-api-key", "sk-2"), ("accept", "*/*")]

    assert without_own_keys(ours + theirs) == theirs


def test_only_the_hash_of_a_key_is_kept() -> None:
    """A key is long, random, recognisable, and not in its record."""
    key, record = new_key("me", scopes=("proxy", "feedback"))
    other, _ = new_key("me", scopes=("proxy",))

    assert key.startswith("flk_")
    assert len(key) > 40
    assert key != other
    assert key not in repr(record)
    assert record.hash == hash_key(key)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("10.0.0.1", False),
        ("example.com", False),
    ],
)
def test_loopback_is_known(host: str, expected: bool) -> None:
    """A name that is not `localhost` may be anything."""
    assert is_loopback(host) is expected
    assert is_required(host, required="auto") is not expected
    assert is_required(host, required=True)
    assert not is_required(host, required=False)
