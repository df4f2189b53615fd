"""Pardons: until when a user's vetoed prompts count no more.

Revision: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "pardons",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.Column("user", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pardons")),
    )
    op.create_index(op.f("ix_pardons_key_id_user"), "pardons", ["key_id", "user"])


def downgrade() -> None:
    """Drop the table: strikes that were forgotten count again."""
    op.drop_table("pardons")
