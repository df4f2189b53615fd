"""What the upstream was asked without its user's view, beside the exchange that it belongs to.

Revision: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; exchanges that are there have no twin."""
    column: sa.Column[object] = sa.Column("twin", sa.JSON(none_as_null=True), nullable=True)
    op.add_column("interactions", column)


def downgrade() -> None:
    """Drop the column, and with it what was recorded of the twins."""
    op.drop_column("interactions", "twin")
