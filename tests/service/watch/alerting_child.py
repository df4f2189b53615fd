"""Raises alerts as fast as it can, sends them, and prints the name of each decided, until killed.

Run as `python -m tests.service.watch.alerting_child DATABASE_URL HOOK_URL FIRST_NUMBER`.
"""

from __future__ import annotations

import asyncio
import os
import sys

from prometheus_client import CollectorRegistry

from service.watch.alerts import Alert, Alerts
from service.watch.post import HttpPoster
from service.watch.sender import Sender, SendLimits
from service.watch.webhooks import Webhook
from service.watch_metrics import WatchMetrics
from storage.store import Store
from tests.fakes.receiver import SECRET


async def alert_for_ever(database_url: str, hook_url: str, first: int) -> None:
    """Decides and delivers without end."""
    store = await Store.open(database_url)
    hook = Webhook("hook", hook_url, secret=SECRET)
    alerts = Alerts(store, [hook])
    sender = Sender(
        store,
        [hook],
        HttpPoster(timeout_s=0.5, allow_private=True),
        meter=WatchMetrics(CollectorRegistry()),
        limits=SendLimits(timeout_s=0.5, poll_s=0.1, first_retry_s=0.1),
        has_news=alerts.has_news,
    )
    sender.start()
    for number in range(first, first + 1_000):
        labels = {"number": str(number)}
        await alerts.raise_alert(Alert(type="drift.detected", summary="", labels=labels))
        os.write(1, f"{number}\n".encode())
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(alert_for_ever(sys.argv[1], sys.argv[2], int(sys.argv[3])))
