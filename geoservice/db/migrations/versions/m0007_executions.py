"""Jobs that read only belong to no layer."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A job may be without a layer: executions of processes wait for no load and hold none up."""
    op.alter_column("job", "layer", nullable=True, schema="meta")


def downgrade() -> None:
    """Forget jobs without a layer."""
    op.execute("DELETE FROM meta.job WHERE layer IS NULL")
    op.alter_column("job", "layer", nullable=False, schema="meta")
