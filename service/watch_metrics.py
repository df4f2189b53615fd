"""The figures of what watches the traffic: drift, calibration, pairs, alerts.

They tell of the store that all workers share, so the newest word of any worker holds.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

_SENT = ("delivered", "failed", "refused", "gone", "gave_up")
_ABUSE = ("slowed", "stopped", "crowded")


class WatchMetrics:
    """What the watching parts tell. Signals, tests and webhooks come from the configuration."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(
                name, text, labels,
                namespace="fairlead", registry=registry, multiprocess_mode="mostrecent",
            )  # fmt: skip

        self._statistic = gauge(
            "drift_statistic", "How far a signal is from its reference.", "signal", "test"
        )
        self._alarm = gauge("drift_alarm", "1 while a signal is said to have drifted.", "signal")
        self._calibration = gauge(
            "calibration_error", "Expected calibration error of a served model.", "model"
        )
        self._pairs = gauge("preference_pairs", "Preference pairs that can be exported.")
        self._gaps = gauge("knowledge_gaps", "Knowledge gaps that are open.")
        self._gap_prompts = Counter(
            "knowledge_gap_prompts", "Prompts embedded to look for knowledge gaps.",
            namespace="fairlead", registry=registry,
        )  # fmt: skip
        self._alerts = Counter(
            "alerts_sent", "Alerts by webhook and what came of sending.", ("webhook", "status"),
            namespace="fairlead", registry=registry,
        )  # fmt: skip
        self._open = gauge("alerts_open", "Alerts that are open.", "type")
        self._disabled = gauge(
            "alert_webhook_disabled", "1 for a webhook that answered 410.", "webhook"
        )
        self._failures = Counter(
            "watch_failures", "Looks of a watcher that failed.", ("watcher",),
            namespace="fairlead", registry=registry,
        )  # fmt: skip
        self._abuse = Counter(
            "abuse", "Requests of users whose prompts are vetoed again and again.", ("action",),
            namespace="fairlead", registry=registry,
        )  # fmt: skip
        for action in _ABUSE:
            self._abuse.labels(action)
        self._leader = Gauge(
            "watch_leader", "1 where this process watches for all that share the store.",
            namespace="fairlead", registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip

    def begin(self, *, webhooks: Iterable[str], watchers: Iterable[str]) -> None:
        """Shows the counters of these at 0: a first event is an increase then."""
        for webhook in webhooks:
            for status in _SENT:
                self._alerts.labels(webhook, status)
        for watcher in watchers:
            self._failures.labels(watcher)

    def drift(self, signal: str, test: str, statistic: float) -> None:
        """A signal was held against its reference window."""
        self._statistic.labels(signal, test).set(statistic)

    def drift_alarm(self, signal: str, *, is_on: bool) -> None:
        """A signal's alarm is on or off."""
        self._alarm.labels(signal).set(is_on)

    def calibration(self, model: str, error: float) -> None:
        """The expected calibration error of a model, in [0, 1]; `model` is a label, capped."""
        self._calibration.labels(model).set(error)

    def pairs(self, count: int) -> None:
        """So many preference pairs could be exported now."""
        self._pairs.set(count)

    def gaps(self, count: int) -> None:
        """So many knowledge gaps are open."""
        self._gaps.set(count)

    def gap_prompts_read(self, count: int) -> None:
        """So many more prompts were embedded to look for gaps."""
        self._gap_prompts.inc(count)

    def alert_sent(self, webhook: str, status: str) -> None:
        """An alert was tried to deliver: `delivered`, `failed`, `refused`, `gone` or `gave_up`.

        `refused` is an address that is not allowed, `gone` an answer of 410.
        """
        self._alerts.labels(webhook, status).inc()

    def alerts_open(self, kind: str, count: int) -> None:
        """So many alerts of this type are open."""
        self._open.labels(kind).set(count)

    def webhook_disabled(self, webhook: str, *, is_disabled: bool) -> None:
        """Whether a webhook gets no alerts any more, since it said so."""
        self._disabled.labels(webhook).set(is_disabled)

    def abuse(self, action: str) -> None:
        """A request was `slowed`, `stopped` or, where too many waited, `crowded` out."""
        self._abuse.labels(action).inc()

    def watch_failed(self, watcher: str) -> None:
        """A watcher's look failed, or took too long."""
        self._failures.labels(watcher).inc()

    def is_watching(self, *, is_leader: bool) -> None:
        """Whether this process holds the lease of those who watch."""
        self._leader.set(is_leader)
