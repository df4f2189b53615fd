"""What can be set, with its meaning. Values only: `sources.py` reads them, nothing reads on import.

The table of `service/README.md` is generated from the descriptions here by `settings_table`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticUndefined

from service.privacy.found import KINDS, Kind

MIB = 1024 * 1024

Action = Literal["replace", "error", "annotate", "regenerate"]


INSTRUCTION = (
    "An earlier answer to this request was withheld by a check of its content. Answer again: "
    "politely, without help for anything harmful, and where sources are given, with nothing that "
    "they do not say. Do not mention the earlier answer or the check."
)
"""What the upstream is told when it is asked again, unless a policy has words of its own."""


def _off_is_a_word(value: Any) -> Any:
    """YAML reads a bare `off` as false; here it is the name of a mode."""
    return "off" if value is False else value


def _on_or_off(value: Any) -> Any:
    """YAML reads bare `on` and `off` as truth values; here they are words."""
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


DEFAULT_RULES: dict[str, dict[str, Any]] = {
    "prompt": {"injection": {"flag": {"fpr": 0.01}}, "toxicity": {"flag": 0.8}},
    "reply": {
        "toxicity": {"flag": 0.5, "veto": {"fpr": 0.01}},
        "faithfulness": {"flag": 0.5, "veto": {"fpr": 0.01}},
        "sycophancy": {"flag": {"fpr": 0.05}},
        "confidence": {"flag": {"fpr": 0.05}},
    },
}
"""The rules of a policy that names none for a side. To have none, write `reply: {}`."""


class Section(BaseModel):
    """A group of settings: frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


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


class Threshold(Section):
    """A limit on a risk: a plain number in YAML, or `{fpr: 0.01}`."""

    risk: float | None = Field(default=None, ge=0, le=1, description="A risk in [0, 1].")
    fpr: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="The risk with this rate of false positives in calibration.",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"risk": value}
        if not isinstance(value, dict | cls):
            raise ValueError("a threshold is a risk such as 0.5, or {fpr: 0.01}")  # noqa: TRY004
        return value

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.risk is None) == (self.fpr is None):
            raise ValueError("a threshold is a risk such as 0.5, or {fpr: 0.01}")
        return self

    @model_serializer
    def _as_written(self) -> float | dict[str, float | None] | None:
        return {"fpr": self.fpr} if self.risk is None else self.risk


class RuleSettings(Section):
    """What a policy says of one scorer or head; without thresholds it is scored and recorded."""

    flag: Threshold | None = Field(default=None, description="Risk from which the text is flagged.")
    veto: Threshold | None = Field(default=None, description="Risk from which the text is vetoed.")
    action: Action = Field(
        default="replace",
        description="What a veto does: `replace`, `error`, `annotate`, or on replies `regenerate`.",
    )
    attempts: int = Field(
        default=2, ge=1, le=5, description="How often `regenerate` asks the upstream again."
    )
    heads: list[str] | None = Field(
        default=None,
        min_length=1,
        description="Heads of the scorer that count; else its default heads.",
    )
    mode: Literal["classifier", "twin"] = Field(
        default="classifier",
        description="How `sycophancy` finds its risk. `twin` asks the upstream the same without "
        "the view that a prompt states, each time, which costs a call, and compares the answers.",
    )
    twin_budget_ms: int = Field(
        default=2000,
        gt=0,
        le=600_000,
        description="Time that a reply which is there, or the first text of a stream, waits for "
        "its twin; then the classifier alone judges.",
    )
    twin_sample: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of replies to a stated view whose twin is asked for after delivery, to "
        "record and count flips; each costs a call.",
    )


class VetoSettings(Section):
    """How vetoes are told."""

    prompt_as: Literal["error", "refusal"] = Field(
        default="error",
        description="A vetoed prompt answers with HTTP 400, or with 200 and the refusal.",
    )


