"""Building a service, in order, so that it is closed in reverse."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from phonenumbers import SUPPORTED_REGIONS
from sqlalchemy import make_url

from scorers import calibration_map, catalog
from scorers.catalog import LoadedModel
from scorers.engine import Engine, EngineLimits
from scorers.errors import EngineStopped
from scorers.types import Side, Subject
from service import added_models, dialects, first_figures
from service.abuse import Guard
from service.access import Access, is_required
from service.call import FlowLimits
from service.dialects.base import ReadLimits
from service.flow import Flow
from service.judge import Judge
from service.metrics import Metrics
from service.policy import (
    ScorerHeads,
    ThresholdSource,
    check_names,
    compile_policies,
)
from service.privacy.digests import MIN_KEY_BYTES
from service.privacy.keeper import TextKeeper
from service.privacy.redact import Redactor
from service.recall import Recall
from service.recorder import Recorder
from service.routes.wire import Proxy
from service.routing import Router
from service.settings import Scoring, Settings, Timeouts, UpstreamSettings
from service.sources import ConfigError, MissingSecret
from service.stance import StanceTools
from service.state import HealthyEngine, State
from service.tracing import Tracing
from service.twin import Twins, TwinTools
from service.upstream import AiohttpUpstream, Target, Upstream, UpstreamTimeouts
from service.watch.stance_start import open_stance_probe
from service.watch.start import open_watch
from service.watch.survey import Survey
from storage import migrate
from storage.store import Store
from storage.writer import Writer, WriterOptions

logger = logging.getLogger("fairlead.start")


@dataclass(frozen=True)
class Given:
    """Parts that are there already; whoever gives one starts and closes it."""

    engine: HealthyEngine | None = None
    heads: ThresholdSource | None = None
    store: Store | None = None
    upstream: Upstream | None = None
    clock: Callable[[], float] = time.monotonic


class NoScorers:
    """The engine and the thresholds where no policy scores anything."""

    model = "no model"
    scorers: Mapping[str, ScorerHeads] = {}

    def has(self, head: str, side: Side) -> bool:
        """Never."""
        del head, side
        return False

    def threshold(self, heads: Iterable[str], side: Side, fpr: float) -> float:
        """None is known."""
        raise LookupError(f"no threshold for {sorted(heads)} ({side}, {fpr})")

    async def score(
        self,
        subject: Subject,
        *,
        scorers: Collection[str] | None = None,
        deadline: float | None = None,
    ) -> NoReturn:
        """Nobody scores."""
        del subject, scorers, deadline
        raise EngineStopped("no policy scores anything, so no model was loaded")

    async def score_each(
        self,
        subjects: Iterable[Subject],
        *,
        scorers: Collection[str] | None = None,
        deadline: float | None = None,
    ) -> NoReturn:
        """Nobody scores."""
        del subjects, scorers, deadline
        raise EngineStopped("no policy scores anything, so no model was loaded")


async def open_state(
    settings: Settings, stack: AsyncExitStack, *, given: Given, metrics: Metrics
) -> State:
    """Every part, started in order; the stack closes them in reverse.

    Raises ConfigError, PolicyError, StorageError or ModelError where the service cannot start.
    """
    if not settings.upstreams:
        raise ConfigError("no upstream: give `--upstream URL`, or list one under `upstreams`")
    store = given.store or await _open_store(settings, stack)
    writer = await _open_writer(settings, store, stack, metrics)
    engine, heads = await _open_engine(settings, stack, given=given, metrics=metrics)
    policies = compile_policies(settings.policies, heads)
    check_names("scoring.reward", settings.scoring.reward, heads)
    for rule in policies.left_out:
        logger.warning("rule left out", extra={"rule": str(rule)})
    metrics.begin(
        first_figures.known(
            policies=policies.by_name.values(),
            scorers=heads.scorers,
            targets=targets(settings),
            routes=dialects.by_route(),
        )
    )
    upstream = Router(
        given.upstream or await _open_upstream(settings, stack),
        targets(settings),
        meter=metrics,
        patience_s=settings.timeouts.head_s,
    )
    access = Access(
        store,
        is_required=is_required(settings.listen.host, required=settings.access.required),
        cache_s=settings.access.cache_s,
        outage_s=settings.access.outage_s,
        clock=given.clock,
    )
    keeper = text_keeper(settings)
    recorder = Recorder(
        writer,
        is_strict=settings.record == "strict",
        is_logging=settings.logs.exchanges,
        keeper=keeper,
    )
    guard = Guard(store, settings.abuse, meter=metrics.watch)
    await guard.start()
    stack.push_async_callback(guard.stop)
    scoring = engine or NoScorers()
    limits = FlowLimits(settings.limits.reply_bytes, settings.limits.event_bytes)
    twins = Twins(TwinTools(scoring, upstream, recorder, metrics, limits))
    stack.push_async_callback(twins.stop)
    flow = Flow(
        judge=Judge(
            scoring,
            metrics,
            remembered_texts=settings.scoring.remembered_texts,
            history_chars=settings.scoring.history_chars,
        ),
        upstream=upstream,
        recorder=recorder,
        meter=metrics,
        twins=twins,
        limits=limits,
        tracing=_open_tracing(settings, stack),
        probe=open_stance_probe(
            settings.watch.stance_probe,
            stack,
            tools=StanceTools(scoring, upstream, limits, settings.watch.stance_probe.timeout_s),
            store=store,
            recorder=recorder,
            policies=policies.by_name,
            heads=heads,
            metrics=metrics,
        ),
    )
    return State(
        settings=settings,
        metrics=metrics,
        store=store,
        writer=writer,
        access=access,
        policies=policies,
        keeper=keeper,
        engine=engine,
        proxy=Proxy(
            flow=flow,
            upstream=upstream,
            targets=targets(settings),
            policies=policies,
            access=access,
            read_limits=_read_limits(settings),
            recall=Recall(store, writer),
            guard=guard,
        ),
        guard=guard,
        watching=await open_watch(
            settings,
            store,
            stack,
            meter=metrics.watch,
            engine=engine,
            survey=_survey(settings, store, engine),
            embed=engine.embed if isinstance(engine, Engine) else None,
        ),
        clock=given.clock,
    )


def _survey(settings: Settings, store: Store, engine: HealthyEngine | None) -> Survey | None:
    """Who looks for drift; texts are embedded where there is an engine that can."""
    wanted = settings.watch.drift
    if wanted.mode == "off":
        return None
    embed = engine.embed if isinstance(engine, Engine) and wanted.has_topics else None
    return Survey(store, wanted, embed)


def text_keeper(settings: Settings, environ: Mapping[str, str] = os.environ) -> TextKeeper:
    """What treats texts before they are kept; ConfigError where it lacks its secret."""
    privacy = settings.privacy
    key = environ.get(privacy.key_env, "").encode() if privacy.key_env else None
    hashing = [name for name, policy in settings.policies.items() if policy.text == "hash"]
    if key is None and hashing:
        raise ConfigError(
            f"policies: {hashing[0]}: `text: hash` needs a secret, or short texts could be "
            "guessed; put one into an environment variable and name it in `privacy.key_env`"
        )
    if key == b"":
        raise MissingSecret(
            f"privacy.key_env: the environment variable {privacy.key_env} is not set; "
            "make a secret with `openssl rand -hex 32`"
        )
    if key is not None and len(key) < MIN_KEY_BYTES:
        raise ConfigError(
            f"privacy.key_env: the secret in {privacy.key_env} has less than {MIN_KEY_BYTES} "
            "bytes; make one with `openssl rand -hex 32`"
        )
    unknown = sorted({*privacy.phone_regions} - SUPPORTED_REGIONS)
    if unknown:
        raise ConfigError(
            f"privacy.phone_regions: no region is called {unknown[0]}; they are the two letters "
            "of ISO 3166, as `US` or `DE`"
        )
    return TextKeeper(Redactor(privacy.redact, phone_regions=privacy.phone_regions), key=key)


async def _open_store(settings: Settings, stack: AsyncExitStack) -> Store:
    url = settings.database_url
    if url.startswith("sqlite"):
        await migrate.upgrade(url)
    else:
        await migrate.check(url)
    store = await Store.open(url, is_durable=settings.durable)
    stack.push_async_callback(store.close)
    return store


async def _open_writer(
    settings: Settings, store: Store, stack: AsyncExitStack, metrics: Metrics
) -> Writer:
    options = WriterOptions(spool_dir=spool_dir(settings), spool_bytes=settings.limits.spool_bytes)
    writer = Writer(store, options, observer=metrics.writer)
    await writer.start()
    stack.push_async_callback(writer.close)
    return writer


def spool_dir(settings: Settings) -> Path:
    """Where records wait while the store is away."""
    if settings.spool_dir is not None:
        return Path(settings.spool_dir)
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(f"{url.database}.spool")
    return Path("fairlead-spool")


async def _open_engine(
    settings: Settings, stack: AsyncExitStack, *, given: Given, metrics: Metrics
) -> tuple[HealthyEngine | None, ThresholdSource]:
    """The engine and its thresholds; no engine where no policy scores anything."""
    if given.engine is not None and given.heads is not None:
        return given.engine, given.heads
    if not any(p.mode != "off" and (p.prompt or p.reply) for p in settings.policies.values()):
        return None, NoScorers()
    wanted = settings.scoring
    loaded = await asyncio.to_thread(load_model, wanted, added_models.needed(settings))
    # Before anything is started: a policy that cannot hold should be told at once.
    compile_policies(settings.policies, loaded.headmap)
    limits = engine_limits(wanted, loaded.session.provider)
    engine = Engine(loaded, limits, observer=metrics)
    await engine.start()
    stack.push_async_callback(engine.stop)
    metrics.provider(loaded.session.provider)
    return engine, loaded.headmap


def load_model(wanted: Scoring, beside: Sequence[str] = ()) -> LoadedModel:
    """The scoring model of the settings, with the maps of the served models; raises ModelError.

    `beside` names the added classifiers that score with it.
    """
    file = wanted.confidence_maps
    return catalog.load(
        wanted.model,
        provider=wanted.provider,
        threads=wanted.threads or None,
        added=added_models.folders(wanted),
        beside=beside,
        maps=calibration_map.load(Path(file)) if file else None,
    )


def engine_limits(scoring: Scoring, provider: str) -> EngineLimits:
    """The limits that suit the provider, but for those that are set."""
    limits = EngineLimits.for_provider(provider)
    if scoring.queue_tokens:
        limits = replace(limits, queue_tokens=scoring.queue_tokens)
    if scoring.batch_tokens:
        limits = replace(limits, batch=replace(limits.batch, budget_tokens=scoring.batch_tokens))
    return limits


async def _open_upstream(settings: Settings, stack: AsyncExitStack) -> Upstream:
    upstream = AiohttpUpstream(connections=settings.limits.connections)
    await upstream.start()
    stack.push_async_callback(upstream.stop)
    return upstream


def _open_tracing(settings: Settings, stack: AsyncExitStack) -> Tracing | None:
    """Telemetry where it is on; its packages are imported only then."""
    wanted = settings.telemetry
    if wanted.exporter == "none":
        return None
    try:
        from service.telemetry import open_telemetry  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"telemetry.exporter: {error.name} is not installed; pip install 'fairlead[otel]'"
        ) from error
    return open_telemetry(wanted, targets(settings), stack)


def _read_limits(settings: Settings) -> ReadLimits:
    return ReadLimits(
        max_depth=settings.limits.depth,
        max_choices=settings.limits.choices,
        max_context_items=settings.limits.context_items,
        source_pattern=settings.context_pattern,
    )


def _timeouts(waits: Timeouts, upstream: UpstreamSettings) -> UpstreamTimeouts:
    """An upstream's own times, else those for all."""
    return UpstreamTimeouts(
        upstream.connect_s or waits.connect_s,
        upstream.head_s or waits.head_s,
        upstream.idle_s or waits.idle_s,
    )


def targets(settings: Settings, environ: Mapping[str, str] = os.environ) -> tuple[Target, ...]:
    """The upstreams with their keys, read from the environment.

    A key that is named and not there raises ConfigError: the client's would go out instead.
    """
    found = []
    for upstream in settings.upstreams:
        key = environ.get(upstream.api_key_env) if upstream.api_key_env else None
        if upstream.api_key_env and not key:
            raise MissingSecret(
                f"upstreams: {upstream.name}: the environment variable {upstream.api_key_env} "
                "is not set; set it, or take `api_key_env` out to pass the client's key on"
            )
        found.append(
            Target(
                upstream.name,
                upstream.url,
                tuple(upstream.models),
                key,
                retries=upstream.retries,
                max_backoff_s=upstream.max_backoff_s,
                fallback=upstream.fallback,
                max_concurrency=upstream.max_concurrency,
                queue_s=upstream.queue_s,
                timeouts=_timeouts(settings.timeouts, upstream),
            )
        )
    return tuple(found)
