"""The live situation: units and their tracks, plotted marks and their versions, exercises and what belongs to them."""

from __future__ import annotations

from importlib import resources

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody has reported yet."""
    script = resources.files("geoservice.db.migrations.versions").joinpath("m0015_situation.sql")
    cursor = op.get_bind().connection.cursor()
    cursor.execute(script.read_text(encoding="utf-8"))
    cursor.close()


def downgrade() -> None:
    """Forget the situation."""
    op.execute("DROP SCHEMA situation CASCADE")
    op.execute("DROP INDEX meta.hazard_zone_status")
    op.execute("ALTER TABLE meta.hazard_zone DROP COLUMN status")