class RegenerationSettings(Section):
    """How the upstream is asked for another reply."""

    deadline_ms: int = Field(
        default=30_000,
        gt=0,
        le=600_000,
        description="Time from a veto until another reply has passed, all attempts together; on "
        "streams, until its first text has. Then the vetoed reply is replaced.",
    )
    instruction: str = Field(
        default=INSTRUCTION,
        description="What the upstream is told then, with the system prompt; empty asks the same.",
    )


class PolicySettings(Section):
    """One policy."""

    mode: Annotated[Literal["enforce", "shadow", "off"], BeforeValidator(_off_is_a_word)] = Field(
        default="enforce",
        description="`enforce`; `shadow` scores and records but changes nothing; `off` records.",
    )
    streaming: Literal["hold", "chase"] = Field(
        default="hold",
        description="`hold` lets no unscored text out; `chase` lets text out and cuts on a veto.",
    )
    prompt_scoring: Literal["concurrent", "before"] = Field(
        default="concurrent",
        description="Score the prompt while the upstream works, or before.",
    )
    on_scorer_failure: Literal["open", "closed"] = Field(
        default="open", description="Whether text passes when a scorer gives no answer."
    )
    deadline_ms: int = Field(
        default=2000, gt=0, le=600_000, description="Time that scoring may take."
    )
    refusal: str = Field(
        default="This reply was withheld by policy.",
        min_length=1,
        description="Text in the place of what was vetoed.",
    )
    text: Literal["keep", "redact", "hash", "drop"] = Field(
        default="keep",
        description="What is kept of texts: all; all but personal data and secrets; keyed hashes "
        "and lengths; nothing.",
    )
    veto: VetoSettings = Field(default_factory=VetoSettings, description="How vetoes are told.")
    regeneration: RegenerationSettings = Field(
        default_factory=RegenerationSettings, description="How a vetoed reply is asked for again."
    )
    routes: list[str] = Field(
        default=[], description="Routes that use this policy, such as `/v1/chat/completions`."
    )
    models: list[str] = Field(
        default=[], description="Models that use this policy; `*` is any text."
    )
    prompt: dict[str, RuleSettings] = Field(
        default_factory=lambda: _default_rules("prompt"),
        description="Rules on prompts, by scorer or head.",
    )
    reply: dict[str, RuleSettings] = Field(
        default_factory=lambda: _default_rules("reply"),
        description="Rules on replies, by scorer or head.",
    )


def _default_rules(side: str) -> dict[str, RuleSettings]:
    return {k: RuleSettings.model_validate(rule) for k, rule in DEFAULT_RULES[side].items()}


class Webhook(Section):
    """One receiver of alerts."""

    name: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        description="Its name in metrics, logs and the store; the host and a hash of the address "
        "if unset.",
    )
    url: str = Field(
        pattern=r"^https?://[^\s/]+", description="Address that alerts are sent to; never logged."
    )
    secret_env: str | None = Field(
        default=None,
        description="Environment variable with the signing secret (`whsec_...`); `standard` "
        "needs one.",
    )
    format: Literal["standard", "slack", "alertmanager"] = Field(
        default="standard", description="`standard` (Standard Webhooks), `slack` or `alertmanager`."
    )


class Alerts(Section):
    """Who is told of trouble."""

    allow_private_targets: bool = Field(
        default=False,
        description="Whether alerts may go to private, loopback, link-local and metadata "
        "addresses.",
    )
    webhooks: list[Webhook] = Field(default=[], description="Receivers of alerts.")
    timeout_s: float = Field(
        default=10.0, gt=0, le=60, description="Time that one try of a delivery may take."
    )
    first_retry_s: float = Field(
        default=5.0, gt=0, le=3600, description="Wait before a second try; each next is threefold."
    )
    max_retry_s: float = Field(
        default=3600.0, gt=0, le=86_400, description="Longest wait between tries."
    )
    give_up_h: float = Field(
        default=72.0, gt=0, le=720, description="Hours after which an alert is not tried any more."
    )
    resolve_after_s: float = Field(
        default=300.0,
        ge=0,
        description="How long a cause has to be gone until its alert is resolved; what comes back "
        "before stays one alert.",
    )
    keep_days: int = Field(
        default=90, ge=1, description="Days for which ended alerts and deliveries are kept."
    )

    @model_validator(mode="after")
    def _names_webhooks_once(self) -> Self:
        names = [webhook.name for webhook in self.webhooks if webhook.name]
        if len(set(names)) < len(names) or len({w.url for w in self.webhooks}) < len(self.webhooks):
            raise ValueError("two webhooks have the same name or the same address")
        return self


