"""Exchanges and what is written with them in partitions by time, on PostgreSQL.

An id begins with its time, so a range of ids is a span of time, and the id can stay the key. SQLite
has no partitions and stays as it is. Indexes and references that earlier revisions made are read
from the catalogue and made again.

Revision: 0005
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from storage.ids import first_id, id_us, now_us

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEYS = {
    "interactions": "id",
    "scores": "interaction_id",
    "responses": "interaction_id",
    "tags": "interaction_id",
}
PRIMARY = {
    "interactions": ("id",),
    "scores": ("interaction_id", "position"),
    "responses": ("response_id", "interaction_id"),
    "tags": ("tag", "interaction_id"),
}
SPAN_US = 30 * 86_400_000_000
MOST_PARTITIONS = 60

CASCADE = """
CREATE FUNCTION fairlead_delete_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM scores WHERE interaction_id = OLD.id;
    DELETE FROM responses WHERE interaction_id = OLD.id;
    DELETE FROM tags WHERE interaction_id = OLD.id;
    RETURN NULL;
END $$
"""
TRIGGER = """
CREATE TRIGGER delete_parts AFTER DELETE ON interactions
    FOR EACH ROW EXECUTE FUNCTION fairlead_delete_parts()
"""


def upgrade() -> None:
    """Copy the four tables into partitioned ones."""
    if op.get_bind().dialect.name != "postgresql":
        return
    references = _drop_references()
    starts = _starts()
    for table, key in KEYS.items():
        indexes = _make_way(table)
        op.execute(f'ALTER TABLE plain_{table} ALTER "{key}" TYPE varchar COLLATE "C"')
        op.execute(
            f"CREATE TABLE {table} (LIKE plain_{table} INCLUDING DEFAULTS) "
            f'PARTITION BY RANGE ("{key}")'
        )
        _make_partitions(table, starts)
        _fill(table, indexes)
    for owner, column, name, definition in references:
        if owner not in KEYS:
            op.execute(f'ALTER TABLE {owner} ALTER "{column}" TYPE varchar COLLATE "C"')
            op.execute(f"ALTER TABLE {owner} ADD CONSTRAINT {name} {definition}")
    op.execute(CASCADE)
    op.execute(TRIGGER)


def downgrade() -> None:
    """Copy the partitions into plain tables."""
    if op.get_bind().dialect.name != "postgresql":
        return
    references = _drop_references()
    op.execute("DROP TRIGGER delete_parts ON interactions")
    op.execute("DROP FUNCTION fairlead_delete_parts")
    for table in KEYS:
        indexes = _make_way(table)
        op.execute(f"CREATE TABLE {table} (LIKE plain_{table} INCLUDING DEFAULTS)")
        _fill(table, indexes)
    for owner, _, name, definition in references:
        op.execute(f"ALTER TABLE {owner} ADD CONSTRAINT {name} {definition}")
    for table, key in KEYS.items():
        if table != "interactions":
            op.create_foreign_key(
                op.f(f"fk_{table}_{key}"),
                table,
                "interactions",
                [key],
                ["id"],
                ondelete="CASCADE",
            )


def _drop_references() -> list[tuple[str, str, str, str]]:
    """(table, column, name, definition) of every foreign key to `interactions`, now dropped."""
    found = op.get_bind().execute(
        sa.text(
            "SELECT conrelid::regclass::text, attname, conname, pg_get_constraintdef(c.oid) "
            "FROM pg_constraint c JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1] "
            "WHERE contype = 'f' AND confrelid = 'interactions'::regclass AND conparentid = 0 "
            "ORDER BY conname"
        )
    )
    references = [(str(a), str(b), str(c), str(d)) for a, b, c, d in found]
    for owner, _, name, _ in references:
        op.execute(f"ALTER TABLE {owner} DROP CONSTRAINT {name}")
    return references


def _make_way(table: str) -> list[str]:
    """Puts the table aside without its key and indexes; gives the definitions of the indexes."""
    found = op.get_bind().execute(
        sa.text(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() "
            "AND tablename = :table AND indexname <> :primary ORDER BY indexname"
        ),
        {"table": table, "primary": f"pk_{table}"},
    )
    # Of a partitioned table the catalogue says ON ONLY.
    indexes = {str(name): str(made).replace(" ON ONLY ", " ON ") for name, made in found}
    op.execute(f"ALTER TABLE {table} RENAME TO plain_{table}")
    op.execute(f"ALTER TABLE plain_{table} DROP CONSTRAINT pk_{table}")
    for name in indexes:
        op.execute(f"DROP INDEX {name}")
    return list(indexes.values())


def _fill(table: str, indexes: list[str]) -> None:
    op.execute(f"INSERT INTO {table} SELECT * FROM plain_{table}")  # noqa: S608 names of ours
    op.execute(f"DROP TABLE plain_{table}")
    op.create_primary_key(f"pk_{table}", table, list(PRIMARY[table]))
    for index in indexes:
        op.execute(index)


def _starts() -> list[int]:
    """The first microseconds of the partitions, from the oldest exchange to two spans from now."""
    now = now_us() // SPAN_US
    oldest = op.get_bind().execute(
        sa.text("SELECT min(id) FROM interactions WHERE id ~ '^fl_[0-9a-hjkmnp-tv-z]{26}$'")
    )
    ident = oldest.scalar_one()
    first = now if ident is None else id_us(ident) // SPAN_US
    return [span * SPAN_US for span in range(max(min(first, now), now - MOST_PARTITIONS), now + 3)]


def _make_partitions(table: str, starts: list[int]) -> None:
    op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
    for start in starts:
        name = f"{table}_p{datetime.fromtimestamp(start / 1e6, UTC):%Y%m%d%H}"
        bounds = f"FROM ('{first_id('fl', start)}') TO ('{first_id('fl', start + SPAN_US)}')"
        op.execute(f"CREATE TABLE {name} PARTITION OF {table} FOR VALUES {bounds}")
