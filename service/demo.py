"""`fairlead demo`: a scripted endpoint, the real proxy with the shipped model, and what came of it.

Nothing is arranged: the scores are the model's, and a bad reply that it does not catch is shown
as such.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import uvicorn
from rich.console import Console

from service.app import create_app
from service.commands.serve import check
from service.demo_table import Result, summary, verdict_table
from service.demo_upstream import MODEL, Scripted, exchanges
from service.demo_upstream import serving as serving_upstream
from service.logs import set_up_logs
from service.settings import Settings
from storage.exports.card import FileOptions
from storage.exports.run import export_file
from storage.store import Store

HOST = "127.0.0.1"
PORT = 8080
DATABASE = "fairlead-demo.db"
_WIDTH = 148


def run(*, is_once: bool, console: Console | None = None) -> int:
    """Run the demo and return the exit code; without `is_once` it serves until interrupted.

    With `is_once` every port is free-chosen and the record lives in a temporary folder;
    otherwise it is kept in `fairlead-demo.db` in the working folder.
    """
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH)
    with tempfile.TemporaryDirectory(prefix="fairlead-demo-") as name:
        folder = Path(name) if is_once else Path.cwd()
        try:
            return asyncio.run(_demo(console, folder, is_once=is_once))
        except KeyboardInterrupt:
            return 0


async def _demo(console: Console, folder: Path, *, is_once: bool) -> int:
    scripted = exchanges()
    port = 0 if is_once else choose_port(PORT, console)
    async with serving_upstream(scripted) as upstream_url:
        settings = demo_settings(upstream_url, folder / DATABASE, port)
        check(settings)
        set_up_logs(settings.logs.level)
        async with serving_proxy(settings) as (serving, url):
            console.print(f"The proxy listens on {url}, its upstream on {upstream_url}.\n")
            results = await send_all(url, scripted)
            console.print(verdict_table(results))
            console.print(summary(results), highlight=False)
            await _give_feedback(url, results)
            await _export(console, settings.database_url, folder)
            _print_addresses(console, url)
            if not is_once:
                console.print("Ctrl-C ends it.")
                await serving
    return 0


def demo_settings(upstream_url: str, database: Path, port: int) -> Settings:
    """The settings of a plain `serve --upstream`, but for the addresses and a quiet log."""
    return Settings.model_validate(
        {
            "listen": {"host": HOST, "port": port},
            "database_url": f"sqlite+aiosqlite:///{database}",
            "upstreams": [{"name": "demo", "url": upstream_url}],
            "logs": {"level": "error", "exchanges": False},
        }
    )


def choose_port(wanted: int, console: Console) -> int:
    """The port that was wanted, or 0 (any) with a word about it where it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            console.print(f"Port {wanted} is taken; the proxy takes a free one instead.")
            return 0
    return wanted


@asynccontextmanager
async def serving_proxy(settings: Settings) -> AsyncIterator[tuple[asyncio.Task[None], str]]:
    """Run the proxy in this process; yields its task, done when it was stopped, and its URL."""
    app = create_app(settings)
    config = uvicorn.Config(app, HOST, settings.listen.port, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            if task.done():
                raise RuntimeError("the proxy did not start; `fairlead serve` says why")
            await asyncio.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield task, f"http://{HOST}:{port}"
    finally:
        server.should_exit = True
        await task


async def send_all(url: str, scripted: Sequence[Scripted]) -> list[Result]:
    """Send the exchanges one after the other, as a chat client would."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        return [await _send(client, one) for one in scripted]


async def _send(client: httpx.AsyncClient, scripted: Scripted) -> Result:
    route = "/v1/chat/completions"
    async with client.stream("POST", route, json=scripted.request()) as reply:
        body = await reply.aread()
    is_stream = reply.headers["content-type"].startswith("text/event-stream")
    chunks = _events(body) if is_stream else [orjson.loads(body)]
    interaction_id = reply.headers["x-fairlead-id"]
    recorded = (await client.get(f"/v1/interactions/{interaction_id}")).json()
    return Result(
        scripted=scripted,
        id=interaction_id,
        reply_id=next((chunk["id"] for chunk in chunks if "id" in chunk), interaction_id),
        status=reply.status_code,
        # The header of a stream leaves before its verdict is known; the record has the last word.
        verdict=recorded["verdict"],
        overhead_ms=f"{float(reply.headers['x-fairlead-overhead-ms']):.0f}",
        text="".join(_text(chunk) for chunk in chunks),
        finish_reason=next(filter(None, map(_finish_reason, chunks)), None),
        interaction=recorded,
    )


def _events(body: bytes) -> list[dict[str, Any]]:
    lines = (line.removeprefix(b"data: ") for line in body.split(b"\n"))
    return [orjson.loads(line) for line in lines if line.startswith(b"{")]


def _text(chunk: dict[str, Any]) -> str:
    if "error" in chunk:
        return str(chunk["error"]["message"])
    said = [
        _said(choice.get("delta") or choice.get("message") or {}) for choice in chunk["choices"]
    ]
    return "".join(said)


def _said(message: dict[str, Any]) -> str:
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    called = (f"{f.get('name', '')} {f['arguments']}".lstrip(" ") for f in calls)
    return (message.get("content") or "") + "".join(called)


def _finish_reason(chunk: dict[str, Any]) -> str | None:
    reasons = (choice.get("finish_reason") for choice in chunk.get("choices", ()))
    return next(filter(None, reasons), None)


async def _give_feedback(url: str, results: Sequence[Result]) -> None:
    """Thumbs and one comparison, by the replies' own ids, as an application would give them."""
    by_rating = {result.scripted.rating: result for result in results}
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        for rating in ("up", "down"):
            thumb = {"id": by_rating[rating].reply_id, "rating": rating, "rater": "demo"}
            (await client.post("/v1/feedback", json=thumb)).raise_for_status()
        chosen, rejected = by_rating["chosen"].reply_id, by_rating["rejected"].reply_id
        pair = {"chosen": chosen, "rejected": rejected, "rater": "demo"}
        (await client.post("/v1/feedback/comparisons", json=pair)).raise_for_status()


async def _export(console: Console, database_url: str, folder: Path) -> None:
    store = await Store.open(database_url)
    try:
        for name in ("dpo", "kto"):
            path = folder / f"fairlead-demo-{name}.jsonl"
            done = await export_file(store, name, path, how=FileOptions(is_forced=True))
            console.print(f"\n{name.upper()}: {done.written} rows in {path.name}, the first:")
            first = path.read_bytes().split(b"\n", 1)[0].decode()
            console.print(first, highlight=False, markup=False, soft_wrap=True)
    finally:
        await store.close()


def _print_addresses(console: Console, url: str) -> None:
    ask = f'{{"model":"{MODEL}","messages":[{{"role":"user","content":"Hello"}}]}}'
    console.print(f"\nMetrics {url}/metrics   Record {url}/v1/interactions")
    console.print(
        f"curl {url}/v1/chat/completions -H 'content-type: application/json' -d '{ask}'",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
