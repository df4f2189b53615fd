"""The application: routes around the parts, which live as long as it does."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from scorers.errors import ModelError
from service import dialects
from service.dialects.base import Dialect
from service.errors import BadRequest, Conflict, FairleadError, NotFound, StoreUnavailable
from service.metrics import Metrics
from service.middleware import PASSED, UNMATCHED, BodyLimit, Outermost, error_headers
from service.openapi import describe
from service.parts import Given, open_state
from service.policy import PolicyError, ThresholdSource
from service.routes import (
    abuse,
    agreement,
    comparisons,
    erasures,
    feedback,
    feedback_batch,
    gaps,
    health,
    interactions,
    moderations,
    preferences,
    scoring,
)
from service.routes.proxy import METHODS, ScoredRoute, proxied_routes
from service.routes.wire import Proxy
from service.settings import Settings
from service.sources import ConfigError
from service.state import KEY, HealthyEngine, state_in
from service.upstream import Upstream
from storage import errors as storage_errors
from storage.store import Store

logger = logging.getLogger("fairlead.http")

_UNPARSED = "There was an error parsing the body"
"""What FastAPI says where its parser fails on more than the grammar."""

START_FAILURES = (ConfigError, PolicyError, ModelError, storage_errors.StorageError)
"""What keeps a service from starting; each says what to do."""

ROUTERS = (
    feedback.router,
    feedback_batch.router,
    agreement.router,
    comparisons.router,
    interactions.router,
    abuse.router,
    gaps.router,
    preferences.router,
    erasures.router,
    scoring.router,
    moderations.router,
    health.router,
)


class Service(FastAPI):
    """FastAPI, but that its scored routes are reached before the framework's own layers.

    Those cost a scored request more than its own parsing does (DECISIONS.md).
    """

    front: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if self.front is None:
            await super().__call__(scope, receive, send)
        else:
            await self.front(scope, receive, send)


def create_app(
    settings: Settings,
    *,
    engine: HealthyEngine | None = None,
    heads: ThresholdSource | None = None,
    store: Store | None = None,
    upstream: Upstream | None = None,
    clock: Callable[[], float] | None = None,
    metrics: Metrics | None = None,
) -> FastAPI:
    """The service for these settings; nothing is opened before its lifespan begins.

    A part that is given is used as it is, and its giver closes it; an `engine` needs its `heads`.
    """
    metrics = metrics or Metrics(max_models=settings.limits.metric_models)
    given = Given(engine=engine, heads=heads, store=store, upstream=upstream)
    if clock is not None:
        given = Given(engine=engine, heads=heads, store=store, upstream=upstream, clock=clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with AsyncExitStack() as stack:
            try:
                state = await open_state(settings, stack, given=given, metrics=metrics)
            except START_FAILURES as error:
                logger.error("cannot start", extra={"reason": str(error)})  # noqa: TRY400
                raise
            logger.info("ready", extra={"upstreams": len(state.proxy.targets)})
            yield {KEY: state}
            logger.info("stopping")

    app = Service(title="Fairlead", version=_version(), lifespan=lifespan, redirect_slashes=False)
    scored = dialects.by_route()
    for router in ROUTERS:
        app.include_router(router)
    *hot, rest = proxied_routes(_proxy, scored)
    # Scored routes are looked at first, for speed; what takes all the rest comes last.
    app.router.routes[:0] = hot
    app.router.routes.extend([*_nowhere(), rest])
    app.front = _front(app, settings, metrics)
    _handle_errors(app, scored)
    describe(app, tuple(scored))
    metrics.begin({"internal_errors": ((route,) for route in _route_names(scored))})
    return app


def _front(app: FastAPI, settings: Settings, metrics: Metrics) -> ASGIApp:
    """What a request meets first: the bounds, then its scored route, else the framework."""
    scored = dialects.by_route()
    shortcuts = {route: ScoredRoute(route, dialect, _proxy) for route, dialect in scored.items()}

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        shortcut = shortcuts.get(scope.get("path", ""))
        if shortcut is not None and scope.get("method") == "POST":
            await shortcut(scope, receive, send)
        else:
            await FastAPI.__call__(app, scope, receive, send)

    bounded = BodyLimit(dispatch, max_bytes=settings.limits.body_bytes)
    return Outermost(
        bounded,
        metrics=metrics,
        max_exchanges=settings.limits.exchanges,
        proxied=scored,
    )


def _proxy(scope: Scope) -> Proxy:
    return state_in(scope).proxy


def _nowhere() -> Iterator[Route]:
    """What lies among our own paths below `/v1` and is none of them: no upstream's business."""
    ours = (one.path for router in ROUTERS for one in router.routes if isinstance(one, Route))
    names = {path.split("/")[2] for path in ours if path.startswith("/v1/")}
    for name in sorted(names):
        yield Route(f"/v1/{name}", _unknown, methods=METHODS)
        yield Route(f"/v1/{name}/{{rest:path}}", _unknown, methods=METHODS)


