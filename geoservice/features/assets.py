"""Raster assets of a layer: the statement, and reading it for a clearance."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import sqlalchemy as sa

from geoservice.db.compiled import compile_statement
from geoservice.db.reading import Reading
from layers.access import Decision, RowRule
from layers.asset import Asset
from layers.crs import STORAGE_SRID
from layers.interval import Interval
from layers.model import RasterLayer
from layers.system import raster_asset
from layers.taken import stacked, taken, within

Box = tuple[float, float, float, float]
_SIDES = {"west": sa.func.ST_XMin, "south": sa.func.ST_YMin, "east": sa.func.ST_XMax, "north": sa.func.ST_YMax}
_INSTANT = "instant"
MARGIN = 0.02
"""Degrees around a box in which footprints are looked for: their edges are chords of curves."""


@dataclass(frozen=True, slots=True)
class Which:
    """Which assets of a layer are meant.

    Attributes:
        box: Only those whose footprint comes near this box: west, south, east, north in degrees.
        taken: Only those that were taken in this interval.
        instant: Those that were current then; None for now.
    """

    box: Box | None = None
    taken: Interval | None = None
    instant: dt.datetime | None = None


ALL = Which()


def assets_statement(layer: RasterLayer, rule: RowRule, which: Which = ALL) -> sa.Select[Any]:
    """Files of a raster layer up to a clearance, the latest loaded first, with the box of their footprint."""
    table = raster_asset
    footprint = sa.type_coerce(table.c.footprint, sa.types.NullType())
    corners: list[sa.ColumnElement[Any]] = [
        side(footprint, type_=sa.Double()).label(name) for name, side in _SIDES.items()
    ]
    conditions: list[sa.ColumnElement[bool]] = [
        table.c.layer == layer.name,
        table.c.clearance <= int(rule.max_clearance),
    ]
    if which.instant is None:
        conditions.append(table.c.valid_to.is_(None))
    else:
        instant = sa.bindparam(_INSTANT, which.instant, type_=sa.DateTime(timezone=True))
        conditions.append(table.c.valid_from <= instant)
        conditions.append(sa.or_(table.c.valid_to.is_(None), table.c.valid_to > instant))
    if which.box is not None:
        sides: list[sa.ColumnElement[float]] = [
            sa.bindparam(f"box_{name}", value, type_=sa.Double()) for name, value in zip(_SIDES, which.box, strict=True)
        ]
        conditions.append(sa.func.ST_Intersects(footprint, sa.func.ST_MakeEnvelope(*sides, STORAGE_SRID)))
    found = sa.select(table.c.file, table.c.crs, table.c.source, table.c.clearance, *corners)
    return found.where(*conditions).order_by(table.c.id.desc())


def assets_of(layer: RasterLayer, rows: Sequence[Mapping[str, Any]], folder: Path, which: Which = ALL) -> list[Asset]:
    """The files of `assets_statement`, the topmost first, as the layer orders them."""
    found = [
        Asset(
            path=folder / row["file"],
            bounds=tuple(row[side] for side in _SIDES),
            crs=row["crs"],
            name=row["source"],
            taken=taken(row["source"], layer.time) if layer.time is not None else None,
        )
        for row in rows
    ]
    return stacked(within(found, which.taken), layer.order)


async def layers_near(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record],
    reading: Reading,
    layers: Sequence[RasterLayer],
    rule: RowRule,
    box: Box,
) -> list[RasterLayer]:
    """Those of some layers that have a current file near a box, as far as a rule lets through; in their order.

    Args:
        connection: A read-only connection of the rule's clearance.
        reading: Compiled statements of this process.
        layers: The layers; all are decided for the same principal.
        rule: Rows the principal may see.
        box: West, south, east, north in degrees.
    """
    shape = ("layers near", rule.max_clearance)
    compiled = reading.statements.get(shape)
    if compiled is None:
        compiled = reading.statements[shape] = compile_statement(_near_statement(rule))
    values: dict[str, Any] = {"names": [layer.name for layer in layers]}
    values |= {f"box_{name}": value for name, value in zip(_SIDES, box, strict=True)}
    found = {row["layer"] for row in await connection.fetch(compiled.sql, *compiled.arguments(values))}
    return [layer for layer in layers if layer.name in found]


def _near_statement(rule: RowRule) -> sa.Select[Any]:
    table = raster_asset
    sides: list[sa.ColumnElement[float]] = [sa.bindparam(f"box_{name}", type_=sa.Double()) for name in _SIDES]
    footprint = sa.type_coerce(table.c.footprint, sa.types.NullType())
    found = sa.select(table.c.layer).distinct()
    return found.where(
        table.c.layer == sa.any_(sa.bindparam("names", type_=sa.ARRAY(sa.Text()))),
        table.c.clearance <= int(rule.max_clearance),
        table.c.valid_to.is_(None),
        sa.func.ST_Intersects(footprint, sa.func.ST_MakeEnvelope(*sides, STORAGE_SRID)),
    )


async def read_assets(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record],
    reading: Reading,
    layer: RasterLayer,
    decision: Decision,
    folder: Path,
    which: Which = ALL,
) -> list[Asset]:
    """Files of a layer that a decision lets through, the topmost first."""
    shape = ("assets", layer.name, decision.rule.max_clearance, which.box is None, which.instant is None)
    compiled = reading.statements.get(shape)
    if compiled is None:
        statement = assets_statement(layer, decision.rule, which)
        compiled = reading.statements[shape] = compile_statement(statement)
    values: dict[str, Any] = {} if which.instant is None else {_INSTANT: which.instant}
    if which.box is not None:
        values |= {f"box_{name}": value for name, value in zip(_SIDES, which.box, strict=True)}
    rows = await connection.fetch(compiled.sql, *compiled.arguments(values))
    return assets_of(layer, rows, folder, which)


def around(box: Box) -> Box:
    """A box in degrees with the margin in which footprints are looked for, within the Earth."""
    west, south, east, north = box
    return max(-180.0, west - MARGIN), max(-90.0, south - MARGIN), min(180.0, east + MARGIN), min(90.0, north + MARGIN)
