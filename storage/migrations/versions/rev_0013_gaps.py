"""Vectors of prompts, and the knowledge gaps that were found in them.

Revision: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import VARCHAR

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_IDENT = sa.String().with_variant(VARCHAR(collation="C"), "postgresql")


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "prompt_vectors",
        sa.Column("interaction_id", _IDENT, nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("encoder", sa.String(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("is_unsupported", sa.Boolean(), nullable=True),
        sa.Column("expressed", sa.Float(53), nullable=True),
        sa.PrimaryKeyConstraint("interaction_id", name=op.f("pk_prompt_vectors")),
        sa.ForeignKeyConstraint(
            ["interaction_id"],
            ["interactions.id"],
            name=op.f("fk_prompt_vectors_interaction_id"),
            ondelete="CASCADE",
        ),
    )
    op.create_index(op.f("ix_prompt_vectors_created_us"), "prompt_vectors", ["created_us"])
    op.create_table(
        "knowledge_gaps",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False),
        sa.Column("closed_us", sa.BigInteger(), nullable=True),
        sa.Column("figures", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("members", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_knowledge_gaps")),
    )
    op.create_index(op.f("ix_knowledge_gaps_created_us_id"), "knowledge_gaps", ["created_us", "id"])


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("knowledge_gaps")
    op.drop_table("prompt_vectors")
