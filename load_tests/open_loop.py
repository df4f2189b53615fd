"""Streams that begin at a constant rate, whatever the earlier ones do.

What is timed is what a reader notices: the first piece of text, every further piece and the
end, each held against the moment at which the upstream's own pace would have brought it.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass

import aiohttp

from load_tests.contender import ROUTE


@dataclass(frozen=True)
class StreamTimes:
    """One stream, in seconds from its request."""

    first_s: float
    last_s: float
    pieces: int
    is_whole: bool


async def drive(
    url: str, body: bytes, *, rate_per_s: float, duration_s: float
) -> list[StreamTimes]:
    """Begin a stream every 1/rate seconds and time each to its end."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        loop = asyncio.get_running_loop()
        started, tasks = loop.time(), []
        for number in range(int(rate_per_s * duration_s)):
            await asyncio.sleep(max(0.0, started + number / rate_per_s - loop.time()))
            tasks.append(asyncio.create_task(_one(session, url + ROUTE, body)))
        return list(await asyncio.gather(*tasks))


async def _one(session: aiohttp.ClientSession, url: str, body: bytes) -> StreamTimes:
    headers = {"content-type": "application/json", "authorization": "Bearer sk-load"}
    begun, first, pieces, is_whole = time.perf_counter(), 0.0, 0, False
    async with session.post(url, data=body, headers=headers) as reply:
        async for line in reply.content:
            is_whole |= line.startswith(b"data: [DONE]")
            if line.startswith(b"data: {") and _text(line):
                pieces += 1
                first = first or time.perf_counter() - begun
    return StreamTimes(first, time.perf_counter() - begun, pieces, is_whole)


def _text(line: bytes) -> str:
    choices = json.loads(line[6:]).get("choices") or [{}]
    return choices[0].get("delta", {}).get("content") or ""


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
