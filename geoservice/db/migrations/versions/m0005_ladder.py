"""The edition that the ladder of a layer shows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SCHEMA = "meta"


def upgrade() -> None:
    """Layers begin without a ladder."""
    op.add_column("layer_state", sa.Column("ladder", sa.BigInteger()), schema=SCHEMA)


def downgrade() -> None:
    """Forget what ladders show."""
    op.drop_column("layer_state", "ladder", schema=SCHEMA)
