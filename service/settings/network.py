"""Where the proxy listens, whom it asks, how long it waits, and its bounds."""

from __future__ import annotations

from pydantic import Field

from service.settings.base import MIB, Section


class Listen(Section):
    """Where the proxy listens."""

    host: str = Field(
        default="127.0.0.1", description="Address to bind; anything but loopback needs keys."
    )
    port: int = Field(default=8080, ge=0, le=65535, description="Port to bind.")
    workers: int = Field(default=1, ge=1, le=256, description="Worker processes.")


class UpstreamSettings(Section):
    """One LLM endpoint."""

    name: str = Field(
        default="default", min_length=1, description="Name of the upstream in records."
    )
    url: str = Field(
        pattern=r"^https?://[^\s/]+", description="Base URL with the version, as `http://host/v1`."
    )
    models: list[str] = Field(
        default=["*"], description="Models it serves; `*` stands for any text."
    )
    api_key_env: str | None = Field(
        default=None,
        description="Environment variable with its API key; else the client's is passed on.",
    )
    retries: int = Field(
        default=0,
        ge=0,
        le=10,
        description="Tries after the first, where no connection came or it said 429 or 503. Most "
        "clients try again by themselves.",
    )
    max_backoff_s: float = Field(
        default=8.0,
        gt=0,
        le=300,
        description="Longest random wait before a try; a longer `retry-after` ends the tries.",
    )
    fallback: str | None = Field(
        default=None,
        description="Upstream asked when this one has no connection or stays 429 or 5xx; it gets "
        "its own key, else the client's.",
    )
    max_concurrency: int | None = Field(
        default=None, gt=0, description="Requests to it in flight, for each worker."
    )
    queue_s: float = Field(
        default=10.0,
        ge=0,
        description="Time that a request waits for a free place; then it is answered 429.",
    )
    connect_s: float | None = Field(
        default=None, gt=0, description="In the place of `timeouts.connect_s`."
    )
    head_s: float | None = Field(
        default=None, gt=0, description="In the place of `timeouts.head_s`."
    )
    idle_s: float | None = Field(
        default=None, gt=0, description="In the place of `timeouts.idle_s`."
    )


class Timeouts(Section):
    """How long is waited for others."""

    connect_s: float = Field(default=5.0, gt=0, description="Connecting to an upstream.")
    head_s: float = Field(default=300.0, gt=0, description="The first byte of an upstream's reply.")
    idle_s: float = Field(default=300.0, gt=0, description="The next byte of an upstream's reply.")
    drain_s: float = Field(
        default=20.0, ge=0, description="Exchanges in flight when the proxy stops."
    )


class Limits(Section):
    """Bounds past which a clear error comes, never a hang."""

    body_bytes: int = Field(default=10 * MIB, gt=0, description="Request body.")
    reply_bytes: int = Field(
        default=64 * MIB, gt=0, description="Reply of an upstream, plain or streamed."
    )
    event_bytes: int = Field(default=16 * MIB, gt=0, description="One event of a stream.")
    connections: int = Field(
        default=1000, gt=0, description="Connections to all upstreams together."
    )
    exchanges: int = Field(
        default=2000, gt=0, description="Exchanges in flight; more are answered 429."
    )
    depth: int = Field(default=200, gt=0, description="Nesting of a request body.")
    choices: int = Field(default=128, gt=0, description="Choices (`n`) of one request.")
    context_items: int = Field(default=1000, gt=0, description="Context texts of one request.")
    spool_bytes: int = Field(
        default=1024 * MIB,
        gt=0,
        description="Records of each worker that wait on disk while the store is away; more are "
        "refused with 503 under `record: strict`, and counted as lost under `relaxed`.",
    )
    metric_models: int = Field(
        default=50, gt=0, description="Models with a metric label of their own."
    )
