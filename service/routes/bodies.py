"""The bodies and queries of the routes that the proxy answers itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from storage.records import Rating, Status, Verdict

MAX_ID_CHARS = 256
MAX_NAME_CHARS = 256
MAX_COMMENT_CHARS = 20_000
MAX_CORRECTION_CHARS = 400_000
MAX_TAGS = 50
MAX_RANKED = 32

Ident = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS)]
Name = Annotated[str, Field(max_length=MAX_NAME_CHARS)]


_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:\d\d)$")


def _utc(value: Any) -> Any:
    """A time without a zone is UTC; a bare date is its first moment.

    A `+` that a query left unescaped came as a space, and is one again.
    """
    if not isinstance(value, str):
        return value
    try:
        found = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", value))
    except ValueError:
        return value
    return found if found.tzinfo else found.replace(tzinfo=UTC)


Time = Annotated[AwareDatetime, BeforeValidator(_utc)]


class Body(BaseModel):
    """A request body: closed to fields that it does not know, and to wrong types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class FeedbackBody(Body):
    """What a person says of one choice of one reply."""

    id: Ident = Field(description="The reply's own id, or the interaction's (`x-fairlead-id`).")
    rating: Rating | None = Field(
        default=None,
        description="`up` or `down`; null for none, which leaves an earlier one standing; "
        "`withdrawn` takes back what this rater said of this choice before.",
    )
    choice_index: int = Field(default=0, ge=0, le=10_000, description="Which choice is meant.")
    comment: str = Field(default="", max_length=MAX_COMMENT_CHARS, description="Free text.")
    correction: str = Field(
        default="", max_length=MAX_CORRECTION_CHARS, description="What the reply should have been."
    )
    rater: Name = Field(default="", description="Who says so; the newest word of each counts.")
    tags: list[Name] = Field(default=[], max_length=MAX_TAGS, description="Free labels.")

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said of the reply."""
        texts = (self.comment, self.correction)
        return self.rating is None and not self.tags and not any(map(str.strip, texts))


NOTHING_SAID = "says nothing: give a `rating`, a `comment`, a `correction` or `tags`"
"""What is told of feedback that is empty."""


class ComparisonBody(Body):
    """One reply preferred to another."""

    chosen: Ident = Field(description="Id of the better reply, or of its interaction.")
    rejected: Ident = Field(description="Id of the worse reply, or of its interaction.")
    chosen_choice_index: int = Field(default=0, ge=0, le=10_000, description="Its choice.")
    rejected_choice_index: int = Field(default=0, ge=0, le=10_000, description="Its choice.")
    is_tie: bool = Field(
        default=False,
        description="Neither is better, whichever is called which; takes back what this rater "
        "preferred of the two before.",
    )
    rater: Name = Field(default="", description="Who says so; the newest word on each two counts.")
    comment: str = Field(default="", max_length=MAX_COMMENT_CHARS, description="Free text.")


class RankedReply(Body):
    """One place of a ranking."""

    id: Ident = Field(description="The reply's own id, or the interaction's.")
    choice_index: int = Field(default=0, ge=0, le=10_000, description="Its choice.")


def _tiers(value: Any) -> Any:
    """A bare id is its first choice, a bare place a tier by itself."""
    if not isinstance(value, list):
        return value
    tiers = (tier if isinstance(tier, list) else [tier] for tier in value)
    return [[{"id": one} if isinstance(one, str) else one for one in tier] for tier in tiers]


_Place = str | RankedReply
Tier = Annotated[list[RankedReply], Field(min_length=1, max_length=MAX_RANKED)]
Tiers = Annotated[
    list[Tier], BeforeValidator(_tiers, json_schema_input_type=list[_Place | list[_Place]])
]


class RankingBody(Body):
    """Several replies in order."""

    ranking: Tiers = Field(
        max_length=MAX_RANKED,
        description="Replies, the best first: each an id, or an object with `id` and "
        f"`choice_index`; a list of them is a tie. 2 to {MAX_RANKED} replies.",
    )
    rater: Name = Field(default="", description="Who says so; the newest word on each two counts.")
    comment: str = Field(default="", max_length=MAX_COMMENT_CHARS, description="Free text.")


class Span(BaseModel):
    """A span of time, and whose rows."""

    model_config = ConfigDict(extra="forbid")

    since: Time | None = Field(default=None, description="From this time on (ISO 8601).")
    until: Time | None = Field(default=None, description="Before this time (ISO 8601).")
    key: Name | None = Field(
        default=None, description="Id of an API key, for those who may see what others did."
    )


class Listing(Span):
    """What every list takes: a page's size and place, a span of time, and whose rows."""

    limit: int = Field(default=50, ge=1, le=1000, description="Items on a page.")
    cursor: str | None = Field(default=None, max_length=512, description="`next_cursor` of a page.")


class ExchangeQuery(Listing):
    """Which exchanges are listed, or which those are that the listed rows speak of."""

    model: Name | None = Field(default=None, description="The model asked for.")
    status: Status | None = None
    verdict: Verdict | None = None
    user: Name | None = None
    conversation: Name | None = None
    policy: Name | None = None
    route: Name | None = None


