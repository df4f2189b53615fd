"""Indexes for what one rater said.

Revision: 0014
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TABLES = ("feedback", "comparisons")


def upgrade() -> None:
    """Make the indexes."""
    for table in _TABLES:
        op.create_index(op.f(f"ix_{table}_rater_created_us"), table, ["rater", "created_us"])


def downgrade() -> None:
    """Drop the indexes."""
    for table in _TABLES:
        op.drop_index(op.f(f"ix_{table}_rater_created_us"), table)
