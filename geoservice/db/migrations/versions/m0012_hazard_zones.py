"""Hazard zones that were kept, by the hash of their content and their clearance."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

SCHEMA = "meta"


def upgrade() -> None:
    """No zone was kept before."""
    op.create_table(
        "hazard_zone",
        sa.Column("id", sa.Text(collation="C"), primary_key=True),
        sa.Column("clearance", sa.SmallInteger(), primary_key=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("kept", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("document", sa.Text(), nullable=False),
        schema=SCHEMA,
    )
    op.create_index("hazard_zone_kept", "hazard_zone", ["kept", "id"], schema=SCHEMA)
    op.create_index("hazard_zone_principal", "hazard_zone", ["principal"], schema=SCHEMA)


def downgrade() -> None:
    """Forget the kept zones."""
    op.drop_table("hazard_zone", schema=SCHEMA)
