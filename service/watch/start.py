"""What watches, started with the service and stopped before its store."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from service import settings
from service.watch import vetoes
from service.watch.alerts import Alerts
from service.watch.calibrating import Calibrating
from service.watch.drifting import DriftWatcher
from service.watch.gap_hunting import Embed, GapWatcher
from service.watch.keeping import Keeping
from service.watch.loop import Loop, Watcher
from service.watch.pairing import Pairing
from service.watch.post import HttpPoster, Poster
from service.watch.scorers import EngineWatcher, FailureWatcher, Healthy
from service.watch.sender import Sender, SendLimits
from service.watch.survey import Survey
from service.watch.upkeep import Counting, Forgetting, Refreshing, Settling
from service.watch.webhooks import Webhook, webhooks
from service.watch_metrics import WatchMetrics
from storage.store import Store


@dataclass(frozen=True, slots=True)
class Watching:
    """The parts that watch: who raises alerts, who sends them, who looks."""

    alerts: Alerts
    sender: Sender
    loop: Loop


async def open_watch(
    wanted: settings.Settings,
    store: Store,
    stack: AsyncExitStack,
    *,
    meter: WatchMetrics,
    engine: Healthy | None = None,
    survey: Survey | None = None,
    embed: Embed | None = None,
) -> Watching:
    """Starts the sender and the loop over all watchers; the stack stops them.

    Drift needs a `survey`, the model's health its `engine`, knowledge gaps both that and what
    embeds. Raises ConfigError where a webhook cannot be used.
    """
    found = webhooks(wanted.alerts)
    alerts = Alerts(store, found, hold_s=wanted.alerts.resolve_after_s)
    poster = poster_of(wanted.alerts)
    limits = limits_of(wanted.alerts)
    sender = Sender(store, found, poster, meter=meter, limits=limits, has_news=alerts.has_news)
    watchers: list[Watcher] = [
        Settling(alerts),
        Counting(alerts, meter),
        Forgetting(store, limits.give_up_s, wanted.alerts.keep_days),
        *_refreshing(alerts, found, poster, sender, meter=meter),
        Keeping(store, wanted.retention),
        Calibrating(store, alerts, wanted.watch.calibration, meter),
        FailureWatcher(store, alerts, wanted.watch.scorers),
        *vetoes.watched(wanted.watch.veto_rate, store, alerts),
        Pairing(store, meter),
    ]
    if engine is not None:
        watchers.append(EngineWatcher(engine, alerts, wanted.scoring.provider))
    if survey is not None:
        watchers.append(DriftWatcher(survey, alerts, meter))
    gaps = wanted.watch.knowledge_gaps
    if embed is not None and engine is not None and gaps.prompts_per_hour:
        encoder = engine.health().model
        watchers.append(GapWatcher(store, alerts, gaps, meter, embed, encoder))
    meter.begin(
        webhooks=[webhook.name for webhook in found],
        watchers=[*(watcher.name for watcher in watchers), "lease", "sender", "abuse"],
    )
    loop = Loop(store, watchers, meter=meter)
    sender.start()
    stack.push_async_callback(sender.stop)
    loop.start()
    stack.push_async_callback(loop.stop)
    return Watching(alerts, sender, loop)


def poster_of(wanted: settings.Alerts) -> HttpPoster:
    """Who sends as these settings say."""
    return HttpPoster(timeout_s=wanted.timeout_s, allow_private=wanted.allow_private_targets)


def limits_of(wanted: settings.Alerts) -> SendLimits:
    """The times of deliveries."""
    return SendLimits(
        timeout_s=wanted.timeout_s,
        first_retry_s=wanted.first_retry_s,
        max_retry_s=wanted.max_retry_s,
        give_up_s=wanted.give_up_h * 3600,
    )


def _refreshing(
    alerts: Alerts,
    found: Sequence[Webhook],
    poster: Poster,
    sender: Sender,
    *,
    meter: WatchMetrics,
) -> list[Refreshing]:
    if all(webhook.format != "alertmanager" for webhook in found):
        return []
    return [Refreshing(alerts, found, poster, meter, lambda: sender.disabled)]
