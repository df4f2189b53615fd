"""The proxied routes: read the request, hand it to the flow, send what comes back."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import suppress

import orjson
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from service.access import Caller
from service.call import JSON_HEADERS, Call, head
from service.dialects.base import Dialect
from service.errors import FairleadError
from service.exchange import Ask, Status, Timings
from service.middleware import error_headers
from service.recorder import Run
from service.routes.stored import StoredRoute
from service.routes.wire import (
    AsgiClient,
    ClientGone,
    FindProxy,
    Proxy,
    chunks_of,
    headers_of,
    read_body,
    until_gone,
)
from service.upstream import Target, choose
from storage.ids import new_id, now_us

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class ScoredRoute:
    """One route that is scored, in one dialect."""

    def __init__(self, route: str, dialect: Dialect, find: FindProxy) -> None:
        self._route = route
        self._dialect = dialect
        self._find = find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reads one request and runs it; an error before it runs is told in the dialect's form."""
        client = AsgiClient(send)
        try:
            await self._serve(scope, receive, client)
        except ClientGone:
            return
        except FairleadError as error:
            if client.has_started:
                raise
            headers = [*JSON_HEADERS, *error_headers(error).items()]
            await client.reply(error.status, headers, self._dialect.error(error))

    async def _serve(self, scope: Scope, receive: Receive, client: AsgiClient) -> None:
        proxy = self._find(scope)
        started = time.monotonic()
        caller = await proxy.access.identify(scope["headers"], "proxy")
        call = await self._call(proxy, scope, caller, await read_body(receive))
        call.run.timings.started = started
        call.run.timings.parse_s = time.monotonic() - started
        scope.setdefault("state", {})["model"] = call.run.ask.model
        await until_gone(receive, client, self._run(proxy, call, client))

    async def _run(self, proxy: Proxy, call: Call, client: AsgiClient) -> None:
        run = call.run
        if proxy.guard is not None:
            # A wait that is meant is no time of the proxy's own.
            run.timings.started += await proxy.guard.delay(run.key_id, run.ask.extension.user)
        await proxy.flow.run(call, client)

    async def _call(self, proxy: Proxy, scope: Scope, caller: Caller, body: bytes) -> Call:
        try:
            ask = self._dialect.parse(body, self._route, limits=proxy.read_limits)
            policy = proxy.policies.choose(
                self._route,
                ask.model,
                requested=ask.extension.policy,
                allowed=caller.policies if caller.key_id else None,
            )
            target = choose(proxy.targets, ask.model)
            if proxy.guard is not None:
                proxy.guard.expect_welcome(caller.key_id, ask.extension.user)
        except FairleadError as error:
            await self._reject(proxy, caller, error)
            raise
        run = Run(
            id=new_id("fl"),
            created_us=now_us(),
            ask=ask,
            policy=policy,
            upstream=target.name,
            key_id=caller.key_id,
        )
        query = scope["query_string"].decode("latin-1")
        return Call(run, self._dialect, target, headers_of(scope), query)

    async def _reject(self, proxy: Proxy, caller: Caller, error: FairleadError) -> None:
        """A request that cannot be run is recorded too, without its text."""
        ask = Ask(self._route, self._dialect.name, b"", model="", messages=[], prompt="")
        run = Run(
            id=new_id("fl"),
            created_us=now_us(),
            ask=ask,
            policy=proxy.policies.by_name["default"],
            key_id=caller.key_id,
            status=Status.REJECTED,
            http_status=error.status,
            error_code=error.code,
        )
        with suppress(FairleadError):
            await proxy.flow.recorder.keep(run)


class PassThrough:
    """Every other route below `/v1`: passed on untouched and unscored."""

    def __init__(self, find: FindProxy) -> None:
        self._find = find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes one request on and its answer back."""
        proxy = self._find(scope)
        caller = await proxy.access.identify(scope["headers"], "proxy")
        client = AsgiClient(send)
        with suppress(ClientGone):
            target, body = await self._target(proxy, scope, receive)
            work = self._pass(proxy, target, scope, body=body, client=client, caller=caller)
            await (until_gone(receive, client, work) if isinstance(body, bytes) else work)

    async def _target(
        self, proxy: Proxy, scope: Scope, receive: Receive
    ) -> tuple[Target, bytes | AsyncIterator[bytes]]:
        kind = dict(scope["headers"]).get(b"content-type", b"")
        if scope["method"] in ("GET", "DELETE") or kind.startswith(b"application/json"):
            body = await read_body(receive)
            model = _model(body)
            scope.setdefault("state", {})["model"] = model
            return (choose(proxy.targets, model) if model else proxy.targets[0]), body
        return proxy.targets[0], chunks_of(receive)

    async def _pass(
        self,
        proxy: Proxy,
        target: Target,
        scope: Scope,
        *,
        body: bytes | AsyncIterator[bytes],
        client: AsgiClient,
        caller: Caller,
    ) -> None:
        timings = Timings(started=time.monotonic())
        reply = await proxy.upstream.send(
            target,
            scope["path"].removeprefix("/v1"),
            method=scope["method"],
            headers=headers_of(scope),
            body=body or None,
            query=scope["query_string"].decode("latin-1"),
            is_decoded=False,
        )
        timings.upstream_head_s = time.monotonic() - timings.started
        ask = Ask(scope["path"], "none", b"", model="", messages=[], prompt="")
        policy = proxy.policies.by_name["default"]
        run = Run(new_id("fl"), now_us(), ask, policy, key_id=caller.key_id, timings=timings)
        try:
            await client.start(reply.status, head(run, reply.headers))
            async for chunk in reply.chunks():
                await client.send(chunk)
            await client.finish()
        finally:
            reply.close()


def proxied_routes(find: FindProxy, dialects: dict[str, Dialect]) -> list[BaseRoute]:
    """The scored routes, those of stored replies, then the one that takes the rest below `/v1`."""
    scored: list[BaseRoute] = [
        Route(route, ScoredRoute(route, dialect, find), methods=["POST"])
        for route, dialect in dialects.items()
    ]
    for dialect in dict.fromkeys(dialects.values()):
        for route in getattr(dialect, "stored_routes", ()):
            stored = StoredRoute(route, dialect, find)
            scored.append(Route(route, stored, methods=["GET", "POST"]))
    return [*scored, Route("/v1/{path:path}", PassThrough(find), methods=METHODS)]


def _model(body: bytes) -> str | None:
    with suppress(orjson.JSONDecodeError):
        parsed = orjson.loads(body) if body else None
        model = parsed.get("model") if isinstance(parsed, dict) else None
        return model if isinstance(model, str) else None
    return None
