"""What is known of the feeds of the watch file."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

SCHEMA = "meta"


def upgrade() -> None:
    """No feed was asked before."""
    op.create_table(
        "feed",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("address", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text()) for name in ("etag", "modified", "digest")),
        sa.Column("stamp", sa.DateTime(timezone=True)),
        sa.Column("asked", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("checked", sa.DateTime(timezone=True)),
        sa.Column("succeeded", sa.DateTime(timezone=True)),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("error", sa.Text()),
        sa.Column("told", sa.Text()),
        sa.Column("jobs", ARRAY(sa.BigInteger()), nullable=False, server_default=sa.text("'{}'::bigint[]")),
        schema=SCHEMA,
    )


def downgrade() -> None:
    """Forget what is known of feeds."""
    op.drop_table("feed", schema=SCHEMA)
