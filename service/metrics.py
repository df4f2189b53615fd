"""Everything that is counted, in one registry of its own; nothing here is global.

Label sets are closed: routes, sides, outcomes and kinds by construction, models by a cap.
Where several processes serve, `shared_metrics.py` puts their figures together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from service.exchange import Verdict
from service.first_figures import ALL, Labels, answers_beside, ends_beside
from service.shared_metrics import Shared
from service.stance_metrics import StanceMetrics
from service.watch_metrics import WatchMetrics
from storage.errors import RecordRejected, SpoolFull, WriterOverflow

OTHER = "other"
MAX_LABEL_CHARS = 120

_FAST_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_SLOW_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_RISKS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_TOKENS = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)


M = TypeVar("M", Counter, Gauge, Histogram)


class Labelled(Generic[M]):
    """A metric whose children are kept, so that a hot path pays one dictionary look-up.

    `beside` names the children that appear together with a new one, at 0.
    """

    def __init__(self, metric: M, beside: Callable[..., Iterable[Labels]] = lambda *_: ()) -> None:
        self._metric: M = metric
        self._beside = beside
        self._children: dict[Labels, M] = {}

    def __call__(self, *labels: str) -> M:
        """The child with these label values, in the order of the label names."""
        child = self._children.get(labels)
        if child is None:
            child = self._child(labels)
            for each in self._beside(*labels):
                self._child(each)
        return child

    def _child(self, labels: Labels) -> M:
        child = self._metric.labels(*labels) if labels else self._metric
        return self._children.setdefault(labels, child)


class Models:
    """Label values for models: the first `limit` that were served, then `other`.

    Workers that share their figures share the names too.
    """

    def __init__(self, limit: int, shared: Shared | None = None) -> None:
        self._limit = limit
        self._shared = shared
        self._known: set[str] = set()

    def label(self, model: str | None, *, may_add: bool = True) -> str:
        """The label of a model. What was not served may not take a place of its own."""
        if not model:
            return ""
        name = model[:MAX_LABEL_CHARS]
        if name in self._known:
            return name
        if len(self._known) < self._limit:
            self._learn(name if may_add else None)
        return name if name in self._known else OTHER

    def _learn(self, name: str | None) -> None:
        """Takes a name up, or what other workers took up."""
        if self._shared is not None:
            self._known = self._shared.known_models(name, self._limit)
        elif name is not None:
            self._known.add(name)


def _counter(
    registry: CollectorRegistry,
    name: str,
    text: str,
    *labels: str,
    beside: Callable[..., Iterable[Labels]] = lambda *_: (),
) -> Labelled[Counter]:
    return Labelled(Counter(name, text, labels, namespace="fairlead", registry=registry), beside)


def _gauge(registry: CollectorRegistry, name: str, text: str, *labels: str) -> Labelled[Gauge]:
    """A gauge of the process itself: over several workers their sum."""
    metric = Gauge(
        name, text, labels,
        namespace="fairlead", registry=registry, multiprocess_mode="livesum",
    )  # fmt: skip
    return Labelled(metric)


def _histogram(
    registry: CollectorRegistry, name: str, text: str, buckets: tuple[float, ...], *labels: str
) -> Labelled[Histogram]:
    metric = Histogram(name, text, labels, namespace="fairlead", registry=registry, buckets=buckets)
    return Labelled(metric)


class WriterMetrics:
    """What the writer tells, counted; it meets `storage.writer.WriterObserver`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._pending = _gauge(registry, "recorder_pending", "Records that wait to be stored.")()
        self._commit_s = _histogram(
            registry, "recorder_commit_seconds", "Time to commit a group of records.", _FAST_S
        )()
        self._committed = _counter(registry, "recorder_committed", "Records stored.")()
        self._spooled = _counter(registry, "recorder_spooled", "Records put in the spool.")()
        self._replayed = _counter(registry, "recorder_replayed", "Spooled records stored.")()
        self._failures = _counter(registry, "recorder_failures", "Records lost.", "kind")
        for error in (RecordRejected, SpoolFull, WriterOverflow):
            self._failures(error.label)
        self._spool_bytes = _gauge(
            registry, "recorder_spool_bytes", "Bytes of records that wait in the spool."
        )()

    def pending(self, records: int) -> None:
        """So many records wait now."""
        self._pending.set(records)

    def committed(self, records: int, seconds: float) -> None:
        """A group was committed."""
        self._committed.inc(records)
        self._commit_s.observe(seconds)

    def spooled(self, records: int) -> None:
        """Records went to the spool."""
        self._spooled.inc(records)

    def replayed(self, records: int) -> None:
        """Spooled records are in the store now."""
        self._replayed.inc(records)

    def spool_holds(self, waiting_bytes: int) -> None:
        """So much waits in the spool now."""
        self._spool_bytes.set(waiting_bytes)

    def failed(self, records: int, error: str) -> None:
        """Records were refused or lost."""
        self._failures(error).inc(records)