class DriftSettings(Section):
    """How the record is watched for drift."""

    mode: Annotated[Literal["on", "off"], BeforeValidator(_on_or_off)] = Field(
        default="on", description="Whether a running service looks for drift each hour."
    )
    reference_days: int = Field(
        default=7, ge=1, le=90, description="Days of traffic that the newer is compared with."
    )
    watched_days: int = Field(
        default=7, ge=1, le=90, description="Days of the newest traffic that are compared."
    )
    reference_since: AwareDatetime | None = Field(
        default=None,
        description="Start of a pinned reference (ISO 8601 with a zone); all since its end is "
        "compared with it. Else it rolls on with the days.",
    )
    reference_until: AwareDatetime | None = Field(
        default=None, description="End of a pinned reference."
    )
    min_effect: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Change that does not matter, in standard deviations of the signal.",
    )
    false_alarm_weeks: float = Field(
        default=4.0,
        gt=0,
        le=520,
        description="Weeks of steady traffic to a false alarm on average, at least, over all "
        "signals together.",
    )
    exchanges_per_hour: int = Field(
        default=500, ge=10, le=100_000, description="Exchanges looked at of an hour, at random."
    )
    groups: int = Field(
        default=20, ge=1, le=1000, description="Pairs of model and route, the busiest first."
    )
    prompts_per_hour: int = Field(
        default=60,
        ge=0,
        le=100_000,
        description="Prompts of an hour that are embedded to see what they are about; 0 for none.",
    )

    @model_validator(mode="after")
    def _has_both_ends(self) -> Self:
        since, until = self.reference_since, self.reference_until
        if (since is None) != (until is None):
            raise ValueError("a pinned reference has both `reference_since` and `reference_until`")
        if since is not None and until is not None and since >= until:
            raise ValueError("`reference_since` is not before `reference_until`")
        return self


class CalibrationSettings(Section):
    """How the certainty of served models is watched."""

    days: int = Field(
        default=7, ge=1, le=365, description="Days of checked replies that count as recent."
    )
    reference_days: int = Field(
        default=28, ge=1, le=3650, description="Days before those that they are held against."
    )
    every_hours: float = Field(
        default=6.0, gt=0, le=168, description="Time from one comparison to the next, in hours."
    )
    margin: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Calibration error that is added before `calibration.degraded` is raised.",
    )
    alpha: float = Field(
        default=0.01,
        gt=0,
        lt=0.5,
        description="Chance of a false alarm at one comparison, all models together.",
    )


class VetoRate(Section):
    """When vetoes are too many: the alert `veto_rate.high`."""

    mode: Annotated[Literal["on", "off"], BeforeValidator(_on_or_off)] = Field(
        default="on", description="Whether veto rates are watched, by policy and model."
    )
    window_minutes: float = Field(
        default=60.0, ge=1, le=1440, description="Newest time that is held against the days before."
    )
    reference_days: int = Field(
        default=7, ge=1, le=90, description="Days before it that are compared, in whole hours."
    )
    min_ratio: float = Field(
        default=2.0, ge=1, le=100, description="Rise that does not matter: so many times as high."
    )
    min_vetoes: int = Field(default=10, ge=1, description="Fewer conversations raise no alert.")
    alpha: float = Field(
        default=1e-6,
        gt=0,
        lt=0.1,
        description="Chance of a false alarm at each of the looks, one a minute, for each policy "
        "and model.",
    )


