"""Lineage of editions and the life of quarantined rows."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA = "meta"
MOMENT = sa.DateTime(timezone=True)
KINDS = ("load", "replay", "withdrawal", "edit")
STATES = ("open", "mended", "dismissed", "superseded")


def upgrade() -> None:
    """Add the columns; what is there already was loaded, and its bad rows wait."""
    for column in (*_lineage(), *_chain()):
        op.add_column("edition", column, schema=SCHEMA)
    op.create_check_constraint("edition_kind", "edition", sa.column("kind").in_(KINDS), schema=SCHEMA)
    for column in _life():
        op.add_column("quarantine", column, schema=SCHEMA)
    op.create_check_constraint("quarantine_state", "quarantine", sa.column("state").in_(STATES), schema=SCHEMA)
    op.create_index("quarantine_life", "quarantine", ["layer", "state", "id"], schema=SCHEMA)


def downgrade() -> None:
    """Take the columns away again."""
    op.drop_index("quarantine_life", "quarantine", schema=SCHEMA)
    op.drop_constraint("quarantine_state", "quarantine", schema=SCHEMA)
    for column in reversed(_life()):
        op.drop_column("quarantine", column.name, schema=SCHEMA)
    op.drop_constraint("edition_kind", "edition", schema=SCHEMA)
    for column in reversed([*_lineage(), *_chain()]):
        op.drop_column("edition", column.name, schema=SCHEMA)


def _edition(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), sa.ForeignKey("meta.edition.id"))


def _lineage() -> list[sa.Column[Any]]:
    return [
        sa.Column("kind", sa.Text(), nullable=False, server_default="load"),
        sa.Column("owner", sa.Text()),
        sa.Column("received", MOMENT, nullable=False, server_default=sa.func.now()),
        sa.Column("tools", JSONB()),
        sa.Column("mapping_digest", sa.Text()),
        sa.Column("definition", sa.Text()),
    ]


def _chain() -> list[sa.Column[Any]]:
    return [_edition("undoes"), _edition("undone_by"), sa.Column("reason", sa.Text())]


def _life() -> list[sa.Column[Any]]:
    return [
        sa.Column("key", sa.Text()),
        sa.Column("rule", sa.Text(), nullable=False, server_default="refused"),
        sa.Column("reader", JSONB()),
        sa.Column("mended", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False, server_default="open"),
        sa.Column("settled", MOMENT),
        sa.Column("settled_by", sa.Text()),
        sa.Column("remark", sa.Text()),
        _edition("edition"),
        sa.Column("history", JSONB(), nullable=False, server_default=sa.text("'[]'::jsonb")),
    ]
