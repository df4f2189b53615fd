"""From a list's query to the filters of the store, within what the caller may see."""

from __future__ import annotations

from typing import Any

from service.access import Caller
from service.errors import BadRequest, Forbidden
from service.routes.bodies import ComparisonQuery, FeedbackQuery, InteractionQuery, Span
from service.routes.views import unix_us
from storage.repositories.comparisons import ComparisonFilter
from storage.repositories.feedback import FeedbackFilter
from storage.repositories.interactions import InteractionFilter

_OF_EXCHANGE = ("model", "status", "verdict", "user", "conversation", "policy", "route")
_OF_INTERACTION = (
    "tag", "response_id", "scorer", "min_risk", "has_feedback", "rating", "rater",
)  # fmt: skip
_OF_FEEDBACK = (
    "interaction_id", "response_id", "choice_index", "rating", "rater", "tag", "source",
)  # fmt: skip


def interaction_filter(query: InteractionQuery, caller: Caller) -> InteractionFilter:
    """The exchanges that the caller may see and asks for."""
    return InteractionFilter(
        **_of(query, _OF_EXCHANGE + _OF_INTERACTION), **span(query), key_id=owner(query, caller)
    )


def feedback_filter(query: FeedbackQuery, caller: Caller) -> FeedbackFilter:
    """The feedback that the caller gave, or may see, and asks for."""
    of = InteractionFilter(**_of(query, _OF_EXCHANGE))
    return FeedbackFilter(
        **_of(query, _OF_FEEDBACK),
        **span(query),
        is_standing=query.latest,
        of=None if of == InteractionFilter() else of,
        key_id=owner(query, caller),
    )


def comparison_filter(query: ComparisonQuery, caller: Caller) -> ComparisonFilter:
    """The comparisons that the caller made, or may see, and asks for."""
    return ComparisonFilter(
        interaction_id=query.interaction_id,
        rater=query.rater,
        ranking_id=query.ranking_id,
        **span(query),
        key_id=owner(query, caller),
    )


def _of(query: Span, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(query, name) for name in names}


def span(query: Span) -> dict[str, Any]:
    """`since_us` and `until_us` of a query; `BadRequest` where nothing lies between."""
    since_us, until_us = unix_us(query.since), unix_us(query.until)
    if since_us is not None and until_us is not None and since_us >= until_us:
        raise BadRequest("`until` is not after `since`, so nothing lies between", param="until")
    return {"since_us": since_us, "until_us": until_us}


def owner(query: Span, caller: Caller) -> str | None:
    """Whose rows are asked for, None all; `Forbidden` where the caller may not see them."""
    if query.key is None or query.key == caller.tenant:
        return caller.tenant
    if caller.tenant is not None:
        raise Forbidden("only a key with the scope `admin` may look at another key's", param="key")
    return query.key
