"""Indexes for lists of one key's exchanges and of one model's.

Revision: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_GIVEN = sa.text('"key_id" IS NOT NULL')


def upgrade() -> None:
    """Make the indexes."""
    op.create_index(
        "ix_interactions_key_id_created_us",
        "interactions",
        ["key_id", "created_us"],
        sqlite_where=_GIVEN,
        postgresql_where=_GIVEN,
    )
    op.create_index(
        op.f("ix_interactions_model_created_us"), "interactions", ["model", "created_us"]
    )


def downgrade() -> None:
    """Drop the indexes."""
    op.drop_index("ix_interactions_model_created_us", "interactions")
    op.drop_index("ix_interactions_key_id_created_us", "interactions")
