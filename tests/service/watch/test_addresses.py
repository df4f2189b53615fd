"""Where alerts may go, and where not."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, field

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from service.watch.addresses import is_public
from service.watch.post import MAX_PAUSE_S, Answer, HttpPoster, _pause_s
from tests.fakes.receiver import Receiver
from tests.patience import PATIENCE_S


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255",
        "192.168.0.1", "169.254.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200",
        "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "192.88.99.1",
        "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:53aa:64c::1",
    ],
)  # fmt: skip
def test_surroundings_are_not_public(address: str) -> None:
    """Loopback, private, link-local, shared, metadata, and all of them inside IPv6."""
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"]
)
def test_the_internet_is_public(address: str) -> None:
    """What everybody can reach."""
    assert is_public(ipaddress.ip_address(address))


@dataclass
class Names(AbstractResolver):
    """A resolver that knows one name."""

    addresses: tuple[str, ...]
    asked: list[str] = field(default_factory=list)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses, whatever the name."""
        self.asked.append(host)
        flags = int(socket.AI_NUMERICHOST)
        return [
            ResolveResult(
                hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=flags
            )
            for one in self.addresses
        ]

    async def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("93.184.216.34", "127.0.0.1")])
async def test_a_name_that_leads_inside_is_refused(addresses: tuple[str, ...]) -> None:
    """Also where only one of its addresses does; no connection is made."""
    async with Receiver() as receiver:
        port = receiver.url.rpartition(":")[2]
        poster = HttpPoster(timeout_s=PATIENCE_S, resolver=Names(addresses))

        answer = await poster.post(f"http://hooks.example.com:{port}", {}, b"{}")

        assert answer == Answer(error="address_refused")
        assert receiver.got == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "[::1]", "localhost", "2130706433", "127.1", "0x7f000001",
        "[::ffff:127.0.0.1]", "0", "0177.0.0.1", "\uff11\uff12\uff17.0.0.1",
        "127\u30020\u30020\u30021",
    ],
)  # fmt: skip
async def test_an_address_inside_is_refused_however_it_is_written(host: str) -> None:
    """A number in any form, or the machine's own name for itself."""
    async with Receiver() as receiver:
        port = receiver.url.rpartition(":")[2]

        answer = await HttpPoster(timeout_s=PATIENCE_S).post(f"http://{host}:{port}", {}, b"{}")

        assert answer.error in ("address_refused", "unreachable")
        assert receiver.got == []


async def test_the_connection_goes_to_the_address_that_was_looked_at() -> None:
    """The name is resolved once: a second answer of its server could be another."""
    async with Receiver() as receiver:
        port = receiver.url.split(":")[2]
        names = Names(("127.0.0.1",))
        poster = HttpPoster(timeout_s=PATIENCE_S, allow_private=True, resolver=names)

        answer = await poster.post(f"http://hooks.example.com:{port}", {}, b"{}")

        assert answer == Answer(204)
        assert names.asked == ["hooks.example.com"]
        assert receiver.got[0].headers["Host"].startswith("hooks.example.com")


async def test_the_environment_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment is not asked: it would go around the check."""
    async with Receiver() as receiver, Receiver() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)

        await HttpPoster(timeout_s=PATIENCE_S, allow_private=True).post(receiver.url, {}, b"{}")

        assert (len(receiver.got), len(proxy.got)) == (1, 0)


@pytest.mark.parametrize(
    ("value", "pause_s"),
    [
        ("", None),
        ("30", 30.0),
        ("0", 0.0),
        ("99999999", MAX_PAUSE_S),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2115 07:28:00 GMT", MAX_PAUSE_S),
        ("soon", None),
        ("-5", None),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str, pause_s: float | None) -> None:
    """Seconds or a date, at most a day; nonsense is as if nothing was said."""
    assert _pause_s({"retry-after": value}) == pause_s
