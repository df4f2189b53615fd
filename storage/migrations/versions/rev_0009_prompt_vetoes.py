"""Exchanges whose prompt was vetoed are found without reading the others.

Revision: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_NAME = "ix_interactions_prompt_vetoed_created_us"


def upgrade() -> None:
    """Create the index; it has a row for each vetoed prompt and none for all others."""
    is_vetoed = sa.text("status = 'prompt_vetoed'")
    op.create_index(
        _NAME,
        "interactions",
        ["created_us"],
        sqlite_where=is_vetoed,
        postgresql_where=is_vetoed,
    )


def downgrade() -> None:
    """Drop the index."""
    op.drop_index(_NAME, "interactions")
