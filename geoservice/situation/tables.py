"""Tables of schema `situation`, as migrations make them. Readers see rows up to their clearance, not `principal`."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import JSONB

from layers.crs import STORAGE_SRID

SITUATION_SCHEMA = "situation"
metadata = sa.MetaData(schema=SITUATION_SCHEMA)
change = sa.Sequence("change", metadata=metadata, schema=SITUATION_SCHEMA)
"""Numbers of changes, in the order in which they become visible (`desk.turn`)."""
NO_EXERCISE = ""
"""Value of `exercise` of what is meant in earnest."""


def _text(name: str, *, nullable: bool = False, **more: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable, **more)


def _moment(name: str, *, nullable: bool = False, **more: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, **more)


def _clearance(**more: Any) -> sa.Column[int]:
    return sa.Column("clearance", sa.SmallInteger(), nullable=False, **more)


def _geometry(kind: str) -> sa.Column[Any]:
    return sa.Column("geom", Geometry(kind, srid=STORAGE_SRID, spatial_index=False), nullable=False)


def _number(name: str, kind: type[sa.types.TypeEngine[Any]] = sa.BigInteger, *, nullable: bool = False) -> Any:
    return sa.Column(name, kind(), nullable=nullable)


exercise = sa.Table(
    "exercise",
    metadata,
    _text("id", primary_key=True),
    sa.Column("title", JSONB(), nullable=False),
    _clearance(),
    _moment("started", server_default=sa.func.now()),
    _moment("stopped", nullable=True),
    _text("principal"),
    _number("change"),
)
"""Exercises; what belongs to one names it, and is in no answer that does not ask for it."""

member = sa.Table(
    "member",
    metadata,
    _text("exercise"),
    _text("kind", primary_key=True),
    _text("object", primary_key=True),
    _clearance(),
)
"""Alerts and kept zones that belong to an exercise."""

unit = sa.Table(
    "unit",
    metadata,
    _text("id", primary_key=True),
    _clearance(primary_key=True),
    _text("exercise", primary_key=True),
    _text("kind"),
    _text("name"),
    _text("status"),
    _geometry("POINT"),
    _number("heading", sa.Double, nullable=True),
    _number("speed", sa.Double, nullable=True),
    _moment("time"),
    _moment("received", server_default=sa.func.now()),
    sa.Column("withdrawn", sa.Boolean(), nullable=False),
    _text("principal"),
    _number("change"),
)
"""Latest positions of units; heading in degrees clockwise from north, speed in m/s."""

track = sa.Table(
    "track",
    metadata,
    _text("id", primary_key=True),
    _clearance(primary_key=True),
    _text("exercise", primary_key=True),
    _moment("time", primary_key=True),
    _geometry("POINT"),
    _number("heading", sa.Double, nullable=True),
    _number("speed", sa.Double, nullable=True),
)
"""Positions of units of the last hours."""

mark = sa.Table(
    "mark",
    metadata,
    _text("id", primary_key=True),
    _clearance(),
    _text("exercise"),
    _text("symbol"),
    _text("label"),
    _text("note"),
    _geometry("GEOMETRY"),
    _moment("valid_from", nullable=True),
    _moment("valid_to", nullable=True),
    _text("author"),
    sa.Column("deleted", sa.Boolean(), nullable=False),
    _number("version", sa.Integer),
    _moment("created", server_default=sa.func.now()),
    _moment("changed", server_default=sa.func.now()),
    _text("principal"),
    _number("change"),
)
"""Latest versions of marks, deleted ones included."""

mark_version = sa.Table(
    "mark_version",
    metadata,
    _text("id", primary_key=True),
    _number("version", sa.Integer),
    _clearance(),
    _text("symbol"),
    _text("label"),
    _text("note"),
    _geometry("GEOMETRY"),
    _moment("valid_from", nullable=True),
    _moment("valid_to", nullable=True),
    _text("author"),
    sa.Column("deleted", sa.Boolean(), nullable=False),
    _moment("changed"),
)
"""Versions of marks that were superseded."""
