"""Which word of a rater stands: of all that one says of one choice, the newest rating."""

from __future__ import annotations

from sqlalchemy import ColumnElement, FromClause, and_, exists, tuple_

from storage import tables
from storage.records import WITHDRAWN


def is_standing(said: FromClause = tables.feedback) -> ColumnElement[bool]:
    """Whether a row of `feedback` is its rater's newest rating of its choice, not taken back.

    A row without a rating (only a comment or a correction) neither stands nor replaces. A rater
    is an API key and a `rater` text together; all who give no `rater` under one key count as one,
    so that a thumb turned over in a chat window counts once.
    """
    newer = tables.feedback.alias("newer")
    followed = exists().where(
        newer.c.interaction_id == said.c.interaction_id,
        newer.c.choice_index == said.c.choice_index,
        newer.c.rater == said.c.rater,
        newer.c.key_id.is_not_distinct_from(said.c.key_id),
        newer.c.rating.is_not(None),
        tuple_(newer.c.created_us, newer.c.id) > tuple_(said.c.created_us, said.c.id),
    )
    is_rated = and_(said.c.rating.is_not(None), said.c.rating != WITHDRAWN)
    return and_(is_rated, ~followed)
