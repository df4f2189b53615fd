"""Waiting in tests: for a condition, never for a time that should do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PATIENCE_S = 60.0
"""For what must come: so long that a busy machine fails no test; only a failure waits for it."""


async def until(is_so: Callable[[], object]) -> None:
    """Waits for what other tasks or threads bring about; TimeoutError where it never comes."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110 - threads and lists tell nobody
            await asyncio.sleep(0.002)
