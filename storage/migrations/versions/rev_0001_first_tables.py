"""The first tables: exchanges and their scores, feedback, comparisons, keys.

Revision: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "interactions",
    "scores",
    "responses",
    "tags",
    "feedback",
    "comparisons",
    "idempotency",
    "api_keys",
)


def upgrade() -> None:
    """Create every table."""
    _create_interactions()
    _create_scores()
    _create_responses()
    _create_tags()
    _create_feedback()
    _create_comparisons()
    _create_idempotency()
    _create_api_keys()


def downgrade() -> None:
    """Drop every table, those that refer to others first."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _create_interactions() -> None:
    op.create_table(
        "interactions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("dialect", sa.String(), nullable=False),
        sa.Column("upstream", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("reply_model", sa.String(), nullable=True),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.Column("user", sa.String(), nullable=True),
        sa.Column("conversation", sa.String(), nullable=True),
        sa.Column("tags", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("is_stream", sa.Boolean(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=False),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("prompt_hash", sa.String(), nullable=False),
        sa.Column("response_ids", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("request", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("context", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("choices", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("usage", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("timings", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interactions")),
    )
    op.create_index(
        "ix_interactions_conversation_created_us",
        "interactions",
        ["conversation", "created_us"],
        sqlite_where=sa.text('"conversation" IS NOT NULL'),
        postgresql_where=sa.text('"conversation" IS NOT NULL'),
    )
    op.create_index(op.f("ix_interactions_created_us_id"), "interactions", ["created_us", "id"])
    op.create_index(
        op.f("ix_interactions_prompt_hash_created_us"),
        "interactions",
        ["prompt_hash", "created_us"],
    )
    op.create_index(
        "ix_interactions_user_created_us",
        "interactions",
        ["user", "created_us"],
        sqlite_where=sa.text('"user" IS NOT NULL'),
        postgresql_where=sa.text('"user" IS NOT NULL'),
    )


def _create_scores() -> None:
    op.create_table(
        "scores",
        sa.Column("interaction_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("choice_index", sa.Integer(), nullable=True),
        sa.Column("scorer", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("risk", sa.Float(precision=53), nullable=True),
        sa.Column("flag_threshold", sa.Float(precision=53), nullable=True),
        sa.Column("veto_threshold", sa.Float(precision=53), nullable=True),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("heads", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("windows", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("spans", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["interaction_id"],
            ["interactions.id"],
            name=op.f("fk_scores_interaction_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("interaction_id", "position", name=op.f("pk_scores")),
        sqlite_with_rowid=False,
    )


def _create_responses() -> None:
    op.create_table(
        "responses",
        sa.Column("response_id", sa.String(), nullable=False),
        sa.Column("interaction_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["interaction_id"],
            ["interactions.id"],
            name=op.f("fk_responses_interaction_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("response_id", "interaction_id", name=op.f("pk_responses")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_responses_interaction_id"), "responses", ["interaction_id"])


def _create_tags() -> None:
    op.create_table(
        "tags",
        sa.Column("tag", sa.String(), nullable=False),
        sa.Column("interaction_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["interaction_id"],
            ["interactions.id"],
            name=op.f("fk_tags_interaction_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tag", "interaction_id", name=op.f("pk_tags")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_tags_interaction_id"), "tags", ["interaction_id"])


def _create_feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("interaction_id", sa.String(), nullable=False),
        sa.Column("response_id", sa.String(), nullable=True),
        sa.Column("choice_index", sa.Integer(), nullable=False),
        sa.Column("rating", sa.String(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("correction", sa.Text(), nullable=False),
        sa.Column("rater", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.Column("tags", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["interaction_id"],
            ["interactions.id"],
            name=op.f("fk_feedback_interaction_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
    )
    op.create_index(op.f("ix_feedback_created_us_id"), "feedback", ["created_us", "id"])
    op.create_index(
        op.f("ix_feedback_interaction_id_choice_index"),
        "feedback",
        ["interaction_id", "choice_index"],
    )


def _create_comparisons() -> None:
    op.create_table(
        "comparisons",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("chosen_interaction_id", sa.String(), nullable=False),
        sa.Column("chosen_choice", sa.Integer(), nullable=False),
        sa.Column("rejected_interaction_id", sa.String(), nullable=False),
        sa.Column("rejected_choice", sa.Integer(), nullable=False),
        sa.Column("rater", sa.String(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["chosen_interaction_id"],
            ["interactions.id"],
            name=op.f("fk_comparisons_chosen_interaction_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["rejected_interaction_id"],
            ["interactions.id"],
            name=op.f("fk_comparisons_rejected_interaction_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comparisons")),
    )
    op.create_index(
        op.f("ix_comparisons_chosen_interaction_id"), "comparisons", ["chosen_interaction_id"]
    )
    op.create_index(op.f("ix_comparisons_created_us_id"), "comparisons", ["created_us", "id"])
    op.create_index(
        op.f("ix_comparisons_rejected_interaction_id"), "comparisons", ["rejected_interaction_id"]
    )


def _create_idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column("body_hash", sa.String(), nullable=False),
        sa.Column("response", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint(
            "key", "key_id", "endpoint", name=op.f("uq_idempotency_key_key_id_endpoint")
        ),
    )
    op.create_index(op.f("ix_idempotency_created_us"), "idempotency", ["created_us"])


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("scopes", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.Column("policies", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_keys_hash")),
    )
