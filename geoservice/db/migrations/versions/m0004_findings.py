"""Repairs and findings of loads: one report per load whatever its outcome, one row per repaired geometry."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCHEMA = "meta"


def upgrade() -> None:
    """Create the tables; the writer's rights come from the default privileges of the schema."""
    _create_load_report()
    _create_repair()


def downgrade() -> None:
    """Drop the tables, dependants first."""
    for name in ("repair", "load_report"):
        op.drop_table(name, schema=SCHEMA)


def _number() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True)


def _create_load_report() -> None:
    op.create_table(
        "load_report",
        _number(),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("clearance", sa.SmallInteger(), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("edition", sa.BigInteger(), sa.ForeignKey("meta.edition.id")),
        sa.Column("job", sa.BigInteger()),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text()),
        sa.Column("report", JSONB(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('loaded', 'unchanged', 'refused', 'failed', 'dry-run')", name="load_report_outcome"
        ),
        schema=SCHEMA,
    )
    op.create_index("load_report_layer", "load_report", ["layer", "id"], schema=SCHEMA)
    op.create_index("load_report_edition", "load_report", ["edition"], schema=SCHEMA)


def _create_repair() -> None:
    op.create_table(
        "repair",
        _number(),
        sa.Column("load", sa.BigInteger(), sa.ForeignKey("meta.load_report.id"), nullable=False),
        sa.Column("edition", sa.BigInteger(), sa.ForeignKey("meta.edition.id"), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("before", sa.LargeBinary(), nullable=False),
        sa.Column("after", sa.LargeBinary(), nullable=False),
        sa.Column("area_change", sa.Double()),
        schema=SCHEMA,
    )
    op.create_index("repair_edition", "repair", ["edition", "position"], schema=SCHEMA)
