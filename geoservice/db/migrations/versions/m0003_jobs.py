"""Jobs and schedules, and the rights of API keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEMA = "meta"
MOMENT = sa.DateTime(timezone=True)
STATES = "state IN ('queued', 'running', 'done', 'refused', 'failed', 'cancelled')"


def upgrade() -> None:
    """Keys get rights; the queue gets its table."""
    none = sa.text("'{}'::text[]")
    op.add_column("api_key", sa.Column("rights", ARRAY(sa.Text()), nullable=False, server_default=none), schema=SCHEMA)
    _create_job()
    op.create_table(
        "schedule",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("planned", MOMENT, nullable=False),
        sa.Column("job", sa.BigInteger()),
        schema=SCHEMA,
    )


def downgrade() -> None:
    """Go back to keys that only read."""
    op.drop_table("schedule", schema=SCHEMA)
    op.drop_table("job", schema=SCHEMA)
    op.drop_column("api_key", "rights", schema=SCHEMA)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _moments(*names: str) -> list[sa.Column[object]]:
    return [sa.Column(name, MOMENT) for name in names]


def _stamped(name: str) -> sa.Column[object]:
    return sa.Column(name, MOMENT, nullable=False, server_default=sa.func.now())


def _counter(name: str, kind: sa.types.TypeEngine[int]) -> sa.Column[int]:
    return sa.Column(name, kind, nullable=False, server_default=sa.text("0"))


def _create_job() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        *_texts("kind", "layer", "principal", "origin", "source"),
        sa.Column("place", JSONB(), nullable=False),
        sa.Column("mapping", sa.Text()),
        sa.Column("sha256", sa.Text()),
        sa.Column("options", JSONB(), nullable=False),
        _counter("priority", sa.SmallInteger()),
        sa.Column("state", sa.Text(), nullable=False, server_default=sa.text("'queued'::text")),
        _counter("attempts", sa.BigInteger()),
        _counter("deaths", sa.SmallInteger()),
        sa.Column("cancel", sa.Boolean(), nullable=False, server_default=sa.false()),
        _stamped("created"),
        *_moments("not_before", "started"),
        _stamped("updated"),
        *_moments("finished", "filed"),
        sa.Column("phase", sa.Text()),
        _counter("rows", sa.BigInteger()),
        sa.Column("total", sa.BigInteger()),
        sa.Column("edition", sa.BigInteger()),
        sa.Column("load", sa.BigInteger()),
        sa.Column("error", JSONB()),
        sa.CheckConstraint(STATES, name="job_state_known"),
        schema=SCHEMA,
    )
    running, queued = sa.text("state = 'running'"), sa.text("state = 'queued'")
    op.create_index("job_running", "job", ["layer"], unique=True, schema=SCHEMA, postgresql_where=running)
    op.create_index("job_queued", "job", ["layer", "id"], schema=SCHEMA, postgresql_where=queued)
    op.create_index("job_principal", "job", ["principal", "id"], schema=SCHEMA)
    op.create_index("job_unfiled", "job", ["origin"], schema=SCHEMA, postgresql_where=sa.text("filed IS NULL"))
