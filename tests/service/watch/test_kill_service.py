"""Alerts of the whole service outlive its SIGKILL: every one is told, under one id."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from storage.ids import now_us
from storage.records import AlertRecord, DeliveryRecord
from storage.store import Store
from storage.writer import Writer, WriterOptions
from tests.fakes.answering import until_answering
from tests.fakes.receiver import SECRET, Receiver
from tests.fakes.upstream import closed_port_url
from tests.storage.building import exchange, score

LIMIT_S = 60.0
SECRET_ENV = "TEST_WEBHOOK_SECRET"


def write_config(folder: Path, *, database_url: str, hook_url: str) -> tuple[Path, str]:
    """A configuration without scoring, and the address at which it serves."""
    url = closed_port_url().removesuffix("/v1")
    config = {
        "listen": {"host": "127.0.0.1", "port": int(url.rpartition(":")[2])},
        "database_url": database_url,
        "upstreams": [{"name": "none", "url": closed_port_url()}],
        "policies": {"default": {"mode": "off"}},
        "logs": {"level": "error"},
        "alerts": {
            "allow_private_targets": True,
            "timeout_s": 2,
            "first_retry_s": 1,
            "webhooks": [{"name": "ops", "url": hook_url, "secret_env": SECRET_ENV}],
        },
    }
    file = folder / "fairlead.yaml"
    file.write_text(json.dumps(config))
    return file, url


@contextlib.asynccontextmanager
async def serving(config: Path, url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`fairlead serve` in a process of its own, killed at the end."""
    command = [sys.executable, "-m", "service.cli", "serve", "--config", str(config)]
    env = {**os.environ, SECRET_ENV: SECRET}
    process = await asyncio.create_subprocess_exec(*command, env=env)
    try:
        await asyncio.wait_for(until_answering(process, url), LIMIT_S)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def put_trouble(store: Store, folder: Path) -> None:
    """Exchanges that lack their scores, and two alerts whose cause is long gone."""
    missing = score(status="failed", risk=None, scorer="all", verdict="unscored")
    writer = Writer(store, options=WriterOptions(spool_dir=folder / "spool"))
    await writer.start()
    for _ in range(50):
        await writer.put(exchange(verdict="unscored", scores=(missing,)), is_durable=True)
    await writer.close()
    long_ago = now_us() - 3600 * 1_000_000
    async with store.writing() as unit:
        for number in range(2):
            record = AlertRecord(
                id=f"al_{number}", key=f"drift.detected{number}", type="drift.detected",
                summary="", created_us=long_ago, seen_us=long_ago, clear_us=long_ago,
            )  # fmt: skip
            await unit.alerts.add(record)


async def until_decided(
    store: Store, is_enough: Callable[[Sequence[DeliveryRecord]], bool]
) -> list[DeliveryRecord]:
    """What is to be told, as the store has it, as soon as it is enough."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            async with store.reading() as unit:
                found = await unit.alerts.deliveries()
            if is_enough(found):
                return found
            await asyncio.sleep(0.02)


async def test_sigkill_of_the_service_loses_no_alert_and_doubles_none(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    """Killed when one was refused, one is on the wire and one was not tried yet."""
    await put_trouble(store, tmp_path)
    async with Receiver(answers=[503, None]) as receiver:
        config, url = write_config(tmp_path, database_url=database_url, hook_url=receiver.url)
        async with serving(config, url) as process:
            decided = await until_decided(store, lambda found: len(found) == 3)
            await receiver.received(2)
            process.kill()
        tried = set(receiver.ids)
        async with serving(config, url):
            ended = await until_decided(
                store, lambda found: all(one.status == "delivered" for one in found)
            )

    events = {one.event_id for one in decided}
    assert len(events) == len(decided)
    assert len(tried) == 2
    assert tried < events
    assert {one.event_id for one in ended} == events
    assert sorted(receiver.ids[2:]) == sorted(events)
    told = [got.verified()["type"] for got in receiver.got[2:]]
    assert sorted(told) == ["drift.resolved", "drift.resolved", "scorer.unhealthy"]
