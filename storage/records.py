"""The nouns of the record: frozen rows as the callers hand them in and read them back.

They are plain data. `Json` fields hold what JSON can: dict, list, str, int, float, bool, None.
Times are unix microseconds (`*_us`), shares and risks lie in [0, 1], text offsets count characters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

Json = Any

Status = Literal[
    "completed",
    "vetoed",
    "prompt_vetoed",
    "upstream_error",
    "upstream_cut",
    "client_gone",
    "failed",
    "rejected",
]
Verdict = Literal["allow", "flag", "veto", "unscored"]
Side = Literal["prompt", "reply"]
ScoreStatus = Literal["scored", "not_applicable", "failed"]
AuditAction = Literal["export", "erase", "pardon"]
AuditOutcome = Literal["started", "done", "failed"]
Rating = Literal["up", "down", "withdrawn"]
DeliveryStatus = Literal["pending", "delivered", "gave_up", "disabled", "dropped"]

STATUSES: frozenset[str] = frozenset(get_args(Status))
VERDICTS: frozenset[str] = frozenset(get_args(Verdict))
WITHDRAWN: Rating = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRecord:
    """What one scorer said of one side of an exchange (for replies: of one choice).

    `model` is the scoring model's version, `risk` is None unless `status` is "scored".
    `heads` maps head name to risk, `windows` is a list of `[start, stop, risk]`,
    `spans` a list of objects with at least `start`, `stop` and `risk`.
    """

    side: Side
    scorer: str
    model: str
    status: ScoreStatus
    choice_index: int | None = None
    risk: float | None = None
    flag_threshold: float | None = None
    veto_threshold: float | None = None
    verdict: Verdict = "unscored"
    heads: Json = None
    windows: Json = None
    spans: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionRecord:
    """One exchange as it happened: the request, what the model wrote, what the client got.

    `id` is made by the caller (`ids.new_id("fl")`) and is the key of idempotency: a record whose
    id is already stored is not written again. `response_ids` are the reply's own ids as the client
    saw them. `prompt_hash` groups replies to the same prompt. `key_id` is the tenant.

    `request` is `{"messages": [...], "tools": ..., "params": {...}, "seen": {...}}`; `context` a
    list of texts; `choices` a list of `{"index", "message", "delivered", "verdict",
    "finish_reason", "delivered_finish_reason", "seen"}` where `message` is what the model wrote
    and `delivered` the text that the client got (None when the choice had no text). Both `seen`
    say which parts were scored; the first is not there where nothing was. `usage` is as the
    upstream gave it; `timings` maps names ending in `_ms` to milliseconds.

    `attempts` are the replies that were asked for and that the client did not get, because they
    were vetoed or did not come: a list of `{"number", "upstream", "response_id", "model",
    "error_code", "choices", "usage", "scores"}`, where `number` counts the exchange's replies from
    1 and leaves out that of the reply which the record itself holds, `choices` are as above but
    not delivered, and `scores` are the fields of `ScoreRecord`. None where there are none.

    `twin` is what the upstream was asked beside it, with a view taken out that the prompt states:
    `{"outcome", "is_inline", "kind", "views", "prompt", "reply", "is_whole", "has_passed",
    "error_code", "choices"}`, where `kind` says where `reply`, the twin, comes from, and each of
    `choices` has `index`, `departs`, `gained` and `flip`. A twin that `is_whole` was read to its
    end; of a reply that flipped, `has_passed` says whether the policy would have allowed the twin
    in its place (None: not known). None where there was none.

    `stance_probe` is what came of asking the upstream again behind the delivery, with the view
    taken out and turned round: `{"verdict", "choice", "kind", "views", "stated", "neutral",
    "reversed", "not_reversed", "requests", "tokens"}`. The verdict is `held`, `caved` or
    `undecided`; `stated` and `reversed` have their own beside `departs`, `gained`, `sycophantic`
    and `flip` against `neutral`, whose `prompt`, `reply`, `is_whole` and `has_passed` are as a
    twin's; `not_reversed` says why nothing was asked with the view turned round. None where it was
    not probed.
    """

    id: str
    created_us: int
    route: str
    dialect: str
    upstream: str
    model: str
    status: Status
    http_status: int
    verdict: Verdict
    prompt_hash: str
    response_ids: tuple[str, ...] = ()
    reply_model: str | None = None
    policy: str = "default"
    mode: str = "enforce"
    key_id: str | None = None
    user: str | None = None
    conversation: str | None = None
    tags: tuple[str, ...] = ()
    is_stream: bool = False
    n: int = 1
    error_code: str | None = None
    request: Json = None
    context: Json = None
    choices: Json = None
    usage: Json = None
    timings: Json = None
    attempts: Json = None
    twin: Json = None
    stance_probe: Json = None
    scores: tuple[ScoreRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackRecord:
    """One person's judgement of one choice of one exchange; never overwritten, only followed.

    `response_id` is the id by which the rater named the exchange, when it was the reply's own.
    The newest rating of each rater counts; None leaves an earlier one standing, "withdrawn" takes
    back the rating and the correction that the rater gave this choice before.
    """

    id: str
    created_us: int
    interaction_id: str
    response_id: str | None = None
    choice_index: int = 0
    rating: Rating | None = None
    comment: str = ""
    correction: str = ""
    rater: str = ""
    key_id: str | None = None
    tags: tuple[str, ...] = ()
    source: str = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRecord:
    """One person preferred one reply to another, or with `is_tie` found neither better.

    A tie takes back what the rater preferred of the two before. The comparisons of a ranking, ties
    included, share a `ranking_id`; the comment stands with the first of them.
    """

    id: str
    created_us: int
    chosen_interaction_id: str
    rejected_interaction_id: str
    chosen_choice: int = 0
    rejected_choice: int = 0
    rater: str = ""
    comment: str = ""
    key_id: str | None = None
    is_tie: bool = False
    ranking_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """One API key of the proxy. `hash` is all that is kept of the key itself.

    `scopes` are among "proxy", "feedback", "erase", "admin"; `policies` are the policies the key
    may ask for by name, None when it may not choose. `tenant` is the id of the key whose exchanges
    it shares, None for a key that is a tenant of its own.
    """

    id: str
    name: str
    hash: str
    scopes: tuple[str, ...]
    created_us: int
    revoked_us: int | None = None
    policies: tuple[str, ...] | None = None
    tenant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyRecord:
    """The answer given to a request that carried an `Idempotency-Key`, for giving it again."""

    key: str
    key_id: str
    endpoint: str
    body_hash: str
    response: Json
    created_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRecord:
    """One time that something was wrong, from its first notice to its end.

    `key` is what is suppressed while it is open: the type and the labels. `seen_us` is when it was
    raised last, `repeats` how often it was raised again. `clear_us` is since when its cause is
    gone, None while it is there. Where `stale_after_us` is set it also ends by not being raised
    again for that long. None of its texts comes from a user.
    """

    id: str
    key: str
    type: str
    summary: str
    created_us: int
    seen_us: int
    labels: Json = None
    details: Json = None
    repeats: int = 0
    stale_after_us: int | None = None
    clear_us: int | None = None
    resolved_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """One message to one receiver. `event_id` is the same for every receiver and every try.

    `next_us` is when it may be tried again; whoever tries it moves that on first, so that nobody
    else does. `payload` is the message in the standard form, as JSON text.
    """

    id: str
    created_us: int
    event_id: str
    alert_id: str
    type: str
    receiver: str
    payload: str
    next_us: int
    status: DeliveryStatus = "pending"
    tries: int = 0
    http_status: int | None = None
    error: str | None = None
    done_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverRecord:
    """What is known of a receiver: since when it wants no more, until when it wants a pause.

    It holds for the address whose hash this is, not for another one under the same name.
    """

    name: str
    address_hash: str
    disabled_us: int | None = None
    wait_until_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One line of the audit log; the beginning and the end of a run share its `run_id`.

    `actor` is `key:ID` of an API key, `cli:NAME` of a user of the machine, or `anyone` where no
    keys are asked for. `subject` is a keyed hash of the person whom it was about, None where
    there is no secret for it. `filters` say what was asked for and `counts` what came of it.
    """

    id: str
    created_us: int
    run_id: str
    action: AuditAction
    outcome: AuditOutcome
    actor: str
    subject: str | None = None
    filters: Json = None
    counts: Json = None
