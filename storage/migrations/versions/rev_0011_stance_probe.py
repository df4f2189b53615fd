"""What a stance probe found, beside its exchange, and what probes have cost.

Revision: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the table; exchanges that are there were not probed."""
    column: sa.Column[object] = sa.Column("stance_probe", sa.JSON(none_as_null=True), nullable=True)
    op.add_column("interactions", column)
    op.create_table(
        "stance_spending",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stance_spending")),
    )
    op.create_index(op.f("ix_stance_spending_created_us"), "stance_spending", ["created_us"])


def downgrade() -> None:
    """Drop both, and with them what was found."""
    op.drop_table("stance_spending")
    op.drop_column("interactions", "stance_probe")
