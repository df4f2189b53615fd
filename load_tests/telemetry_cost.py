"""What telemetry costs: one exchange through the whole service, with it and without.

`python -m load_tests.telemetry_cost`. Upstream and scores cost nothing here, the record is in
SQLite, a collector in a process of its own throws away what it gets. The ways run in processes of
their own and take turns; told are the medians of the CPU time, sending in the background included.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from scorers.engine import Health
from scorers.errors import ScorerError
from scorers.types import Score, Side, Subject
from service.app import create_app
from service.policy import ScorerHeads
from service.settings import Settings
from service.upstream import Headers

ROUNDS = 5
EXCHANGES = 300
WAYS = {
    "off": {"exporter": "none"},
    "on": {"exporter": "otlp"},
    "on, one in a hundred": {"exporter": "otlp", "sample": 0.01},
    "on, with texts": {"exporter": "otlp", "content": True},
}
_REPLY = (
    b'{"id":"r","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":'
    b'"A reply of a few words."},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":9,"completion_tokens":6}}'
)
_COLLECTOR = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200); self.send_header("content-length", "0"); self.end_headers()
    def log_message(self, *given): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@dataclass(frozen=True)
class _Heads:
    heads: tuple[str, ...]
    default_heads: tuple[str, ...]


class Instant:
    """Engine and thresholds at once: every text has the same low risk, at no cost."""

    model = "instant@1"
    scorers: Mapping[str, ScorerHeads] = {
        "toxicity": _Heads(("toxic", "injection"), ("toxic",)),
        "faithfulness": _Heads(("unsupported",), ("unsupported",)),
        "sycophancy": _Heads(("sycophantic",), ("sycophantic",)),
    }

    def has(self, head: str, side: Side) -> bool:
        """Injection is of prompts, all else of replies, toxicity of both."""
        return head == "toxic" or (head == "injection") == (side is Side.PROMPT)

    def threshold(self, heads: Iterable[str], side: Side, fpr: float) -> float:
        """A risk that nothing here has."""
        del heads, side, fpr
        return 0.9

    def health(self) -> Health:
        """Always well."""
        return Health(
            is_ready=True, provider="cpu", model=self.model, reason="", deaths=0, queue_tokens=0
        )

    async def score(
        self,
        subject: Subject,
        *,
        scorers: Collection[str] | None = None,
        deadline: float | None = None,
    ) -> dict[str, Score]:
        """The same for each."""
        del deadline
        return {
            name: Score(name, subject.side, self.model, 0.1, dict.fromkeys(made.heads, 0.1))
            for name, made in self.scorers.items()
            if name in (scorers or ())
        }

    async def score_each(
        self,
        subjects: Iterable[Subject],
        *,
        scorers: Collection[str] | None = None,
        deadline: float | None = None,
    ) -> Sequence[Mapping[str, Score] | ScorerError]:
        """The same for many."""
        return [await self.score(one, scorers=scorers, deadline=deadline) for one in subjects]


class _Reply:
    status = 200
    headers: Headers = (("content-type", "application/json"),)
    content_type = "application/json"
    upstream = "default"

    async def read(self, limit_bytes: int) -> bytes:
        del limit_bytes
        return _REPLY

    async def chunks(self) -> AsyncIterator[bytes]:
        yield _REPLY

    def close(self) -> None:
        """Nothing is open."""


class _Upstream:
    async def send(self, *given: Any, **named: Any) -> _Reply:
        del given, named
        return _Reply()


async def _exchanges(folder: Path, telemetry: dict[str, Any]) -> float:
    """Microseconds of CPU time for one exchange."""
    settings = Settings.model_validate({
        "database_url": f"sqlite+aiosqlite:///{folder / 'cost.db'}",
        "upstreams": [{"url": "http://127.0.0.1:9/v1"}],
        "record": "relaxed",
        "logs": {"level": "error", "exchanges": False},
        **({"telemetry": telemetry} if telemetry["exporter"] != "none" else {}),
    })  # fmt: skip
    engine = Instant()
    app = create_app(settings, engine=engine, heads=engine, upstream=_Upstream())
    body = {"model": "m", "messages": [{"role": "user", "content": "A question, not long."}]}
    async with app.router.lifespan_context(app) as state:

        async def stated(scope: Any, receive: Any, send: Any) -> None:
            scope["state"] = dict(state or {})
            await app(scope, receive, send)

        transport = httpx.ASGITransport(app=stated)
        async with httpx.AsyncClient(transport=transport, base_url="http://cost") as client:
            for _ in range(50):
                (await client.post("/v1/chat/completions", json=body)).raise_for_status()
            began = time.process_time()
            for _ in range(EXCHANGES):
                await client.post("/v1/chat/completions", json=body)
    return (time.process_time() - began) / EXCHANGES * 1e6


def _measured_apart(name: str, collector: str) -> float:
    command = [sys.executable, "-m", "load_tests.telemetry_cost", "--one", name, collector]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def main() -> None:
    """Measure all ways in turn and print a table."""
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    with subprocess.Popen(
        [sys.executable, "-c", _COLLECTOR], stdout=subprocess.PIPE, text=True
    ) as collector:
        assert collector.stdout is not None
        url = f"http://127.0.0.1:{int(collector.stdout.readline())}"
        for _ in range(ROUNDS):
            for name in WAYS:
                found[name].append(_measured_apart(name, url))
        collector.terminate()
    table = Table("telemetry", "an exchange, CPU µs", "lowest", "highest")
    for name, rounds in found.items():
        row = (statistics.median(rounds), min(rounds), max(rounds))
        table.add_row(name, *(f"{value:.0f}" for value in row))
    Console().print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        with tempfile.TemporaryDirectory() as name:
            given = {**WAYS[sys.argv[2]], "endpoint": sys.argv[3]}
            print(asyncio.run(_exchanges(Path(name), given)))
    else:
        main()
