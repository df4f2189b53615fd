"""The least that a proxy can be: FastAPI in front, httpx or aiohttp behind, nothing between.

`python -m load_tests.bare httpx UPSTREAM_URL PORT`; the measure that Fairlead's own cost is
held against. It reads the body, sends it on and hands the answer back as it comes.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import httpx
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

ROUTE = "/v1/chat/completions"
JSON = {"content-type": "application/json"}


def over_httpx(upstream: str) -> FastAPI:
    """The proxy with httpx as its client."""
    client = httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=60)
    app = FastAPI()

    @app.post(ROUTE)
    async def proxy(request: Request) -> Response:
        body = await request.body()
        call = client.build_request("POST", upstream + ROUTE, content=body, headers=JSON)
        reply = await client.send(call, stream=True)
        if reply.headers["content-type"] == "application/json":
            return Response(await reply.aread(), reply.status_code, media_type="application/json")
        return StreamingResponse(reply.aiter_raw(), media_type="text/event-stream")

    return app


def over_aiohttp(upstream: str) -> FastAPI:
    """The proxy with aiohttp as its client."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as app.state.client:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post(ROUTE)
    async def proxy(request: Request) -> Response:
        body = await request.body()
        reply = await request.app.state.client.post(upstream + ROUTE, data=body, headers=JSON)
        if reply.content_type == "application/json":
            return Response(await reply.read(), reply.status, media_type="application/json")
        return StreamingResponse(reply.content.iter_any(), media_type="text/event-stream")

    return app


if __name__ == "__main__":
    make = {"httpx": over_httpx, "aiohttp": over_aiohttp}[sys.argv[1]]
    uvicorn.run(make(sys.argv[2]), port=int(sys.argv[3]), log_level="error", access_log=False)
