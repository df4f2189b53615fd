"""The tables. Types are portable: what is here runs on SQLite and on PostgreSQL.

On PostgreSQL `interactions`, `scores`, `responses` and `tags` are partitioned by the exchange's id,
and the latter three refer to it by a trigger instead of a foreign key (DECISIONS.md, 14).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import VARCHAR

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _json(name: str) -> Column[Any]:
    return Column(name, JSON(none_as_null=True))


# Ids sort by their bytes everywhere, so that their order is that of time.
_ident = String().with_variant(VARCHAR(collation="C"), "postgresql")


def _owner(name: str = "interaction_id", *, is_key: bool = False) -> Column[Any]:
    """A column naming the exchange that a row belongs to; the row goes when the exchange goes."""
    reference = ForeignKey("interactions.id", ondelete="CASCADE")
    return Column(name, _ident, reference, primary_key=is_key, nullable=False)


interactions = Table(
    "interactions",
    metadata,
    Column("id", _ident, primary_key=True),
    Column("created_us", BigInteger, nullable=False),
    Column("route", String, nullable=False),
    Column("dialect", String, nullable=False),
    Column("upstream", String, nullable=False),
    Column("model", String, nullable=False),
    Column("reply_model", String),
    Column("policy", String, nullable=False),
    Column("mode", String, nullable=False),
    Column("key_id", String),
    Column("user", String),
    Column("conversation", String),
    _json("tags"),
    Column("is_stream", Boolean, nullable=False),
    Column("n", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("http_status", Integer, nullable=False),
    Column("error_code", String),
    Column("verdict", String, nullable=False),
    Column("prompt_hash", String, nullable=False),
    _json("response_ids"),
    _json("request"),
    _json("context"),
    _json("choices"),
    _json("usage"),
    _json("timings"),
    _json("attempts"),
    _json("twin"),
    _json("stance_probe"),
    Index(None, "created_us", "id"),
    Index(None, "prompt_hash", "created_us"),
    Index(None, "model", "created_us"),
)


def _sparse_index(column: str) -> Index:
    """Users, conversations and keys are often not given: rows without one cost nothing here."""
    given = text(f'"{column}" IS NOT NULL')
    columns = (interactions.c[column], interactions.c.created_us)
    return Index(
        f"ix_interactions_{column}_created_us",
        *columns,
        sqlite_where=given,
        postgresql_where=given,
    )


_sparse_index("user")
_sparse_index("conversation")
_sparse_index("key_id")

_is_prompt_vetoed = text("status = 'prompt_vetoed'")
Index(
    "ix_interactions_prompt_vetoed_created_us",
    interactions.c.created_us,
    sqlite_where=_is_prompt_vetoed,
    postgresql_where=_is_prompt_vetoed,
)

# Tables that are found by their key alone need no rowid: on SQLite one B-tree less to write.
scores = Table(
    "scores",
    metadata,
    _owner(is_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("side", String, nullable=False),
    Column("choice_index", Integer),
    Column("scorer", String, nullable=False),
    Column("model", String, nullable=False),
    Column("status", String, nullable=False),
    Column("risk", Float(53)),
    Column("flag_threshold", Float(53)),
    Column("veto_threshold", Float(53)),
    Column("verdict", String, nullable=False),
    _json("heads"),
    _json("windows"),
    _json("spans"),
    sqlite_with_rowid=False,
)

# Not unique by response_id: upstreams may use an id again.
responses = Table(
    "responses",
    metadata,
    Column("response_id", String, primary_key=True),
    _owner(is_key=True),
    Index(None, "interaction_id"),
    sqlite_with_rowid=False,
)

tags = Table(
    "tags",
    metadata,
    Column("tag", String, primary_key=True),
    _owner(is_key=True),
    Index(None, "interaction_id"),
    sqlite_with_rowid=False,
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", String, primary_key=True),
    Column("created_us", BigInteger, nullable=False),
    _owner(),
    Column("response_id", String),
    Column("choice_index", Integer, nullable=False),
    Column("rating", String),
    Column("comment", Text, nullable=False),
    Column("correction", Text, nullable=False),
    Column("rater", String, nullable=False),
    Column("key_id", String),
    _json("tags"),
    Column("source", String, nullable=False),
    Index(None, "interaction_id", "choice_index"),
    Index(None, "created_us", "id"),
    Index(None, "rater", "created_us"),
)

comparisons = Table(
    "comparisons",
    metadata,
    Column("id", String, primary_key=True),
    Column("created_us", BigInteger, nullable=False),
    _owner("chosen_interaction_id"),
    Column("chosen_choice", Integer, nullable=False),
    _owner("rejected_interaction_id"),
    Column("rejected_choice", Integer, nullable=False),
    Column("rater", String, nullable=False),
    Column("comment", Text, nullable=False),
    Column("key_id", String),
    Column("is_tie", Boolean, nullable=False, server_default=false()),
    Column("ranking_id", String),
    Index(None, "chosen_interaction_id"),
    Index(None, "rejected_interaction_id"),
    Index(None, "created_us", "id"),
    Index(None, "rater", "created_us"),
)

# Few comparisons come of a ranking.
Index(
    "ix_comparisons_ranking_id",
    comparisons.c.ranking_id,
    sqlite_where=comparisons.c.ranking_id.is_not(None),
    postgresql_where=comparisons.c.ranking_id.is_not(None),
)

# `key_id` is never null here (unique constraints let nulls repeat): "" is "no API key".
idempotency = Table(
    "idempotency",
    metadata,
    Column("key", String, nullable=False),
    Column("key_id", String, nullable=False),
    Column("endpoint", String, nullable=False),
    Column("body_hash", String, nullable=False),
    _json("response"),
    Column("created_us", BigInteger, nullable=False),
    UniqueConstraint("key", "key_id", "endpoint"),
    Index(None, "created_us"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("hash", String, nullable=False),
    _json("scopes"),
    Column("created_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger),
    _json("policies"),
    Column("tenant", String),
    UniqueConstraint("hash"),
)

_is_open = text("resolved_us IS NULL")
_is_pending = text("status = 'pending'")

# One row for each time that an alert was raised; at most one of a key is open.
alerts = Table(
    "alerts",
    metadata,
    Column("id", String, primary_key=True),
    Column("key", String, nullable=False),
    Column("type", String, nullable=False),
    _json("labels"),
    Column("summary", Text, nullable=False),
    _json("details"),
    Column("created_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("repeats", Integer, nullable=False),
    Column("stale_after_us", BigInteger),
    Column("clear_us", BigInteger),
    Column("resolved_us", BigInteger),
    Index(
        "uq_alerts_open_key",
        "key",
        unique=True,
        sqlite_where=_is_open,
        postgresql_where=_is_open,
    ),
    Index(None, "created_us", "id"),
)

# What is to be told to whom: one row for each event and receiver, kept until it is forgotten.
alert_deliveries = Table(
    "alert_deliveries",
    metadata,
    Column("id", String, primary_key=True),
    Column("created_us", BigInteger, nullable=False),
    Column("event_id", String, nullable=False),
    Column("alert_id", String, nullable=False),
    Column("type", String, nullable=False),
    Column("receiver", String, nullable=False),
    Column("payload", Text, nullable=False),
    Column("status", String, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_us", BigInteger, nullable=False),
    Column("http_status", Integer),
    Column("error", String),
    Column("done_us", BigInteger),
    Index(
        "ix_alert_deliveries_pending",
        "receiver",
        "next_us",
        sqlite_where=_is_pending,
        postgresql_where=_is_pending,
    ),
    Index(None, "alert_id"),
    Index(None, "created_us", "id"),
)

alert_receivers = Table(
    "alert_receivers",
    metadata,
    Column("name", String, primary_key=True),
    Column("address_hash", String, nullable=False),
    Column("disabled_us", BigInteger),
    Column("wait_until_us", BigInteger),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("until_us", BigInteger, nullable=False),
)

# Two rows for each export and erasure, before and after it. Triggers refuse to change them.
audit = Table(
    "audit",
    metadata,
    Column("id", String, primary_key=True),
    Column("created_us", BigInteger, nullable=False),
    Column("run_id", String, nullable=False),
    Column("action", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("subject", String),
    _json("filters"),
    _json("counts"),
    Index(None, "created_us", "id"),
)

# A tenant lists what was given under its key; where no keys are asked for nothing is indexed.
for _table in (feedback, comparisons):
    Index(
        f"ix_{_table.name}_key_id_created_us_id",
        _table.c.key_id,
        _table.c.created_us,
        _table.c.id,
        sqlite_where=_table.c.key_id.is_not(None),
        postgresql_where=_table.c.key_id.is_not(None),
    )

# What stance probes cost, one row for each probe: no text, and nobody's.
stance_spending = Table(
    "stance_spending",
    metadata,
    Column("id", String, primary_key=True),
    Column("created_us", BigInteger, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Index(None, "created_us"),
)

# Until when vetoed prompts count no more: those of a user under a key, or of a whole key.
pardons = Table(
    "pardons",
    metadata,
    Column("id", String, primary_key=True),
    Column("created_us", BigInteger, nullable=False),
    Column("key_id", String),
    Column("user", String),
    Index(None, "key_id", "user"),
)

# What prompts are about, as the encoder has it: one row for each prompt that was looked at.
prompt_vectors = Table(
    "prompt_vectors",
    metadata,
    _owner(is_key=True),
    Column("created_us", BigInteger, nullable=False),
    Column("encoder", String, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Column("is_unsupported", Boolean),
    Column("expressed", Float(53)),
    Index(None, "created_us"),
)

# Found gaps by figures and ids: what they are about is read from the exchanges that are there.
knowledge_gaps = Table(
    "knowledge_gaps",
    metadata,
    Column("id", String, primary_key=True),
    Column("created_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("closed_us", BigInteger),
    _json("figures"),
    _json("members"),
    Index(None, "created_us", "id"),
)
