"""The first system tables: editions, layer states and figures, raster assets, quarantine, outbox, API keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "meta"
MOMENT = sa.DateTime(timezone=True)
TABLES = ("api_key", "outbox", "quarantine", "raster_asset", "layer_figures", "layer_state", "edition")


def upgrade() -> None:
    """Create the tables; the writer's rights come from the default privileges of the schema."""
    _create_edition()
    _create_layer_state()
    _create_layer_figures()
    _create_raster_asset()
    _create_quarantine()
    _create_outbox()
    _create_api_key()


def downgrade() -> None:
    """Drop the tables, dependants first."""
    for name in TABLES:
        op.drop_table(name, schema=SCHEMA)


def _number() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True)


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _count(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def _bounds() -> list[sa.Column[float]]:
    return [sa.Column(name, sa.Double()) for name in ("west", "south", "east", "north")]


def _clearance() -> sa.Column[int]:
    return sa.Column("clearance", sa.SmallInteger(), nullable=False)


def _stamped(name: str) -> sa.Column[object]:
    return sa.Column(name, MOMENT, nullable=False, server_default=sa.func.now())


def _create_edition() -> None:
    op.create_table(
        "edition",
        _number(),
        *_text("layer"),
        _clearance(),
        sa.Column("committed", MOMENT, nullable=False),
        *_text("principal", "source", "sha256"),
        *_count("size"),
        *_text("mapping"),
        *_count("inserted", "updated", "deleted"),
        sa.Column("report", JSONB(), nullable=False),
        schema=SCHEMA,
    )
    op.create_index("edition_layer", "edition", ["layer", "id"], schema=SCHEMA)


def _create_layer_state() -> None:
    op.create_table(
        "layer_state",
        sa.Column("layer", sa.Text(), primary_key=True),
        _clearance(),
        *_text("definition"),
        sa.Column("edition", sa.BigInteger(), sa.ForeignKey("meta.edition.id")),
        _stamped("changed"),
        schema=SCHEMA,
    )


def _create_layer_figures() -> None:
    state = sa.ForeignKey("meta.layer_state.layer", ondelete="CASCADE")
    op.create_table(
        "layer_figures",
        sa.Column("layer", sa.Text(), state, primary_key=True),
        sa.Column("clearance", sa.SmallInteger(), primary_key=True, autoincrement=False),
        *_count("rows"),
        *_bounds(),
        sa.Column("begins", MOMENT),
        sa.Column("ends", MOMENT),
        schema=SCHEMA,
    )


def _create_raster_asset() -> None:
    op.create_table(
        "raster_asset",
        _number(),
        *_text("layer"),
        _clearance(),
        sa.Column("edition", sa.BigInteger(), sa.ForeignKey("meta.edition.id"), nullable=False),
        *_text("source", "file", "sha256", "crs"),
        *_count("width", "height"),
        sa.Column("footprint", Geometry("MULTIPOLYGON", srid=4490, spatial_index=False), nullable=False),
        sa.Column("bands", JSONB(), nullable=False),
        sa.Column("valid_from", MOMENT, nullable=False),
        sa.Column("valid_to", MOMENT),
        schema=SCHEMA,
    )
    op.create_index("raster_asset_layer", "raster_asset", ["layer", "valid_to"], schema=SCHEMA)


def _create_quarantine() -> None:
    op.create_table(
        "quarantine",
        _number(),
        *_text("layer", "source", "sha256", "mapping"),
        *_count("position"),
        *_text("reason", "raw"),
        _stamped("received"),
        sa.UniqueConstraint("layer", "sha256", "mapping", "position", name="quarantine_place"),
        schema=SCHEMA,
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox", _number(), *_text("layer"), *_count("edition"), *_bounds(), _stamped("created"), schema=SCHEMA
    )


def _create_api_key() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.Text(), primary_key=True),
        *_text("name"),
        sa.Column("digest", sa.LargeBinary(), nullable=False, unique=True),
        _clearance(),
        _stamped("created"),
        sa.Column("revoked", MOMENT),
        schema=SCHEMA,
    )
