"""Who may do what: API keys of the proxy's own, known by their hash only."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from service.errors import Forbidden, StoreUnavailable, Unauthorized
from storage.errors import StorageError
from storage.keys import KEY_PREFIX, SCOPES, hash_key
from storage.records import KeyRecord

Scope = Literal["proxy", "feedback", "erase", "admin"]

_CACHED_KEYS = 10_000
_OWN_HEADER = b"x-fairlead-key"
RawHeaders = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a request. `policies` are those it may ask for, None is any.

    `key_id` is the tenant: the id of the caller's key, or of the key whose tenant that one shares.
    `own_key_id` is the caller's key itself.
    """

    key_id: str | None = None
    scopes: frozenset[str] = frozenset(SCOPES)
    policies: tuple[str, ...] | None = None
    own_key_id: str | None = None

    @property
    def is_admin(self) -> bool:
        """Whether the caller sees what others did."""
        return "admin" in self.scopes

    @property
    def tenant(self) -> str | None:
        """The key whose exchanges are all that the caller sees; None sees all."""
        return None if self.is_admin else self.key_id

    def owns(self, key_id: str | None) -> bool:
        """Whether an exchange made under this key is the caller's to see."""
        return self.is_admin or key_id == self.key_id

    def require(self, scope: Scope) -> None:
        """Raises `Forbidden` unless the caller has the scope; `admin` has every scope."""
        if scope not in self.scopes and not self.is_admin:
            raise Forbidden(
                f"this API key lacks the scope `{scope}`; it has {', '.join(sorted(self.scopes))}"
            )


ANYONE = Caller()
"""The caller where no keys are asked for."""


class KeyShelf(Protocol):
    """Where keys lie; `storage.repositories.keys.Keys` is one."""

    async def by_hash(self, key_hash: str) -> KeyRecord | None:
        """The key with this hash, revoked or not."""
        ...


class KeyUnit(Protocol):
    """A unit of work that holds keys."""

    @property
    def keys(self) -> KeyShelf:
        """The keys."""
        ...


class KeyStore(Protocol):
    """Whoever opens units of work; `storage.store.Store` is one."""

    def reading(self) -> AbstractAsyncContextManager[KeyUnit]:
        """A unit of work to read in."""
        ...


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    until: float
    stands_until: float


class Access:
    """Finds the caller of a request. Keys are remembered for `cache_s` seconds, no longer."""

    def __init__(
        self,
        store: KeyStore,
        *,
        is_required: bool,
        cache_s: float = 5.0,
        outage_s: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._is_required = is_required
        self._cache_s = cache_s
        self._outage_s = outage_s
        self._clock = clock
        self._cache: OrderedDict[str, _Known] = OrderedDict()

    async def identify(self, headers: RawHeaders, scope: Scope) -> Caller:
        """The caller, who has the scope.

        Raises `Unauthorized` without a valid key, `Forbidden` without the scope, and
        `StoreUnavailable` where the key cannot be looked up. Asks nothing where keys are off.
        """
        if not self._is_required:
            return ANYONE
        key = own_key(headers)
        if key is None:
            raise Unauthorized(
                "an API key of this proxy is needed: send `Authorization: Bearer flk_...` or "
                "`x-fairlead-key: flk_...`"
            )
        caller = await self._caller(hash_key(key))
        caller.require(scope)
        return caller

    async def _caller(self, hashed: str) -> Caller:
        """The key's owner, looked up now and then.

        While the store cannot be asked a key stands that was good when it was looked up last.
        """
        known, now = self._cache.pop(hashed, None), self._clock()
        if known is None or now >= known.until:
            try:
                caller = await self._looked_up(hashed)
                known = _Known(caller, now + self._cache_s, now + self._outage_s)
            except StoreUnavailable:
                if known is None or now >= known.stands_until:
                    raise
                known = replace(known, until=now + self._cache_s)
        self._cache[hashed] = known
        if len(self._cache) > _CACHED_KEYS:
            self._cache.popitem(last=False)
        return known.caller

    async def _looked_up(self, hashed: str) -> Caller:
        try:
            async with self._store.reading() as unit:
                found = await unit.keys.by_hash(hashed)
        except StorageError as error:
            raise StoreUnavailable("API keys cannot be looked up now; try again later") from error
        if found is None or found.revoked_us is not None:
            raise Unauthorized("this API key is not known here, or was revoked")
        tenant, scopes = found.tenant or found.id, frozenset(found.scopes)
        return Caller(tenant, scopes, found.policies or (), own_key_id=found.id)


def own_key(headers: RawHeaders) -> str | None:
    """The proxy's own key in a request's headers; their names are in lower case."""
    found: dict[bytes, str] = {}
    for name, value in headers:
        if name in (_OWN_HEADER, b"authorization", b"x-api-key"):
            key = _own(value.decode("latin-1"))
            if key is not None:
                found.setdefault(name, key)
    return found.get(_OWN_HEADER) or found.get(b"authorization") or found.get(b"x-api-key")


def without_own_keys(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers that may go upstream: whatever carries a key of the proxy's own is dropped."""
    return [
        (name, value)
        for name, value in headers
        if name.lower() != "x-fairlead-key"
        and (name.lower() not in ("authorization", "x-api-key") or _own(value) is None)
    ]


def _own(value: str) -> str | None:
    scheme, _, rest = value.strip().partition(" ")
    token = rest.strip() if scheme.lower() == "bearer" else value.strip()
    return token if token.startswith(KEY_PREFIX) else None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener bound to the host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_required(host: str, *, required: bool | Literal["auto"]) -> bool:
    """Whether keys are asked for: as set, or for `auto` unless bound to loopback."""
    return not is_loopback(host) if required == "auto" else required
