"""A real Prometheus with our rules, scraping one address; Debian's `prometheus` has the program."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

RULES = Path(__file__).parents[1] / "dashboards" / "prometheus" / "rules.yml"
START_S = 60.0


class NoPrometheus(Exception):
    """The program is not there."""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running server."""

    url: str
    client: httpx.AsyncClient

    async def query(self, expr: str, *, at: float | None = None) -> list[dict[str, Any]]:
        """The vector that an expression gives now, or at a time in seconds."""
        found = await self._ask("query", {"query": expr, **({} if at is None else {"time": at})})
        result: list[dict[str, Any]] = found["result"]
        return result

    async def _ask(self, what: str, params: Mapping[str, Any]) -> dict[str, Any]:
        reply = await self.client.get(f"/api/v1/{what}", params=dict(params))
        told = reply.json()
        if told["status"] != "success":
            raise ValueError(f"{told['error']}: {params}")
        data: dict[str, Any] = told["data"]
        return data


@asynccontextmanager
async def watching(
    target: str, folder: Path, *, interval: str = "1s", job: str = "fairlead"
) -> AsyncIterator[Prometheus]:
    """Run Prometheus in a folder of its own, on a free port, until the block ends.

    `target` is the HOST:PORT that is scraped. Raises NoPrometheus where it is not installed.
    """
    program = shutil.which("prometheus")
    if program is None:
        raise NoPrometheus("no `prometheus` on the path: apt-get install prometheus")
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(_configuration(target, interval, job)))
    port = _free_port()
    command = [program, f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    process = await asyncio.create_subprocess_exec(*command)
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
            await asyncio.wait_for(_until_ready(process, client), START_S)
            yield Prometheus(url, client)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def _configuration(target: str, interval: str, job: str) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [target]}]}],
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _until_ready(process: asyncio.subprocess.Process, client: httpx.AsyncClient) -> None:
    while process.returncode is None:
        with contextlib.suppress(httpx.TransportError):
            if (await client.get("/-/ready")).status_code == 200:
                return
        await asyncio.sleep(0.1)
    raise RuntimeError(f"prometheus ended with code {process.returncode}")
