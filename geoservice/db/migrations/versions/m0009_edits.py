"""What edits need: answers to repeated requests, and which former versions of rows were closed further."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SCHEMA = "meta"


def upgrade() -> None:
    """Nothing is known of requests and raised clearances before."""
    op.create_table(
        "raised",
        sa.Column("layer", sa.Text(), primary_key=True),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("began", sa.BigInteger(), primary_key=True),
        sa.Column("edition", sa.BigInteger(), primary_key=True),
        sa.Column("ended", sa.BigInteger(), nullable=False),
        sa.Column("was", sa.SmallInteger(), nullable=False),
        schema=SCHEMA,
    )
    op.create_table(
        "request_memo",
        sa.Column("principal", sa.Text(), primary_key=True),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("answer", JSONB(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        schema=SCHEMA,
    )
    op.create_index("request_memo_created", "request_memo", ["created"], schema=SCHEMA)


def downgrade() -> None:
    """Forget them."""
    op.drop_table("request_memo", schema=SCHEMA)
    op.drop_table("raised", schema=SCHEMA)
