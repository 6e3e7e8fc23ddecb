"""Subscriptions to alerts, exceedances and areas, by webhook or mail; addresses of mail are confirmed first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

SCHEMA = "meta"
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """All subscriptions that there are want editions of layers, by webhook, for which nobody is asked to agree."""
    for column in (
        sa.Column("kind", sa.Text(), nullable=False, server_default="layer"),
        sa.Column("condition", JSONB(), nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.Column("place", JSONB()),
        sa.Column("area", sa.LargeBinary()),
        sa.Column("lang", sa.Text(), nullable=False, server_default="zh"),
        sa.Column("exercises", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("heard", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("confirmed", MOMENT),
        sa.Column("parted", MOMENT),
    ):
        op.add_column("subscription", column, schema=SCHEMA)
    kinds = "kind IN ('layer', 'alert', 'exceedance')"
    op.create_check_constraint("subscription_kind", "subscription", kinds, schema=SCHEMA)
    op.alter_column("delivery", "layer", nullable=True, schema=SCHEMA)
    op.alter_column("delivery", "edition", nullable=True, schema=SCHEMA)
    op.add_column("delivery", sa.Column("event", sa.Text()), schema=SCHEMA)
    clearance = sa.Column("clearance", sa.SmallInteger(), nullable=False, server_default=sa.text("0"))
    op.add_column("delivery", clearance, schema=SCHEMA)
    once = ["subscription", "event"]
    op.create_index("delivery_event", "delivery", once, unique=True, schema=SCHEMA)
    _create_standing()
    op.create_table(
        "mail_asked",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False),
        sa.Column("asked", MOMENT, nullable=False, server_default=sa.func.now()),
        schema=SCHEMA,
    )
    op.create_index("mail_asked_asked", "mail_asked", ["asked"], schema=SCHEMA)


def _create_standing() -> None:
    op.create_table(
        "subscription_standing",
        sa.Column(
            "subscription", sa.Text(), sa.ForeignKey("meta.subscription.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("thing", sa.Text(), primary_key=True),
        sa.Column("clearance", sa.SmallInteger(), nullable=False),
        sa.Column("told", JSONB(), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        schema=SCHEMA,
    )


def downgrade() -> None:
    """Keep what was before: subscriptions to layers by webhook, and their messages."""
    op.drop_table("mail_asked", schema=SCHEMA)
    op.drop_table("subscription_standing", schema=SCHEMA)
    op.execute("DELETE FROM meta.subscription WHERE kind <> 'layer' OR url LIKE 'mailto:%'")
    op.execute("DELETE FROM meta.delivery WHERE layer IS NULL OR edition IS NULL")
    op.drop_index("delivery_event", "delivery", schema=SCHEMA)
    op.drop_column("delivery", "clearance", schema=SCHEMA)
    op.drop_column("delivery", "event", schema=SCHEMA)
    op.alter_column("delivery", "edition", nullable=False, schema=SCHEMA)
    op.alter_column("delivery", "layer", nullable=False, schema=SCHEMA)
    op.drop_constraint("subscription_kind", "subscription", schema=SCHEMA)
    for name in ("parted", "confirmed", "heard", "exercises", "lang", "area", "place", "condition", "kind"):
        op.drop_column("subscription", name, schema=SCHEMA)