class Metrics:
    """The proxy's figures; it is the engine's observer and the flow's meter.

    `watch` takes those of what watches the traffic, `stance` those of stance probes.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, *, max_models: int = 50, shared: Shared | None = None) -> None:
        self.registry = CollectorRegistry()
        self.models = Models(max_models, shared)
        self._shared = shared
        self._by_name: dict[str, Labelled[Any]] = {}
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._define_exchanges()
        self._define_scoring()
        self._writer = WriterMetrics(self.registry)
        self.watch = WatchMetrics(self.registry)
        self.stance = StanceMetrics(
            self.registry, lambda model: self.models.label(model, may_add=False)
        )
        self._gauge("workers", "Worker processes.")().set(1)

    def _define_exchanges(self) -> None:
        self._requests = self._counter(
            "requests", "Requests answered.", "route", "model", "status", beside=answers_beside
        )
        self._exchanges = self._counter(
            "exchanges", "Exchanges by the hardest verdict on them.", "policy", "model", "verdict",
            "status", beside=ends_beside,
        )  # fmt: skip
        self._verdicts = self._counter(
            "verdicts", "Verdicts by rule.", "policy", "side", "scorer", "verdict"
        )
        self._overhead = self._histogram(
            "overhead_seconds", "Time added by the proxy itself.", _FAST_S, "route", "stage"
        )
        self._upstream = self._histogram(
            "upstream_seconds", "Time until the upstream had answered.", _SLOW_S, "route", "model"
        )
        self._first_token = self._histogram(
            "time_to_first_token_seconds", "Time to an upstream's first token.", _SLOW_S,
            "route", "model",
        )  # fmt: skip
        self._retries = self._counter(
            "upstream_retries", "Requests sent again.", "upstream", "reason"
        )
        self._fallbacks = self._counter(
            "upstream_fallbacks", "Requests sent to an upstream's fallback.", "upstream"
        )
        self._refused = self._counter(
            "upstream_refused", "Requests that found no free place in time.", "upstream"
        )
        self._regenerations = self._counter(
            "regenerations", "Replies asked for again after a veto.", "policy", "outcome"
        )
        self._twins = self._counter(
            "twins", "Replies to a stated view, by what their twin told.", "policy", "mode",
            "outcome",
        )  # fmt: skip
        self._held = self._histogram(
            "held_seconds", "Time for which streamed text waited for its scores.", _FAST_S
        )()
        self._feedback = self._counter("feedback", "Feedback stored.", "rating")
        self._crashes = self._counter("internal_errors", "Errors nobody foresaw.", "route")

    def _define_scoring(self) -> None:
        self._risk = self._histogram("risk", "Risks given.", _RISKS, "scorer", "side", "model")
        self._scorer_s = self._histogram(
            "scorer_seconds", "Time from asking a scorer to its answer.", _FAST_S, "scorer"
        )
        self._scorer_failures = self._counter(
            "scorer_failures", "Scores that did not come.", "scorer", "kind"
        )
        self._unread = self._counter(
            "unscored_media", "Replies with audio or images that nobody scored.", "route", "kind"
        )
        self._remembered = self._counter(
            "remembered_scores", "Texts of prompts by whether their scores were known.", "result"
        )
        self._batch_rows = self._histogram("batch_rows", "Rows of a batch.", _ROWS)()
        self._batch_tokens = self._histogram("batch_tokens", "Padded tokens of a batch.", _TOKENS)()
        self._batch_s = self._histogram("batch_seconds", "Time of a batch.", _FAST_S)()
        self._late = self._counter("scorer_late", "Results thrown away as too late.")()
        self._queue_tokens = self._gauge("queue_tokens", "Tokens that wait for scoring.")()
        self._provider = self._gauge(
            "execution_provider_info", "The execution provider that runs.", "provider"
        )

    def begin(self, known: Mapping[str, Iterable[Labels]]) -> None:
        """Shows metrics, by name, at 0 for label values that may come (`first_figures.py`)."""
        for name, each in known.items():
            for labels in each:
                self._by_name[name](*labels)

    def request(self, route: str, model: str | None, status: int) -> None:
        """A request was answered; `route` is one of the program's own, never a raw path."""
        label = self.models.label(model, may_add=status < 400)
        self._requests(route, label, str(status)).inc()

    def exchange(self, policy: str, model: str | None, *, verdict: str, status: str) -> None:
        """An exchange has ended, with the hardest verdict on its texts and its recorded status."""
        label = self.models.label(model, may_add=False)
        self._exchanges(policy, label, verdict, status).inc()

    def served(self, model: str | None) -> None:
        """An upstream began a reply of the model, which has a label of its own from now on."""
        self.models.label(model)

    def verdict(self, policy: str, verdict: Verdict) -> None:
        """A policy judged one text: each rule's outcome, and the whole where a score is missing."""
        side = verdict.side.value
        for rule in verdict.rules:
            name = rule.rule or rule.score.scorer
            self._verdicts(policy, side, name, rule.outcome.value).inc()
        if verdict.failure:
            self._verdicts(policy, side, ALL, verdict.outcome.value).inc()

    def risk(self, scorer: str, side: str, model: str | None, *, risk: float) -> None:
        """A scorer gave a risk for a text of the model's exchange."""
        self._risk(scorer, side, self.models.label(model, may_add=False)).observe(risk)

    def remembered(self, *, is_hit: bool) -> None:
        """A text of a prompt was looked up among those that were scored before."""
        self._remembered("hit" if is_hit else "miss").inc()

    def overhead(self, route: str, stage: str, seconds: float) -> None:
        """The proxy itself took time at a stage of an exchange."""
        self._overhead(route, stage).observe(seconds)

    def upstream(self, route: str, model: str | None, seconds: float) -> None:
        """An upstream had answered, its last byte included."""
        self._upstream(route, self.models.label(model, may_add=False)).observe(seconds)

    def first_token(self, route: str, model: str | None, seconds: float) -> None:
        """An upstream's first token came."""
        self._first_token(route, self.models.label(model, may_add=False)).observe(seconds)

    def retried(self, upstream: str, reason: str) -> None:
        """A request is sent again; the reason is `unreachable`, `429` or `503`."""
        self._retries(upstream, reason).inc()

    def fell_back(self, upstream: str) -> None:
        """A request went to the fallback of this upstream."""
        self._fallbacks(upstream).inc()

    def refused(self, upstream: str) -> None:
        """A request found no free place at this upstream in time."""
        self._refused(upstream).inc()

    def unread(self, route: str, kind: str) -> None:
        """A reply had something that no scorer can read: `audio` without a transcript, `image`."""
        self._unread(route, kind).inc()

    def regenerated(self, policy: str, outcome: str) -> None:
        """A reply that was asked for again: `accepted`, `vetoed`, `late`, `failed`, `client_gone`.

        `failed` is an upstream that answered with no reply, or not to its end.
        """
        self._regenerations(policy, outcome).inc()

    def twin(self, policy: str, mode: str, outcome: str) -> None:
        """What came of a twin, asked for `inline` or `sampled`.

        `flipped` and `kept` are comparisons, `late`, `failed` and `impossible` twins that did not
        come, `unused` one that nothing was compared with, and `skipped` one too many at a time.
        """
        self._twins(policy, mode, outcome).inc()

    def held(self, seconds: float) -> None:
        """Streamed text left after having waited."""
        self._held.observe(seconds)

    def feedback(self, rating: str | None) -> None:
        """A rating (`up`, `down`), a text without one (None) or a `comparison` was stored."""
        self._feedback(rating or "none").inc()

    def crash(self, route: str) -> None:
        """The outermost handler caught what nobody foresaw."""
        self._crashes(route).inc()

    def failed(self, scorer: str, kind: str) -> None:
        """A scorer gave no score."""
        self._scorer_failures(scorer, kind).inc()

    def batch_ran(self, rows: int, padded_tokens: int, seconds: float) -> None:
        """The engine: a batch was run."""
        self._batch_rows.observe(rows)
        self._batch_tokens.observe(padded_tokens)
        self._batch_s.observe(seconds)

    def queue_changed(self, tokens: int) -> None:
        """The engine: so many tokens wait or run now."""
        self._queue_tokens.set(tokens)

    def scorer_ran(self, name: str, seconds: float) -> None:
        """The engine: a score was given so long after it was asked for."""
        self._scorer_s(name).observe(seconds)

    def late(self) -> None:
        """The engine: a result came after its deadline."""
        self._late.inc()

    def provider(self, name: str) -> None:
        """The execution provider that the model really runs on."""
        self._provider(name).set(1)

    @property
    def writer(self) -> WriterMetrics:
        """The writer's observer."""
        return self._writer

    def render(self) -> bytes:
        """The text for `/metrics`, of type `content_type`; of all workers where there are more."""
        return generate_latest(self.registry) if self._shared is None else self._shared.render()

    def _counter(
        self,
        name: str,
        text: str,
        *labels: str,
        beside: Callable[..., Iterable[Labels]] = lambda *_: (),
    ) -> Labelled[Counter]:
        made = _counter(self.registry, name, text, *labels, beside=beside)
        self._by_name[name] = made
        return made

    def _gauge(self, name: str, text: str, *labels: str) -> Labelled[Gauge]:
        return _gauge(self.registry, name, text, *labels)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Labelled[Histogram]:
        made = _histogram(self.registry, name, text, buckets, *labels)
        self._by_name[name] = made
        return made