class ScorerHealth(Section):
    """When scores are missing: the alert `scorer.unhealthy`."""

    window_minutes: float = Field(
        default=10.0, ge=1, le=1440, description="Time in which missing scores are counted."
    )
    max_failures: float = Field(
        default=0.05, gt=0, lt=1, description="Share of exchanges without a score that may be."
    )
    alpha: float = Field(
        default=1e-6, gt=0, lt=0.1, description="Chance of a false alarm at a look, one a minute."
    )


class Watch(Section):
    """What is watched in the background."""

    veto_rate: VetoRate = Field(default_factory=VetoRate, description="When vetoes are too many.")
    scorers: ScorerHealth = Field(
        default_factory=ScorerHealth, description="When scores are missing."
    )
    drift: DriftSettings = Field(
        default_factory=DriftSettings, description="How the record is watched for drift."
    )
    calibration: CalibrationSettings = Field(
        default_factory=CalibrationSettings,
        description="How the certainty of served models is watched.",
    )


class Scoring(Section):
    """The scoring model and the machine it runs on."""

    model: str = Field(default="fairlead-mini", description="Name of the scoring model.")
    models_dir: str = Field(
        default="fairlead-models",
        description="Folder of the models that `fairlead models add` puts there.",
    )
    provider: Literal["auto", "cpu", "cuda", "tensorrt"] = Field(
        default="auto",
        description="Execution provider; not got is an error. `auto` takes CUDA where it is.",
    )
    threads: int = Field(default=0, ge=0, le=256, description="Threads of the model; 0 is all.")
    queue_tokens: int | None = Field(
        default=None, gt=0, description="Tokens that may wait to be scored; more are refused."
    )
    batch_tokens: int | None = Field(
        default=None, gt=0, description="Padded tokens in one batch, at most."
    )
    remembered_texts: int = Field(
        default=10_000,
        ge=0,
        le=10_000_000,
        description="Texts of prompts whose scores are remembered, by hash, for each worker.",
    )
    history_chars: int = Field(
        default=10_000,
        ge=0,
        description="Characters of earlier conversation, if not remembered, that a prompt veto "
        "looks at, the newest first.",
    )
    bulk_deadline_s: float = Field(
        default=60.0,
        gt=0,
        le=3600,
        description="Time that one `/v1/score` or `/v1/moderations` request may take.",
    )
    confidence_maps: str | None = Field(
        default=None,
        description="JSON file that says, by served model, how often replies that sound so sure "
        "are right; without it only the tokens' probabilities tell.",
    )
    reward: dict[str, float] = Field(
        default={"toxicity": -1.0, "faithfulness": -1.0},
        description="Weights of the risks in `/v1/score`'s `reward`, by rule on replies.",
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


class Access(Section):
    """Who may use the proxy."""

    required: bool | Literal["auto"] = Field(
        default="auto",
        description="Whether API keys are asked for; `auto`: unless bound to loopback.",
    )
    cache_s: float = Field(
        default=5.0,
        ge=0,
        le=60,
        description="Time for which a key is remembered; a revocation's delay.",
    )
    outage_s: float = Field(
        default=3600.0,
        ge=0,
        le=86_400,
        description="Time since its last look-up for which a known key stands while the store "
        "cannot be asked.",
    )

    open_metrics: bool = Field(
        default=True, description="Whether `/metrics` answers without a key."
    )


class Privacy(Section):
    """How texts are treated where a policy's `text` is not `keep`."""

    key_env: str | None = Field(
        default=None,
        description="Environment variable with the secret of keyed hashes, 16 bytes or more; "
        "`text: hash` needs it.",
    )
    redact: list[Kind] = Field(
        default=list(KINDS),
        description="What `text: redact` replaces, among `KEY`, `EMAIL`, `IBAN`, `CARD`, `IP` and "
        "`PHONE`.",
    )
    phone_regions: list[Annotated[str, Field(pattern="^[A-Z]{2}$")]] = Field(
        default=[],
        description="Regions whose telephone numbers are known without a country code, as `US`.",
    )


class Retention(Section):
    """How long exchanges are kept."""

    days: int | None = Field(
        default=None,
        ge=1,
        description="Days after which an exchange is removed with all that was said of it; "
        "everything is kept if unset.",
    )
    partition_days: int = Field(
        default=30,
        ge=1,
        le=366,
        description="Days in one partition on PostgreSQL, which is removed as a whole when its "
        "last day is old enough.",
    )


class Logs(Section):
    """What is logged; texts and keys never are."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged."
    )
    exchanges: bool = Field(default=True, description="Whether each exchange logs one line.")


class TelemetrySettings(Section):
    """OpenTelemetry."""

    exporter: Literal["none", "otlp"] = Field(
        default="none", description="Where spans and scores go: nowhere, or to a collector."
    )
    endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description=(
            "The collector's address for OTLP over HTTP, without `/v1/traces`; "
            "`OTEL_EXPORTER_OTLP_ENDPOINT` or `http://localhost:4318` if unset."
        ),
    )
    sample: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share of exchanges that are told; one whose caller traces it follows that.",
    )
    content: bool = Field(
        default=False,
        description="Whether prompts and replies are told where the policy's `text` is `keep`.",
    )
    propagate: bool = Field(
        default=False,
        description=(
            "Whether the upstream gets our `traceparent`; "
            "else a client's own passes as every header does."
        ),
    )
    service_name: str = Field(default="fairlead", description="`service.name` of what is told.")


class Timeouts(Section):
    """How long is waited for others."""

    connect_s: float = Field(default=5.0, gt=0, description="Connecting to an upstream.")
    head_s: float = Field(default=300.0, gt=0, description="The first byte of an upstream's reply.")
    idle_s: float = Field(default=300.0, gt=0, description="The next byte of an upstream's reply.")
    drain_s: float = Field(
        default=20.0, ge=0, description="Exchanges in flight when the proxy stops."
    )


class Labelling(Section):
    """Weak labels for exports."""

    functions: list[str] = Field(
        default=[],
        description="Labelling functions beside ours: `FILE.py` or `MODULE`, with `:NAME` for one.",
    )


class AbuseSettings(Section):
    """What is done about users whose prompts are vetoed again and again; off unless set."""

    after: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Vetoed prompts of a user from which something is done; unset is off.",
    )
    within_minutes: float = Field(
        default=60.0, gt=0, le=10_080, description="Time in which so many have to fall."
    )
    action: Literal["slow", "stop"] = Field(
        default="stop", description="`slow` delays each request, `stop` answers 403."
    )
    delay_ms: int = Field(
        default=2000, ge=0, le=60_000, description="Delay of a slowed user's requests."
    )
    for_minutes: float = Field(
        default=60.0, gt=0, le=10_080, description="How long it holds after the last of them."
    )
    by: Literal["user", "key"] = Field(
        default="user",
        description="Who is one: a `fairlead.user` under an API key, or the whole key.",
    )
    refresh_s: float = Field(
        default=5.0, ge=0.1, le=300, description="Time from one reading of the counts to the next."
    )


class Settings(Section):
    """Everything that can be set."""

    listen: Listen = Field(default_factory=Listen, description="Where the proxy listens.")
    database_url: str = Field(
        default="sqlite+aiosqlite:///fairlead.db",
        pattern=r"^(sqlite\+aiosqlite|postgresql\+asyncpg)://",
        description="Store: `sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://...`.",
    )
    record: Literal["strict", "relaxed"] = Field(
        default="strict", description="Whether a reply's end waits until its record is durable."
    )
    durable: bool = Field(
        default=False,
        description="Whether what is committed is on the disk before it counts: SQLite then syncs "
        "each commit, PostgreSQL waits for its log whatever the server's default is.",
    )
    spool_dir: str | None = Field(
        default=None,
        description="Where records wait while the store is away; beside a SQLite file if unset.",
    )
    retention: Retention = Field(
        default_factory=Retention, description="How long exchanges are kept."
    )
    upstreams: list[UpstreamSettings] = Field(
        default=[], description="LLM endpoints, first match wins."
    )
    policies: dict[str, PolicySettings] = Field(
        default={},
        validate_default=True,
        description="Policies by name; `default` is there even if unset.",
    )
    alerts: Alerts = Field(default_factory=Alerts, description="Who is told of trouble.")
    watch: Watch = Field(default_factory=Watch, description="What is watched in the background.")
    abuse: AbuseSettings = Field(
        default_factory=AbuseSettings,
        description="What is done about users whose prompts are vetoed again and again.",
    )
    scoring: Scoring = Field(default_factory=Scoring, description="The scoring model.")
    limits: Limits = Field(default_factory=Limits, description="Bounds.")
    access: Access = Field(default_factory=Access, description="Who may use the proxy.")
    privacy: Privacy = Field(default_factory=Privacy, description="How texts are treated.")
    logs: Logs = Field(default_factory=Logs, description="What is logged.")
    timeouts: Timeouts = Field(default_factory=Timeouts, description="How long is waited.")
    telemetry: TelemetrySettings = Field(
        default_factory=TelemetrySettings, description="OpenTelemetry."
    )
    labelling: Labelling = Field(default_factory=Labelling, description="Weak labels.")
    context_pattern: str | None = Field(
        default=None,
        description="Pattern marking source text in messages; its first group is the source.",
    )

    @model_validator(mode="before")
    @classmethod
    def _has_default_policy(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("policies", {}), dict):
            return value
        return value | {"policies": {"default": {}, **value.get("policies", {})}}

    @model_validator(mode="after")
    def _names_upstreams_once(self) -> Self:
        names = [upstream.name for upstream in self.upstreams]
        if len(set(names)) < len(names):
            raise ValueError("two upstreams have the same name; each needs a `name` of its own")
        return self

    @model_validator(mode="after")
    def _fallbacks_end(self) -> Self:
        following = {upstream.name: upstream.fallback for upstream in self.upstreams}
        for name in following:
            seen = [name]
            while (fallback := following[seen[-1]]) is not None:
                if fallback not in following:
                    raise ValueError(f"{seen[-1]}.fallback: no upstream is named {fallback!r}")
                if fallback in seen:
                    circle = " -> ".join([*seen, fallback])
                    raise ValueError(f"fallbacks go round in a circle: {circle}")
                seen.append(fallback)
        return self


def section_in(annotation: Any) -> type[Section] | None:
    """The section inside an annotation such as `list[X]`, `dict[str, X]` or `X | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    found = (section_in(part) for part in get_args(annotation))
    return next((section for section in found if section), None)


def known_keys(section: type[Section] = Settings, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every key with its field, depth first, as `listen.host`, `upstreams[].url`."""
    for name, field in section.model_fields.items():
        inner = section_in(field.annotation)
        path = f"{prefix}{name}"
        if inner is None or inner is Threshold:
            yield path, field
            continue
        text = str(field.annotation)
        joint = "[]." if text.startswith("list") else ".NAME." if text.startswith("dict") else "."
        yield from known_keys(inner, path + joint)


_PROMPT_RULE = "policies.NAME.prompt."


def settings_table() -> str:
    """The table of settings, in Markdown; rules on prompts are those on replies."""
    rows = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for key, field in known_keys():
        if key.startswith(_PROMPT_RULE):
            continue
        meaning = (field.description or "").replace("|", "\\|")
        rows.append(f"| `{key}` | {_default(field)} | {meaning} |")
    return "\n".join(rows) + "\n"


def _default(field: Any) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "required"
    if value in (None, [], {}):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
