"""Two services on one PostgreSQL: what people say to either is counted once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from storage import migrate
from storage.store import Store
from tests.fakes.answering import until_answering
from tests.fakes.upstream import Upstream, closed_port_url
from tests.storage.postgres import running_cluster

START_LIMIT_S = 90.0
REPLIES = 4
RATERS = 12


@pytest.fixture(params=["postgres"] if os.environ.get("FAIRLEAD_TEST_POSTGRES") else [])
def shared_url() -> Iterator[str]:
    """The URL of an empty database on a server of this test's own."""
    with running_cluster() as cluster:
        cluster.create("shared")
        yield cluster.url("shared")


@contextlib.asynccontextmanager
async def _serving(folder: Path, database_url: str, upstream_url: str) -> AsyncIterator[str]:
    base = closed_port_url().removesuffix("/v1")
    config = folder / f"{base.rpartition(':')[2]}.yaml"
    settings = {
        "listen": {"host": "127.0.0.1", "port": int(base.rpartition(":")[2])},
        "database_url": database_url,
        "spool_dir": str(folder / "spool"),
        "upstreams": [{"url": upstream_url}],
        "policies": {"default": {"mode": "off"}},
        "logs": {"level": "error"},
    }
    config.write_text(json.dumps(settings))
    command = [sys.executable, "-m", "service.cli", "serve", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*command)
    try:
        await asyncio.wait_for(until_answering(process, base), START_LIMIT_S)
        yield base
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _post(
    session: aiohttp.ClientSession, url: str, body: dict[str, Any], key: str = ""
) -> tuple[int, str, dict[str, Any]]:
    headers = {"Idempotency-Key": key} if key else {}
    async with session.post(url, json=body, headers=headers) as reply:
        return reply.status, reply.headers.get("x-fairlead-id", ""), await reply.json()


async def test_feedback_to_two_processes_is_counted_once(shared_url: str, tmp_path: Path) -> None:
    """One key sent to both processes is one rating; without a key each is one, a rater counts once.

    All of it comes at once, every rater on every reply.
    """
    await migrate.upgrade(shared_url)
    async with (
        Upstream() as upstream,
        _serving(tmp_path, shared_url, upstream.url) as one,
        _serving(tmp_path, shared_url, upstream.url) as two,
        aiohttp.ClientSession() as session,
    ):
        ask = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
        asked = [
            await _post(session, f"{base}/v1/chat/completions", ask)
            for base in (one, two) * (REPLIES // 2)
        ]
        idents = [ident for _, ident, _ in asked]
        keyed = [
            _post(
                session,
                f"{base}/v1/feedback",
                {"id": ident, "rating": "up" if rater % 3 else "down", "rater": f"r{rater}"},
                key=f"{ident}-{rater}",
            )
            for ident in idents
            for rater in range(RATERS)
            for base in (one, two)
        ]
        free = [
            _post(
                session,
                f"{base}/v1/feedback",
                {"id": ident, "rating": "down", "rater": f"r{RATERS}"},
            )
            for ident in idents
            for base in (one, two)
        ]
        answers = await asyncio.gather(*keyed, *free)

    store = await Store.open(shared_url)
    async with store.reading() as unit:
        counts = await unit.feedback.counts()
        latest = await unit.feedback.latest(idents)
    await store.close()
    assert {status for status, _, _ in answers} == {201}
    stored = {body["id"] for _, _, body in answers}
    assert len(stored) == REPLIES * (RATERS + 2)
    downs = REPLIES * (RATERS // 3 + 2)
    assert (counts.up, counts.down) == (REPLIES * (RATERS - RATERS // 3), downs)
    each = {(said.interaction_id, said.rater) for said in latest}
    assert len(latest) == len(each) == REPLIES * (RATERS + 1)
    assert Counter(said.rating for said in latest)["down"] == REPLIES * (RATERS // 3 + 1)
