"""Replies that were asked for and not given to the client, beside the exchange they belong to.

Revision: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; exchanges that are there have no attempts."""
    column: sa.Column[object] = sa.Column("attempts", sa.JSON(none_as_null=True), nullable=True)
    op.add_column("interactions", column)


def downgrade() -> None:
    """Drop the column, and with it what was recorded of the attempts."""
    op.drop_column("interactions", "attempts")