async def _unknown(_: Request) -> Response:
    raise NotFound(
        "Fairlead has no such route, or not with this method; /openapi.json lists its routes"
    )


def _route_names(scored: Iterable[str]) -> set[str]:
    """The labels of routes."""
    ours = (route for router in ROUTERS for route in router.routes)
    return {*scored, PASSED, UNMATCHED} | {one.path for one in ours if isinstance(one, Route)}


def _version() -> str:
    try:
        return version("fairlead")
    except PackageNotFoundError:
        return "0+source"


def _handle_errors(app: FastAPI, scored: Mapping[str, Dialect]) -> None:
    @app.exception_handler(FairleadError)
    async def on_error(request: Request, error: FairleadError) -> Response:
        return error_response(error, spoken_to(request))

    @app.exception_handler(storage_errors.StorageError)
    async def on_storage(_: Request, error: storage_errors.StorageError) -> Response:
        return error_response(_from_storage(error))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, error: RequestValidationError) -> Response:
        return error_response(_from_validation(error))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        return error_response(_from_http(error), spoken_to(request), headers=headers)

    def spoken_to(request: Request) -> Dialect | None:
        return dialects.spoken(scored, request.url.path, request.scope["headers"])


def error_response(
    error: FairleadError, dialect: Dialect | None = None, *, headers: dict[str, str] | None = None
) -> Response:
    """An error in the envelope of the dialect, else in OpenAI's."""
    return Response(
        orjson.dumps(error.to_dict()) if dialect is None else dialect.error(error),
        status_code=error.status,
        headers=error_headers(error) | (headers or {}),
        media_type="application/json",
    )


def _from_storage(error: storage_errors.StorageError) -> FairleadError:
    if isinstance(error, storage_errors.InvalidCursor):
        return BadRequest(str(error), param="cursor")
    if isinstance(error, storage_errors.SpoolHeld):
        return Conflict(str(error))
    if isinstance(error, storage_errors.ExportError):
        option = error.option
        message = f"{option}: {error}" if option else str(error)
        return BadRequest(message, param=option or "format")
    if isinstance(error, storage_errors.MissingRecord):
        return NotFound("what this speaks of has been removed meanwhile; nothing was stored")
    logger.error("store failed", extra={"error": type(error).__name__, "label": error.label})
    return StoreUnavailable("the store does not answer now; try again later")


def _from_validation(error: RequestValidationError) -> BadRequest:
    """The first complaint, naming the field; what the client sent is not quoted."""
    first = error.errors()[0]
    is_whole = len(first["loc"]) == 1
    if first["type"] == "json_invalid" or (is_whole and first["type"] == "model_attributes_type"):
        return BadRequest("the body is no JSON object sent as `application/json`")
    where = [str(part) for part in first["loc"][1:]]
    param = ".".join(where) or None
    unknown = first["type"] == "extra_forbidden"
    message = "unknown field" if unknown else str(first["msg"])
    return BadRequest(f"{param}: {message}" if param else message, param=param)


def _from_http(error: HTTPException) -> FairleadError:
    if isinstance(error.__cause__, FairleadError):
        # FastAPI wraps what reading the body raised.
        return error.__cause__
    if error.status_code == 404:
        return NotFound("there is no such route; /openapi.json lists the routes")
    if error.status_code == 400 and error.detail == _UNPARSED:
        return BadRequest("the body cannot be read as JSON: it is nested too deep, or no UTF-8")
    found = BadRequest(str(error.detail))
    found.status = error.status_code
    return found
