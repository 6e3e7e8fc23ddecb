"""Observations: things, where they are, what they observe, and the readings, partitioned by time."""

from __future__ import annotations

from importlib import resources

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing is observed yet."""
    script = resources.files("geoservice.db.migrations.versions").joinpath("m0011_observations.sql")
    cursor = op.get_bind().connection.cursor()
    cursor.execute(script.read_text(encoding="utf-8"))
    cursor.close()


def downgrade() -> None:
    """Forget all observations."""
    op.execute("DROP SCHEMA obs CASCADE")
