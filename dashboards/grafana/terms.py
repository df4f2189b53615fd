"""PromQL that several panels need."""

from __future__ import annotations

WINDOW = "$__rate_interval"
MODEL = 'model=~"$model"'


def rate(metric: str, matchers: str = "", *, by: str = "") -> str:
    """A counter's growth per second, summed `by` the labels named."""
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({metric}{{{matchers}}}[{WINDOW}]))"


def rate_or_zero(metric: str, matchers: str = "") -> str:
    """The same as one figure, 0 where nothing of the kind was ever counted."""
    return f"({rate(metric, matchers)} or vector(0))"


def share(metric: str, part: str, matchers: str = "") -> str:
    """How much of a counter's growth its `part` makes up."""
    both = ",".join(filter(None, (part, matchers)))
    return f"{rate_or_zero(metric, both)} / {rate(metric, matchers)}"


def shares(metric: str, label: str, matchers: str = "") -> str:
    """The share of each value of a label."""
    whole = rate(metric, matchers)
    return f"{rate(metric, matchers, by=label)} / ignoring ({label}) group_left () {whole}"


def mean(histogram: str, matchers: str = "", *, by: str = "") -> str:
    """A histogram's mean."""
    total, count = (rate(f"{histogram}_{part}", matchers, by=by) for part in ("sum", "count"))
    return f"{total} / {count}"


def quantile(q: float, histogram: str, matchers: str = "", *, by: str = "") -> str:
    """A histogram's quantile."""
    labels = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({q}, {rate(f'{histogram}_bucket', matchers, by=labels)})"


def quantiles(histogram: str, matchers: str = "") -> dict[str, str]:
    """The median, the 95th and the 99th percentile of a histogram, by their names."""
    named = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {name: quantile(q, histogram, matchers) for name, q in named.items()}
