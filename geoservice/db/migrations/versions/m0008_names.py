"""The index of names: one pair of tables per clearance, and up to which edition of a layer it is made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SCHEMA = "meta"
LEVELS = ("public", "internal", "restricted")
HEADS = (1, 2, 3, 5)
CARRIED = ["form", "importance", "lon", "lat", "name"]


def upgrade() -> None:
    """The index begins empty; workers fill it."""
    for level in LEVELS:
        _names(f"name_{level}")
        _terms(f"term_{level}")
    op.add_column("layer_state", sa.Column("named", sa.BigInteger()), schema=SCHEMA)
    op.add_column("layer_state", sa.Column("naming", sa.Text()), schema=SCHEMA)


def downgrade() -> None:
    """Forget the names; they can be gathered again."""
    op.drop_column("layer_state", "naming", schema=SCHEMA)
    op.drop_column("layer_state", "named", schema=SCHEMA)
    for level in LEVELS:
        op.drop_table(f"term_{level}", schema=SCHEMA)
        op.drop_table(f"name_{level}", schema=SCHEMA)


def _names(table: str) -> None:
    op.create_table(
        table,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), primary_key=True),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("fid", sa.BigInteger(), nullable=False),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        sa.Column("attribute", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("sound", sa.Text(), nullable=False),
        sa.Column("importance", sa.REAL(), nullable=False),
        sa.Column("adcode", sa.Text(collation="C")),
        sa.Column("geom", Geometry("POINT", srid=4490, spatial_index=False)),
        schema=SCHEMA,
    )
    op.create_index(f"{table}_feature", table, ["layer", "fid"], schema=SCHEMA)
    op.create_index(f"{table}_adcode", table, ["adcode"], schema=SCHEMA)
    op.create_index(f"{table}_geom", table, ["geom"], schema=SCHEMA, postgresql_using="gist")
    trigrams = {"sound": "gin_trgm_ops"}
    op.create_index(f"{table}_sound", table, ["sound"], schema=SCHEMA, postgresql_using="gin", postgresql_ops=trigrams)


def _terms(table: str) -> None:
    op.create_table(
        table,
        sa.Column("term", sa.Text(collation="C"), nullable=False),
        sa.Column("form", sa.SmallInteger(), nullable=False),
        sa.Column("importance", sa.REAL(), nullable=False),
        sa.Column("lon", sa.REAL()),
        sa.Column("lat", sa.REAL()),
        sa.Column("name", sa.BigInteger(), nullable=False),
        schema=SCHEMA,
    )
    op.create_index(f"{table}_term", table, ["term"], schema=SCHEMA, postgresql_include=CARRIED)
    for length in HEADS:
        head = sa.func.left(sa.column("term"), sa.literal_column(str(length)))
        columns = [head, sa.column("importance").desc()]
        op.create_index(f"{table}_head{length}", table, columns, schema=SCHEMA)
