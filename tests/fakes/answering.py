"""A server process of its own, waited for."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp


async def until_answering(process: asyncio.subprocess.Process, url: str) -> None:
    """Returns once the process answers at `url`; AssertionError where it ends before."""
    async with aiohttp.ClientSession() as session:
        while process.returncode is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{url}/healthz"):
                    return
            await asyncio.sleep(0.05)
    raise AssertionError(f"the server ended with code {process.returncode}")
