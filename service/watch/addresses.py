"""Which addresses alerts may go to.

An alert's address is set by an operator, but where a name leads is not theirs to say: it must not
make Fairlead call what only its own network can reach.
"""

from __future__ import annotations

import ipaddress
import socket

from aiohttp import AddrInfoType, ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_REFUSED_4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # Azure's host
    )
)
_REFUSED_6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "::/96",  # IPv4 inside, out of use
        "64:ff9b:1::/48",  # NAT64 within a network
        "2001::/32",  # Teredo
        "2002::/16",  # 6to4
        "fec0::/10",  # site-local
    )
)


class TargetRefused(Exception):
    """A name leads to an address that may not be called."""


def is_public(address: Address) -> bool:
    """Whether an address is reachable from everywhere and belongs to no machine's surroundings.

    Private, loopback, link-local, shared, reserved and multicast addresses are not, nor are those
    of IPv6 that carry such an IPv4 address, nor the clouds' metadata services.
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
        is_refused = any(address in network for network in _REFUSED_6)
    else:
        is_refused = any(address in network for network in _REFUSED_4)
    is_odd = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not is_odd and not is_refused


def public_socket(info: AddrInfoType) -> socket.socket:
    """A socket for a connection that is about to be made; raises TargetRefused.

    The last door: an address may be written in many ways, and not all of them pass a resolver.
    """
    family, kind, proto, _, place = info
    host = str(place[0]).partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise TargetRefused(host) from None
    if not is_public(address):
        raise TargetRefused(host)
    return socket.socket(family, kind, proto)


class PublicResolver(AbstractResolver):
    """Finds the addresses of a name, and refuses the name if any of them is not public.

    The connection is made to the very addresses that were looked at here.
    """

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses; raises TargetRefused."""
        found = await self._inner.resolve(host, port, family)
        for one in found:
            if not is_public(ipaddress.ip_address(one["host"].partition("%")[0])):
                raise TargetRefused(host)
        return found

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()
