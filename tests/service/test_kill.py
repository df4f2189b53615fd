"""Promise 2: whatever reply a client saw whole is in the record, even if the server was killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sqlite3
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.fakes.answering import until_answering
from tests.fakes.upstream import Upstream, closed_port_url
from tests.patience import until

ROUNDS = 20
CLIENTS = 8
START_LIMIT_S = 60.0
ROUTE = "/v1/chat/completions"


@dataclass
class Witness:
    """What the clients saw: ids of replies that came whole, and how many were cut off."""

    plain: set[str] = field(default_factory=set)
    streamed: set[str] = field(default_factory=set)
    cut_off: int = 0

    def seen(self) -> int:
        """How many replies came whole of each kind, at least."""
        return min(len(self.plain), len(self.streamed))

    @property
    def whole(self) -> set[str]:
        """Every reply that came whole."""
        return self.plain | self.streamed


def write_config(folder: Path, upstream_url: str, port: int) -> Path:
    """Scoring is off: what is tried here is the record."""
    config = {
        "listen": {"host": "127.0.0.1", "port": port},
        "database_url": f"sqlite+aiosqlite:///{folder / 'killed.db'}",
        "record": "strict",
        "upstreams": [{"name": "fake", "url": upstream_url}],
        "policies": {"default": {"mode": "off"}},
        "logs": {"level": "error"},
    }
    file = folder / "fairlead.yaml"
    file.write_text(json.dumps(config))
    return file


@contextlib.asynccontextmanager
async def serving(config: Path, url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A server process that answers; killed at the end if it is not dead by then."""
    command = [sys.executable, "-m", "service.cli", "serve", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*command)
    try:
        await asyncio.wait_for(until_answering(process, url), START_LIMIT_S)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def ask_until_cut(url: str, witness: Witness, *, is_stream: bool) -> None:
    """Ask over and over, note what came whole, end with the connection."""
    body = {"model": "m", "stream": is_stream, "messages": [{"role": "user", "content": "Hi"}]}
    try:
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.post(url + ROUTE, json=body) as reply:
                    ident = reply.headers["x-fairlead-id"]
                    await _read_whole(reply, is_stream=is_stream)
                (witness.streamed if is_stream else witness.plain).add(ident)
    except aiohttp.ClientError:
        witness.cut_off += 1


async def _read_whole(reply: aiohttp.ClientResponse, *, is_stream: bool) -> None:
    """A plain reply is whole with its last byte, a stream as soon as its end mark is there."""
    if not is_stream:
        await reply.read()
        return
    async for line in reply.content:
        if line.strip() == b"data: [DONE]":
            return
    raise aiohttp.ClientPayloadError("no end mark")


def recorded(folder: Path) -> set[str]:
    """The ids in the database file as the dead server left it."""
    with contextlib.closing(sqlite3.connect(folder / "killed.db")) as connection:
        return {ident for (ident,) in connection.execute("SELECT id FROM interactions")}


async def test_every_reply_seen_whole_survives_sigkill(tmp_path: Path) -> None:
    """Killed 20 times under load, the server has a row for every reply that came whole."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    base = closed_port_url().removesuffix("/v1")
    witness = Witness()
    async with Upstream() as upstream:
        config = write_config(tmp_path, upstream.url, int(base.rpartition(":")[2]))
        for number in range(ROUNDS):
            async with serving(config, base) as server:
                clients = [
                    asyncio.create_task(ask_until_cut(base, witness, is_stream=index % 2 == 0))
                    for index in range(CLIENTS)
                ]
                enough = witness.seen() + moments.randrange(2, 20)
                await until(lambda enough=enough: witness.seen() >= enough)
                await asyncio.sleep(moments.uniform(0, 0.05))
                server.kill()
                await asyncio.gather(*clients)
            missing = witness.whole - recorded(tmp_path)
            assert not missing, f"round {number}: {len(missing)} of {len(witness.whole)} lost"

    assert witness.cut_off == ROUNDS * CLIENTS
    assert witness.seen() > ROUNDS
