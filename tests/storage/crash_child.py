"""Writes exchanges as fast as it can and prints the id of each one acknowledged, until killed."""

from __future__ import annotations

import asyncio
import os
import sys

from storage.store import Store
from storage.writer import Writer
from tests.storage.building import exchange, score


async def write_for_ever(url: str) -> None:
    """Run eight callers without end."""
    store = await Store.open(url)
    writer = Writer(store)
    await writer.start()

    async def caller() -> None:
        while True:
            record = exchange(scores=(score(),), response_ids=("r",), tags=("t",))
            await writer.put(record, is_durable=True)
            os.write(1, record.id.encode() + b"\n")

    await asyncio.gather(*(caller() for _ in range(8)))


if __name__ == "__main__":
    asyncio.run(write_for_ever(sys.argv[1]))
