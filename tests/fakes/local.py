"""The whole service in this process, without a port: its lifespan, its state and a client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import make_url

from service.app import create_app
from service.settings import Settings
from service.state import KEY, State
from storage.records import InteractionRecord
from tests.schema import sqlite_url, write_database

NAME = "fairlead.db"


@dataclass(frozen=True)
class Local:
    """A service that runs, and a client for it; `lifespan` is what its requests are given."""

    client: httpx.AsyncClient
    lifespan: dict[str, Any]

    @property
    def state(self) -> State:
        """The service's parts."""
        state: State = self.lifespan[KEY]
        return state

    async def keep(self, *records: InteractionRecord) -> None:
        """Stores exchanges as the proxy would."""
        for record in records:
            await self.state.writer.put(record, is_durable=True)


def local_settings(folder: Path, **values: Any) -> Settings:
    """Settings of a service that scores nothing, with its record in a folder."""
    base: dict[str, Any] = {
        "database_url": sqlite_url(folder / NAME),
        "upstreams": [{"url": "http://127.0.0.1:9/v1"}],
        "policies": {"default": {"mode": "off"}},
    }
    return Settings.model_validate(base | values)


@asynccontextmanager
async def serving_locally(settings: Settings, **parts: Any) -> AsyncIterator[Local]:
    """Runs the service's lifespan; errors inside come back as responses, as on a port.

    Its record is migrated already, where that is a file to be: each start would take its time.
    """
    _migrate(settings)
    app = create_app(settings, **parts)
    async with app.router.lifespan_context(app) as given:
        state = dict(given or {})

        async def stated(scope: Any, receive: Any, send: Any) -> None:
            scope["state"] = dict(state)
            await app(scope, receive, send)

        transport = httpx.ASGITransport(app=stated, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
            yield Local(client, state)


def exchange(ident: str = "fl_1", **fields: Any) -> InteractionRecord:
    """A completed exchange of one choice, with the reply id `chatcmpl-<ident>`."""
    base: dict[str, Any] = {
        "id": ident,
        "created_us": 1_000_000,
        "response_ids": (f"chatcmpl-{ident}",),
        "route": "/v1/chat/completions",
        "dialect": "chat",
        "upstream": "default",
        "model": "fake-model",
        "status": "completed",
        "http_status": 200,
        "verdict": "allow",
        "prompt_hash": "same",
        "request": {"messages": [{"role": "user", "content": "Hello?"}]},
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": f"Hello from {ident}."},
                "delivered": f"Hello from {ident}.",
                "verdict": "allow",
                "finish_reason": "stop",
                "delivered_finish_reason": "stop",
            }
        ],
    }
    return InteractionRecord(**(base | fields))


def _migrate(settings: Settings) -> None:
    file = Path(make_url(settings.database_url).database or "")
    if file.name == NAME and not file.exists():
        write_database(file)
