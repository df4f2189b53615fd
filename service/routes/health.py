"""Whether the service lives, whether it can work, and its figures."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from scorers.types import Side
from service.routes.views import answer
from service.state import State, state_of
from service.watch.scorers import trouble
from storage.errors import StorageError

router = APIRouter(tags=["health"])

PING_S = 1.0


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "a part is not ready, and which"}})
async def readyz(request: Request) -> Response:
    """200 only when scorers are warm on the provider asked for and the store takes records."""
    state = state_of(request)
    parts = {"scorers": _scorers(state), "store": await _store(state), "writer": _writer(state)}
    parts["alerts"] = _alerts(state)
    is_ready = all(part["ready"] for part in parts.values())
    found = {
        "status": "ready" if is_ready else "not ready",
        "parts": parts,
        "left_out": [str(rule) for rule in state.policies.left_out],
    }
    return answer(found, 200 if is_ready else 503)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """The figures of all workers in Prometheus' text format."""
    state = state_of(request)
    if not state.settings.access.open_metrics:
        await state.access.identify(request.scope["headers"], "admin")
    # With several workers it is the reading of files, which need not keep the streams waiting.
    text = await asyncio.to_thread(state.metrics.render)
    return Response(text, media_type=state.metrics.content_type)


def _scorers(state: State) -> dict[str, Any]:
    if state.engine is None:
        return {"ready": True, "reason": "no policy scores anything"}
    health = state.engine.health()
    reason = trouble(health, provider=state.settings.scoring.provider)
    part = {
        "ready": not reason,
        "provider": health.provider,
        "model": health.model,
        "scorers": sorted(_used(state)),
    }
    return part | ({"reason": reason} if reason else {})


def _used(state: State) -> set[str]:
    """The scorers that any policy asks."""
    policies = state.policies.by_name.values()
    return {name for policy in policies for side in Side for name in policy.scorers(side)}


async def _store(state: State) -> dict[str, Any]:
    try:
        async with asyncio.timeout(PING_S):
            await state.store.ping()
    except TimeoutError:
        return {"ready": False, "reason": f"no answer within {PING_S:g} s"}
    except StorageError as error:
        return {"ready": False, "reason": error.label}
    return {"ready": True}


def _writer(state: State) -> dict[str, Any]:
    writer = state.writer
    part: dict[str, Any] = {
        "ready": writer.is_healthy,
        "pending_records": writer.pending_records,
        "spooled_bytes": writer.spooled_bytes,
        "spool_limit_bytes": writer.spool_limit_bytes,
    }
    if writer.is_healthy:
        return part
    return part | {"reason": "records do not reach the store and wait in the spool"}


def _alerts(state: State) -> dict[str, Any]:
    """Who is not told of alerts any more. Traffic does not depend on it: it is always ready."""
    disabled = sorted(state.watching.sender.disabled)
    return {"ready": True} | ({"disabled_webhooks": disabled} if disabled else {})
