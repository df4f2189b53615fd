"""As many requests as a number of connections can carry: wrk where it is installed.

Without wrk a generator in Python takes over; it shares the machine with what it measures
and costs much more per request, so its figures are lower and are marked as such.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from load_tests.contender import ROUTE

_LUA = """
local file = io.open("%s", "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer sk-load"
file:close()
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'RESULT {"requests": %%d, "duration_s": %%f, "p50_ms": %%f, "p99_ms": %%f, "errors": %%d}\\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What one round showed."""

    requests: int
    duration_s: float
    p50_ms: float
    p99_ms: float
    errors: int
    cpu_s: float = 0.0
    unscored: int = 0
    tokens: float = 0.0

    @property
    def per_s(self) -> float:
        """Requests answered in a second."""
        return self.requests / self.duration_s

    @property
    def cpu_ms(self) -> float:
        """The server's CPU milliseconds for one request."""
        return 1000 * self.cpu_s / self.requests if self.requests else 0.0


def generator() -> str:
    """Which generator `drive` uses here."""
    return "wrk" if shutil.which("wrk") else "python"


def drive(url: str, body: bytes, *, connections: int, duration_s: float) -> Load:
    """Post the body over and over and say what came of it."""
    if generator() == "python":
        return asyncio.run(_drive_python(url, body, connections, duration_s))
    with tempfile.TemporaryDirectory() as folder:
        payload, script = Path(folder, "body.json"), Path(folder, "post.lua")
        payload.write_bytes(body)
        script.write_text(_LUA % payload)
        size = ["-t", "1", "-c", str(connections), "-d", f"{max(1, round(duration_s))}s"]
        command = ["wrk", *size, "--timeout", "20s", "-s", str(script), url + ROUTE]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    line = next(line for line in output.splitlines() if line.startswith("RESULT "))
    return Load(**json.loads(line.removeprefix("RESULT ")))


async def _drive_python(url: str, body: bytes, connections: int, duration_s: float) -> Load:
    took: list[float] = []
    failed = 0
    until = time.perf_counter() + duration_s

    async def repeat() -> None:
        nonlocal failed
        async with _Client(url) as client:
            while (begun := time.perf_counter()) < until:
                ok = await client.post(body)
                took.append(time.perf_counter() - begun)
                failed += not ok

    await asyncio.gather(*(repeat() for _ in range(connections)))
    ordered = sorted(took) or [0.0]
    p50, p99 = (1000 * ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99))
    return Load(len(took), duration_s, p50, p99, failed)


class _Client:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def post(self, body: bytes) -> bool:
        head = f"POST {ROUTE} HTTP/1.1\r\nhost: {self._host}\r\ncontent-type: application/json\r\n"
        head += f"authorization: Bearer sk-load\r\ncontent-length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        _, has_length, rest = answer.partition(b"content-length:")
        if has_length:
            await self._reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
        else:
            while size := int(await self._reader.readline(), 16):
                await self._reader.readexactly(size + 2)
            await self._reader.readline()
        return answer.startswith(b"http/1.1 200")
