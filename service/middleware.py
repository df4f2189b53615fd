"""Plain ASGI around everything: bounded bodies, bounded exchanges, no error without an envelope."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.dialects import spoken
from service.dialects.base import Dialect
from service.errors import BodyTooLarge, FairleadError, Overloaded, UserStopped
from service.metrics import Metrics

logger = logging.getLogger("fairlead.http")

PASSED = "/v1/*"
UNMATCHED = "unmatched"


class Outermost:
    """Counts every request, refuses what is too much, answers what nobody caught.

    This is one of the four places that catch `Exception`: it counts and logs, and tells the
    client nothing of the inside.
    """

    def __init__(
        self, app: ASGIApp, *, metrics: Metrics, max_exchanges: int, proxied: Mapping[str, Dialect]
    ) -> None:
        self._app = app
        self._proxied = dict(proxied)
        self._metrics = metrics
        self._max_exchanges = max_exchanges
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; everything that is not HTTP passes as it is."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self.in_flight += 1
        try:
            self._admit(scope)
            await self._app(scope, receive, noting)
        except FairleadError as error:
            if status:
                raise
            await self._answer(scope, noting, error)
        except Exception:
            self._metrics.crash(self._route(scope))
            logger.exception("request failed", extra={"route": self._route(scope)})
            if status:
                raise
            crash = FairleadError("something went wrong inside the proxy")
            await self._answer(scope, noting, crash)
        finally:
            self.in_flight -= 1
            self._count(scope, status)

    def _admit(self, scope: Scope) -> None:
        if self.in_flight > self._max_exchanges and scope["path"].startswith("/v1/"):
            raise Overloaded("too many exchanges are in flight; try again in a moment")

    def _count(self, scope: Scope, status: int) -> None:
        model = scope.get("state", {}).get("model")
        self._metrics.request(self._route(scope), model, status or 499)

    async def _answer(self, scope: Scope, send: Send, error: FairleadError) -> None:
        """Tells an error in the form of the route's dialect, OpenAI's where it has none."""
        dialect = spoken(self._proxied, scope["path"], scope["headers"])
        body = orjson.dumps(error.to_dict()) if dialect is None else dialect.error(error)
        await _send(send, error, body)

    def _route(self, scope: Scope) -> str:
        """The program's own name of the route, never the raw path."""
        path: str = scope["path"]
        if path in self._proxied:
            return path
        if "route" in scope:
            return str(scope["route"].path)
        return PASSED if path.startswith("/v1/") else UNMATCHED


class BodyLimit:
    """Refuses bodies over a limit: at once where the length is stated, else while reading."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; the error reaches whoever reads the body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        stated = next((v for k, v in scope["headers"] if k == b"content-length"), b"")
        if stated.isdigit() and int(stated) > self._max_bytes:
            raise self._too_large()
        size = 0

        async def counting() -> Message:
            nonlocal size
            message = await receive()
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                if size > self._max_bytes:
                    raise self._too_large()
            return message

        await self._app(scope, counting, send)

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"the body is over the limit of {self._max_bytes} bytes")


def error_headers(error: FairleadError) -> dict[str, str]:
    """The headers that go with an error."""
    headers = {}
    if error.status in (429, 503):
        headers["retry-after"] = "1"
    if isinstance(error, UserStopped):
        headers["retry-after"] = str(error.retry_after_s)
    if isinstance(error, BodyTooLarge):
        headers["connection"] = "close"
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    return headers


async def _send(send: Send, error: FairleadError, body: bytes) -> None:
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    headers |= error_headers(error)
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
