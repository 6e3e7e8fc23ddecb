"""Kept reports, and links to them."""

from __future__ import annotations

from importlib import resources

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No report was kept before."""
    script = resources.files("geoservice.db.migrations.versions").joinpath("m0016_reports.sql")
    cursor = op.get_bind().connection.cursor()
    cursor.execute(script.read_text(encoding="utf-8"))
    cursor.close()


def downgrade() -> None:
    """Forget all reports; their files stay until the next sweep."""
    op.execute("DROP SCHEMA report CASCADE")
