"""Indexes for what was given under one API key.

Revision: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = ("feedback", "comparisons")
COLUMNS = ["key_id", "created_us", "id"]


def upgrade() -> None:
    """Make the indexes."""
    has_key = sa.text("key_id IS NOT NULL")
    for table in TABLES:
        op.create_index(
            f"ix_{table}_key_id_created_us_id",
            table,
            COLUMNS,
            sqlite_where=has_key,
            postgresql_where=has_key,
        )


def downgrade() -> None:
    """Drop them."""
    for table in TABLES:
        op.drop_index(f"ix_{table}_key_id_created_us_id", table)
