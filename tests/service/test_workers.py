"""Two real worker processes show one set of figures, whichever of them is asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.upstream import Upstream, closed_port_url

LIMIT_S = 120.0
MODELS = 3
ROUTE = "/v1/chat/completions"


@dataclass
class Served:
    """A server of two workers, and where their figures lie."""

    url: str
    process: asyncio.subprocess.Process
    temporary: Path

    @property
    def folder(self) -> Path:
        """The common folder of the workers."""
        (found,) = self.temporary.glob("fairlead-metrics-*")
        return found

    def pids(self) -> set[int]:
        """The workers by what stands in their slots."""
        return {int(path.read_text() or 0) for path in self.folder.glob("*.lock")}

    async def ask(self, model: str, *, rating: str | None = None) -> None:
        """One exchange on a connection of its own, so that either worker may take it."""
        body = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as client:
            reply = await client.post(ROUTE, json=body)
            assert reply.status_code == 200
            if rating is not None:
                mark = {"id": reply.headers["x-fairlead-id"], "rating": rating}
                assert (await client.post("/v1/feedback", json=mark)).status_code == 201

    async def scrape(self) -> dict[str, float]:
        """All samples by name and labels, from whichever worker answers."""
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as client:
            text = (await client.get("/metrics")).text
        return {
            sample.name + json.dumps(sample.labels, sort_keys=True): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    async def answered(self) -> float:
        """Chats that were answered, by the sum over all workers."""
        found = await self.scrape()
        return sum(
            value
            for key, value in found.items()
            if key.startswith("fairlead_requests_total") and f'"{ROUTE}"' in key
        )

    async def until_answered(self, count: int) -> None:
        """A request is counted just after its client has its answer."""
        async with asyncio.timeout(LIMIT_S):
            while await self.answered() < count:  # noqa: ASYNC110 - a scrape tells nobody
                await asyncio.sleep(0.05)


@pytest.fixture
async def served(tmp_path: Path, upstream: Upstream) -> AsyncIterator[Served]:
    """`fairlead serve --workers 2`, without scoring."""
    url = closed_port_url().removesuffix("/v1")
    config = {
        "listen": {"host": "127.0.0.1", "port": int(url.rpartition(":")[2])},
        "database_url": f"sqlite+aiosqlite:///{tmp_path / 'workers.db'}",
        "upstreams": [{"name": "fake", "url": upstream.url}],
        "policies": {"default": {"mode": "off"}},
        "limits": {"metric_models": MODELS},
        "logs": {"level": "error"},
    }
    (tmp_path / "fairlead.yaml").write_text(json.dumps(config))
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    command = ["-m", "service.cli", "serve", "--config", str(tmp_path / "fairlead.yaml")]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, "--workers", "2", env={**os.environ, "TMPDIR": str(temporary)}
    )
    found = Served(url, process, temporary)
    try:
        await asyncio.wait_for(until_workers(found, 2), LIMIT_S)
        yield found
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), LIMIT_S)


async def until_workers(served: Served, count: int) -> None:
    """So many workers live and answer."""
    while True:
        assert served.process.returncode is None, "the server ended"
        with contextlib.suppress(httpx.TransportError):
            if (await served.scrape()).get("fairlead_workers{}") == count:
                return
        await asyncio.sleep(0.1)


def workers_that_counted(folder: Path) -> int:
    """How many workers have answered a chat themselves."""
    asked = b'"fairlead_requests_total", {"model": "m", "route": "%s"' % ROUTE.encode()
    return sum(asked in path.read_bytes() for path in folder.glob("counter_*.db"))


async def test_counts_of_two_workers_add_up(served: Served) -> None:
    """Over many scrapes the sum is exact, never shrinks, and both workers have a part in it."""
    asked = 0
    sums = []
    while workers_that_counted(served.folder) < 2:
        ratings = ["up", "down", None, "up"]
        await asyncio.gather(*(served.ask("m", rating=rating) for rating in ratings))
        asked += len(ratings)
        sums.append(await served.answered())
    await served.until_answered(asked)
    scrapes = [await served.scrape() for _ in range(10)]

    assert sums == sorted(sums)
    labels = {"model": "m", "route": ROUTE, "status": "200"}
    for found in scrapes:
        assert found["fairlead_requests_total" + json.dumps(labels)] == asked
        assert found['fairlead_feedback_total{"rating": "up"}'] == asked / 2
        assert found["fairlead_recorder_pending{}"] == 0
        count = json.dumps({"route": ROUTE, "stage": "total"})
        assert found["fairlead_overhead_seconds_count" + count] == asked
        assert found["process_resident_memory_bytes{}"] > 0


async def test_first_events_of_two_workers_are_increases(served: Served) -> None:
    """What may come stands at 0 before it does, in the sum of all workers too."""
    before = await served.scrape()
    await served.ask("m", rating="down")
    await served.until_answered(1)
    after = await served.scrape()

    thumbs = 'fairlead_feedback_total{"rating": "down"}'
    assert (before[thumbs], after[thumbs]) == (0, 1)
    veto = {"model": "m", "policy": "default", "status": "vetoed", "verdict": "veto"}
    assert after["fairlead_exchanges_total" + json.dumps(veto)] == 0


async def test_a_killed_workers_counts_stay_and_its_place_is_taken(served: Served) -> None:
    """Counts never fall, what its gauges said is gone, and its files are used again."""
    for _ in range(8):
        await served.ask("m")
    await served.until_answered(8)
    before = served.pids()
    os.kill(min(before), signal.SIGKILL)
    while served.pids() == before:
        with contextlib.suppress(httpx.TransportError):
            assert await served.answered() == 8
        await asyncio.sleep(0.05)
    await asyncio.wait_for(until_workers(served, 2), LIMIT_S)
    await served.ask("m")
    await served.until_answered(9)

    assert await served.answered() == 9
    slots = {re.sub(r"\D", "", path.name) for path in served.folder.glob("*.db")}
    assert slots == {"0", "1"}
    folder = served.folder
    served.process.terminate()
    await asyncio.wait_for(served.process.wait(), LIMIT_S)
    assert not folder.exists()


async def test_two_workers_share_the_cap_on_models(served: Served) -> None:
    """However many names are served by either, so many have a label and the rest share one."""
    names = [f"model-{number}" for number in range(12)]
    await asyncio.gather(*(served.ask(name) for name in names))
    await served.until_answered(len(names))

    keys = [key for key in await served.scrape() if key.startswith("fairlead_requests_total")]
    shown = {json.loads(key.partition("_total")[2])["model"] for key in keys if ROUTE in key}
    assert len(shown) == MODELS + 1
    assert "other" in shown
