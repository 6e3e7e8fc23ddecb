"""Where tiles of a layer have changed, so that kept tiles can be told to be current."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SCHEMA = "meta"


def upgrade() -> None:
    """Nothing is known of changes before."""
    op.create_table(
        "tile_change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        *(sa.Column(side, sa.Double()) for side in ("west", "south", "east", "north")),
        schema=SCHEMA,
    )
    op.create_index("tile_change_layer", "tile_change", ["layer", "id"], schema=SCHEMA)
    op.add_column("layer_state", sa.Column("charted", sa.BigInteger()), schema=SCHEMA)
    op.add_column("layer_state", sa.Column("change", sa.BigInteger()), schema=SCHEMA)


def downgrade() -> None:
    """Forget what changed where."""
    op.drop_column("layer_state", "change", schema=SCHEMA)
    op.drop_column("layer_state", "charted", schema=SCHEMA)
    op.drop_table("tile_change", schema=SCHEMA)
