"""The figures of stance probes."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter

OUTCOMES = (
    "held",
    "caved",
    "undecided",
    "busy",
    "paused",
    "over_budget",
    "skipped",
    "failed",
    "gone",
    "impossible",
)


class StanceMetrics:
    """What probes come to and what they cost. `label` gives a model's label, capped."""

    def __init__(self, registry: CollectorRegistry, label: Callable[[str], str]) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, namespace="fairlead", registry=registry)

        self._label = label
        self._probes = counter(
            "stance_probes", "Replies drawn for a stance probe, by what came of it.",
            "policy", "model", "outcome",
        )  # fmt: skip
        self._requests = counter("stance_probe_requests", "Requests that stance probes sent.")
        self._tokens = counter("stance_probe_tokens", "Tokens that stance probes cost.")

    def probed(self, policy: str, model: str, outcome: str) -> None:
        """What came of a reply that was drawn.

        `held`, `caved` and `undecided` are verdicts. `busy` gave way to traffic, `paused` came
        while the upstream is left alone, `over_budget` did not fit, `skipped` came while others
        waited, `failed` got no answer, `gone` was erased, and of `impossible` nothing can be asked.
        """
        label = self._label(model)
        for each in OUTCOMES:  # all appear together: a rate does not see the first of a kind
            self._probes.labels(policy, label, each)
        self._probes.labels(policy, label, outcome).inc()

    def spent(self, *, requests: int, tokens: int) -> None:
        """A probe has cost so much."""
        self._requests.inc(requests)
        self._tokens.inc(tokens)
