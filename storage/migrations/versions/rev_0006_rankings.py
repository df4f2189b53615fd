"""Ties and rankings among comparisons; API keys that share a tenant.

Revision: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; comparisons that are there are no ties, keys are tenants of their own."""
    tie: sa.Column[bool] = sa.Column(
        "is_tie", sa.Boolean(), nullable=False, server_default=sa.false()
    )
    op.add_column("comparisons", tie)
    op.add_column("comparisons", _text("ranking_id"))
    op.add_column("api_keys", _text("tenant"))
    of_a_ranking = sa.text("ranking_id IS NOT NULL")
    op.create_index(
        "ix_comparisons_ranking_id",
        "comparisons",
        ["ranking_id"],
        sqlite_where=of_a_ranking,
        postgresql_where=of_a_ranking,
    )


def downgrade() -> None:
    """Drop the columns; ties would read as preferences, so they go too."""
    op.execute(sa.text("DELETE FROM comparisons WHERE is_tie"))
    op.drop_column("api_keys", "tenant")
    op.drop_index("ix_comparisons_ranking_id", "comparisons")
    op.drop_column("comparisons", "ranking_id")
    op.drop_column("comparisons", "is_tie")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=True)
