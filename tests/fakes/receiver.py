"""A receiver of alerts on a real port: keeps what came, and answers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import standardwebhooks
from aiohttp import web

from tests.patience import until

SECRET = "whsec_" + "QUJD" * 10


@dataclass(frozen=True)
class Got:
    """One request."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Its `webhook-id`."""
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body)

    def verified(self, secret: str = SECRET) -> Any:
        """Its body, as the Standard Webhooks library gives it to whoever has the secret."""
        return standardwebhooks.Webhook(secret).verify(self.body, dict(self.headers))


@dataclass
class Receiver:
    """Answers each request with the next of `answers`, then with 204.

    An answer is a status, a status with headers, or None for none at all.
    """

    answers: list[int | tuple[int, dict[str, str]] | None] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    url: str = ""

    async def __aenter__(self) -> Self:
        """Opens a free port on loopback."""
        app = web.Application()
        app.router.add_post("/{any:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/hook"
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Closes it."""
        await self._runner.cleanup()

    async def received(self, count: int) -> list[Got]:
        """What came, as soon as so many have."""
        await until(lambda: len(self.got) >= count)
        return self.got

    @property
    def ids(self) -> list[str]:
        """The `webhook-id` of each request."""
        return [got.id for got in self.got]

    async def _take(self, request: web.Request) -> web.Response:
        self.got.append(Got(dict(request.headers), await request.read()))
        answer = self.answers.pop(0) if self.answers else 204
        if answer is None:
            await asyncio.Event().wait()
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        return web.Response(status=status or 500, headers=headers)
