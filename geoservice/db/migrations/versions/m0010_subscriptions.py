"""Subscriptions to new editions, how far each has been told, and what became of its messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SCHEMA = "meta"
MOMENT = sa.DateTime(timezone=True)
STATES = "state IN ('waiting', 'delivered', 'failed', 'dropped')"


def upgrade() -> None:
    """Nobody has subscribed yet."""
    op.create_table(
        "subscription",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("principal", sa.Text(), sa.ForeignKey("meta.api_key.id"), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("collections", ARRAY(sa.Text()), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created", MOMENT, nullable=False, server_default=sa.func.now()),
        sa.Column("failures", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("disabled", MOMENT),
        schema=SCHEMA,
    )
    op.create_index("subscription_principal", "subscription", ["principal"], schema=SCHEMA)
    op.create_table(
        "subscription_mark",
        sa.Column("subscription", sa.Text(), _owner(), primary_key=True),
        sa.Column("layer", sa.Text(), primary_key=True),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        schema=SCHEMA,
    )
    _create_delivery()


def downgrade() -> None:
    """Forget who subscribed."""
    for name in ("delivery", "subscription_mark", "subscription"):
        op.drop_table(name, schema=SCHEMA)


def _owner() -> sa.ForeignKey:
    return sa.ForeignKey("meta.subscription.id", ondelete="CASCADE")


def _create_delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("subscription", sa.Text(), _owner(), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        sa.Column("payload", JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, server_default="waiting"),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("next_attempt", MOMENT, nullable=False, server_default=sa.func.now()),
        sa.Column("status", sa.Integer()),
        sa.Column("error", sa.Text()),
        sa.Column("created", MOMENT, nullable=False, server_default=sa.func.now()),
        sa.Column("finished", MOMENT),
        sa.CheckConstraint(STATES, name="delivery_state"),
        schema=SCHEMA,
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index("delivery_due", "delivery", ["next_attempt"], schema=SCHEMA, postgresql_where=waiting)
    op.create_index("delivery_subscription", "delivery", ["subscription", "id"], schema=SCHEMA)