class FeedbackQuery(ExchangeQuery):
    """Which feedback to list. `model` to `route` look at the exchange, `key` at the feedback."""

    interaction_id: Ident | None = None
    response_id: Ident | None = None
    choice_index: int | None = Field(default=None, ge=0, le=10_000)
    rating: Rating | None = None
    rater: Name | None = None
    tag: Name | None = Field(default=None, description="A tag of the feedback.")
    source: Name | None = Field(default=None, description="`api` or `import`.")
    latest: bool | None = Field(
        default=None,
        description="True for the ratings that count now: of each rater and choice the newest, "
        "unless withdrawn. False for all other rows, the history. Both if not given.",
    )


class ComparisonQuery(Listing):
    """Which comparisons to list."""

    interaction_id: Ident | None = Field(default=None, description="Of either reply.")
    rater: Name | None = None
    ranking_id: Ident | None = Field(default=None, description="Of this ranking.")


class InteractionQuery(ExchangeQuery):
    """Which interactions to list."""

    tag: Name | None = None
    response_id: Ident | None = None
    scorer: Name | None = Field(default=None, description="Scored by this scorer.")
    min_risk: float | None = Field(
        default=None, ge=0, le=1, description="A risk, of `scorer` or of any, is at least this."
    )
    has_feedback: bool | None = Field(
        default=None, description="Whether there is feedback or a comparison of any kind."
    )
    rating: Rating | None = Field(default=None, description="A rating that counts now.")
    rater: Name | None = Field(default=None, description="Who gave a rating that counts now.")


class FeedbackView(BaseModel):
    """Feedback as it is stored."""

    id: str
    created_at: str
    interaction_id: str
    response_id: str | None
    choice_index: int
    rating: Rating | None
    comment: str
    correction: str
    rater: str
    tags: list[str]
    source: str


class ComparisonView(BaseModel):
    """A comparison as it is stored."""

    id: str
    created_at: str
    chosen: str
    rejected: str
    chosen_choice_index: int
    rejected_choice_index: int
    is_tie: bool
    ranking_id: str | None = Field(description="The ranking that it comes of, if it does.")
    rater: str
    comment: str


class PlaceView(BaseModel):
    """One place of a ranking."""

    id: str = Field(description="Id of the interaction.")
    choice_index: int


class RankingView(BaseModel):
    """A ranking as it is stored: as the comparisons of each two of its replies."""

    id: str
    created_at: str
    ranking: list[list[PlaceView]] = Field(description="The best first; those in one list tie.")
    comparisons: int = Field(description="How many comparisons it is, ties included.")
    rater: str
    comment: str


class ScoreView(BaseModel):
    """What one scorer said of the prompt or of one choice."""

    side: Literal["prompt", "reply"]
    choice_index: int | None
    scorer: str
    model: str
    status: Literal["scored", "not_applicable", "failed"]
    risk: float | None
    flag_threshold: float | None
    veto_threshold: float | None
    verdict: Verdict
    heads: dict[str, Any] | None
    windows: list[list[Any]] | None
    spans: list[dict[str, Any]] | None


class AttemptView(BaseModel):
    """A reply that was asked for and that the client did not get."""

    number: int = Field(description="Which reply of the exchange, from 1.")
    upstream: str
    response_id: str | None
    model: str | None
    error_code: str | None = Field(description="Why it did not come; null where it was vetoed.")
    choices: list[dict[str, Any]]
    usage: dict[str, Any] | None
    scores: list[ScoreView]


class InteractionView(BaseModel):
    """One exchange as it is recorded."""

    id: str
    created_at: str
    response_ids: list[str]
    route: str
    dialect: str
    upstream: str
    model: str
    reply_model: str | None
    policy: str
    mode: str
    user: str | None
    conversation: str | None
    tags: list[str]
    is_stream: bool
    n: int
    status: Status
    http_status: int
    error_code: str | None
    verdict: Verdict
    request: dict[str, Any] | None
    context: list[str] | None
    choices: list[dict[str, Any]] | None
    usage: dict[str, Any] | None
    timings: dict[str, float] | None
    attempts: list[AttemptView] | None = Field(
        description="Replies set aside on the way to this one, by `action: regenerate`."
    )
    twin: dict[str, Any] | None = Field(
        description="What the upstream answered without the view that the prompt states."
    )
    stance_probe: dict[str, Any] | None = Field(
        description="What the upstream answered with the user's view taken out and turned round."
    )
    scores: list[ScoreView]
    feedback: list[FeedbackView] | None = Field(
        default=None, description="The newest of each rater; only where one exchange is asked for."
    )


class FeedbackPage(BaseModel):
    """A page of feedback, newest first."""

    items: list[FeedbackView]
    next_cursor: str | None


class ComparisonPage(BaseModel):
    """A page of comparisons, newest first."""

    items: list[ComparisonView]
    next_cursor: str | None


class InteractionPage(BaseModel):
    """A page of interactions, newest first."""

    items: list[InteractionView]
    next_cursor: str | None


class ErrorDetail(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorBody(BaseModel):
    """OpenAI's error envelope."""

    error: ErrorDetail
