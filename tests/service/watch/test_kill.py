"""Whatever was decided is told, once by its id, even if the process was killed on the way."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry

from service.watch.alerts import Alerts
from service.watch.post import HttpPoster
from service.watch.sender import CLAIM_SPARE_S, Sender, SendLimits
from service.watch.webhooks import Webhook
from service.watch_metrics import WatchMetrics
from storage.store import Store
from tests.fakes.receiver import SECRET, Receiver
from tests.service.watch.conftest import Clock

ROOT = Path(__file__).parents[3]
ROUNDS = 4
START_LIMIT_S = 60


async def killed_after(lines: int, database_url: str, hook_url: str, first: int) -> set[str]:
    """The alerts that a process had decided when it was killed, after so many."""
    command = (sys.executable, "-m", "tests.service.watch.alerting_child")
    process = await asyncio.create_subprocess_exec(
        *command, database_url, hook_url, str(first), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    async with asyncio.timeout(START_LIMIT_S):
        seen = [await process.stdout.readline() for _ in range(lines)]
    process.kill()
    rest = await process.stdout.read()
    await process.wait()
    return {line.decode().strip() for line in [*seen, *rest.splitlines(keepends=True)] if line}


async def test_sigkill_loses_no_alert_and_doubles_none(
    store: Store, database_url: str, clock: Clock
) -> None:
    """Killed between decision and delivery, in the middle of calls and between them."""
    decided: set[str] = set()
    async with Receiver() as receiver:
        receiver.answers = [204, 500, None, 204, 503, 204, None] * ROUNDS
        for number in range(ROUNDS):
            decided |= await killed_after(
                3 + 4 * number, database_url, receiver.url, first=1000 * number
            )
        seen_by_the_dead = len(receiver.got)

        # The next to start, as soon as the claims of the dead have run out.
        hook = Webhook("hook", receiver.url, secret=SECRET)
        clock.forward(60 + CLAIM_SPARE_S)
        sender = Sender(
            store,
            [hook],
            HttpPoster(allow_private=True),
            meter=WatchMetrics(CollectorRegistry()),
            limits=SendLimits(first_retry_s=0.001, max_retry_s=0.001),
            clock_us=clock,
        )
        receiver.answers = []
        for _ in range(100):
            clock.forward(1)
            if not await sender.round():
                break

    ids: dict[str, set[str]] = {}
    for got in receiver.got:
        ids.setdefault(got.json["data"]["labels"]["number"], set()).add(got.id)
    opened = {str(one.labels["number"]) for one in await Alerts(store).open()}
    assert decided <= opened == set(ids)
    assert all(len(found) == 1 for found in ids.values())
    assert seen_by_the_dead > 0
    assert len({got.id for got in receiver.got}) == len(opened)
