"""One try of a delivery: a POST to a checked address, redirects not followed, bounded in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Protocol

import aiohttp
from aiohttp.abc import AbstractResolver

from service.watch.addresses import PublicResolver, TargetRefused, public_socket

REFUSED = "address_refused"
MAX_PAUSE_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a try: an HTTP status, or the `error` that there was none for.

    `retry_after_s` is how long the receiver wants to be left alone, at most a day.
    """

    status: int | None = None
    error: str | None = None
    retry_after_s: float | None = None

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver took it."""
        return self.status is not None and 200 <= self.status < 300


class Poster(Protocol):
    """Whoever sends a body to an address."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One try; it raises nothing that a receiver may cause."""
        ...


class HttpPoster:
    """Sends over HTTP. Every call has a connection of its own: alerts are few."""

    def __init__(
        self,
        *,
        timeout_s: float = 10.0,
        allow_private: bool = False,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._allow_private = allow_private
        self._resolver = resolver

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One try; `error` is `address_refused`, `timeout`, `tls`, `unreachable` or `broken`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(url, headers, body)
        except TargetRefused:
            return Answer(error=REFUSED)
        except TimeoutError:
            return Answer(error="timeout")
        except aiohttp.ClientSSLError:
            return Answer(error="tls")
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL):
            return Answer(error="unreachable")
        except (aiohttp.ClientError, OSError, ValueError):
            return Answer(error="broken")

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        is_open = self._allow_private
        connector = aiohttp.TCPConnector(
            resolver=self._resolver if is_open else PublicResolver(self._resolver),
            socket_factory=None if is_open else public_socket,
            use_dns_cache=False,
            force_close=True,
        )
        # What is in the environment must not lead around the check: no proxy, no .netrc.
        async with aiohttp.ClientSession(
            connector=connector, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            async with session.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return Answer(answer.status, retry_after_s=_pause_s(answer.headers))


def _pause_s(headers: Mapping[str, str]) -> float | None:
    """`retry-after` in seconds, given as such or as a date."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value) if value.isdigit() else _until_s(value)
    except ValueError:
        return None
    return min(max(0.0, seconds), MAX_PAUSE_S)


def _until_s(date: str) -> float:
    return parsedate_to_datetime(date).timestamp() - time.time()
