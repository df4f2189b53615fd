"""`fairlead serve`: looks whether the proxy can run, then runs it."""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from service.access import is_required
from service.app import create_app
from service.commands.failures import UsageError
from service.commands.models import compiled
from service.commands.terminal import settings_of
from service.logs import set_up_logs
from service.metrics import Metrics
from service.parts import targets, text_keeper
from service.settings import Settings
from service.shared_metrics import FOLDER, Shared
from service.sources import RESOLVED
from service.watch.webhooks import webhooks
from storage import migrate
from storage.store import Store

_KEEP_ALIVE_S = 75


def run(args: argparse.Namespace) -> int:
    """Serves until it is told to stop."""
    settings = settings_of(args, flags_of(args))
    check(settings)
    _expect_free(settings.listen.host, settings.listen.port)
    asyncio.run(_prepare(settings))
    set_up_logs(settings.logs.level)
    os.environ[RESOLVED] = settings.model_dump_json()
    with _figures_folder(settings.listen.workers):
        uvicorn.run(
            "service.commands.serve:worker",
            factory=True,
            host=settings.listen.host,
            port=settings.listen.port,
            workers=settings.listen.workers,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=math.ceil(settings.timeouts.drain_s),
        )
    return 0


def _expect_free(host: str, port: int) -> None:
    """UsageError where nobody can listen there: before the model is loaded."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        why = error.strerror or error
        raise UsageError(
            f"cannot listen on {host}, port {port}: {why}; see --host, --port"
        ) from None


def worker() -> FastAPI:
    """The application of one worker process, from the settings that `run` left for it."""
    settings = Settings.model_validate_json(os.environ[RESOLVED])
    set_up_logs(settings.logs.level)
    shared = Shared(Path(os.environ[FOLDER])) if settings.listen.workers > 1 else None
    metrics = Metrics(max_models=settings.limits.metric_models, shared=shared)
    return create_app(settings, metrics=metrics)


@contextmanager
def _figures_folder(workers: int) -> Iterator[None]:
    """A new folder for the figures of several workers, gone when they are."""
    if workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="fairlead-metrics-") as folder:
        os.environ[FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER]


def flags_of(args: argparse.Namespace) -> dict[str, Any]:
    """The flags as settings."""
    listen = {name: getattr(args, name) for name in ("host", "port", "workers")}
    flags: dict[str, Any] = {
        "listen": {name: value for name, value in listen.items() if value is not None}
    }
    if args.upstream:
        flags["upstreams"] = [{"name": "default", "url": args.upstream}]
    return flags


def check(settings: Settings) -> None:
    """Raises where the settings cannot be served: before anything is started."""
    if not settings.upstreams:
        raise UsageError("no upstream: give --upstream URL, or list one under `upstreams`")
    targets(settings)
    webhooks(settings.alerts)
    text_keeper(settings)
    compiled(settings)


async def _prepare(settings: Settings) -> None:
    """Migrates an embedded store, and looks for a key where keys are needed."""
    url = settings.database_url
    await (migrate.upgrade(url) if url.startswith("sqlite") else migrate.check(url))
    if not is_required(settings.listen.host, required=settings.access.required):
        return
    store = await Store.open(url)
    try:
        async with store.reading() as unit:
            keys = [key for key in await unit.keys.all() if key.revoked_us is None]
    finally:
        await store.close()
    if not keys:
        raise UsageError(
            f"bound to {settings.listen.host}, the proxy asks for API keys, and there are none: "
            "create one with `fairlead keys create NAME`, or bind to 127.0.0.1"
        )
