"""Alerts: messages as they came, what they refer to, where they warn, whose signatures count, drafts, feeds."""

from __future__ import annotations

from importlib import resources

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No alert has come yet."""
    script = resources.files("geoservice.db.migrations.versions").joinpath("m0013_alerts.sql")
    cursor = op.get_bind().connection.cursor()
    cursor.execute(script.read_text(encoding="utf-8"))
    cursor.close()


def downgrade() -> None:
    """Forget all alerts."""
    op.execute("DROP SCHEMA alert CASCADE")
