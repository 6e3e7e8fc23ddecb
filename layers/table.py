"""From a layer to its tables: current rows, history, staging; and the one predicate that hides rows.

Bookkeeping columns start with an underscore, which attribute names cannot.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import UUID

from layers.access import RowRule
from layers.crs import STORAGE_SRID
from layers.interval import Interval
from layers.ladder import CELLS, CLUSTER_CELLS, LIMIT, RADIUS, WORLD
from layers.model import Attribute, RowLayer, TableLayer, VectorLayer

CURRENT_SCHEMA = "geo"
HISTORY_SCHEMA = "hist"
STAGING_SCHEMA = "staging"
AS_OF = "as_of"
"""Name under which an instant of system time is bound."""

_FAMILY = {
    "point": ("POINT", "MULTIPOINT"),
    "line": ("LINESTRING", "MULTILINESTRING"),
    "polygon": ("POLYGON", "MULTIPOLYGON"),
}


def column_type(attribute: Attribute) -> sa.types.TypeEngine[Any]:
    """SQL type of an attribute."""
    types: dict[str, sa.types.TypeEngine[Any]] = {
        "text": sa.Text(),
        "code": sa.Text(),
        "integer": sa.BigInteger(),
        "number": sa.Double(),
        "boolean": sa.Boolean(),
        "date": sa.Date(),
        "datetime": sa.DateTime(timezone=True),
    }
    return types[attribute.type]


@lru_cache(maxsize=4096)
def current_table(layer: RowLayer) -> sa.Table:
    """The table of current rows, `geo.<name>`; a series is partitioned by month of its time attribute."""
    series = isinstance(layer, TableLayer) and layer.storage == "series"
    identity = sa.Identity(always=False)
    columns: list[sa.Column[Any]] = [
        sa.Column("fid", sa.BigInteger(), identity, primary_key=True),
        sa.Column("key", sa.Text(), nullable=False),
        *_content_columns(layer, primary=layer.time if series else None),
        *_bookkeeping(),
    ]
    options: dict[str, Any] = {"postgresql_partition_by": f'RANGE ("{layer.time}")'} if series else {}
    table: sa.Table = sa.Table(layer.name, sa.MetaData(schema=CURRENT_SCHEMA), *columns, *_checks(layer), **options)
    _indexes(layer, table)
    return table


@lru_cache(maxsize=4096)
def history_table(layer: RowLayer) -> sa.Table:
    """The table of superseded rows, `hist.<name>`: valid from `_valid_from` (included) to `_valid_to` (excluded)."""
    columns: list[sa.Column[Any]] = [
        sa.Column("fid", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        *_content_columns(layer),
        *_bookkeeping(),
        sa.Column("_valid_to", sa.DateTime(timezone=True), nullable=False),
        sa.Column("_ended_by", sa.BigInteger(), nullable=False),
    ]
    table = sa.Table(layer.name, sa.MetaData(schema=HISTORY_SCHEMA), *columns)
    sa.Index(f"{layer.name}_hist_key", table.c.key, table.c["_valid_from"])
    sa.Index(f"{layer.name}_hist_fid", table.c.fid, table.c["_valid_from"])
    sa.Index(f"{layer.name}_hist_ended", table.c["_ended_by"])
    if isinstance(layer, VectorLayer):
        sa.Index(f"{layer.name}_hist_geom", table.c.geom, postgresql_using="gist")
    return table


def staging_table(layer: RowLayer, job: str) -> sa.Table:
    """The unlogged landing table of one job, `staging.<name>_<job>`: content and the position in the source.

    Built anew for each job and dropped at its end.
    """
    columns: list[sa.Column[Any]] = [*_content_columns(layer), sa.Column("_position", sa.BigInteger())]
    return sa.Table(f"{layer.name}_{job}", sa.MetaData(schema=STAGING_SCHEMA), *columns, prefixes=["UNLOGGED"])


def content_names(layer: RowLayer) -> tuple[str, ...]:
    """Names of the columns that make up the content of a row: geometry first, then attributes in order."""
    return (*(("geom",) if isinstance(layer, VectorLayer) else ()), *layer.attributes)


def row_predicate(table: sa.FromClause, rule: RowRule) -> sa.ColumnElement[bool]:
    """The rows that a rule lets through. Every read of layer rows carries this predicate."""
    return table.c["_clearance"] <= sa.literal(int(rule.max_clearance), sa.SmallInteger())


def time_predicate(layer: RowLayer, table: sa.FromClause, interval: Interval) -> sa.ColumnElement[bool] | None:
    """Rows whose time attribute meets the half-open interval; None for a layer without a time attribute.

    The bounds are bound under the names `time_start` and `time_end`. A date stands for its whole UTC day.
    """
    if layer.time is None:
        return None
    column = table.c[layer.time]
    is_date = layer.attributes[layer.time].type == "date"
    start, end = interval.days() if is_date else (interval.start, interval.end)
    clauses: list[sa.ColumnElement[bool]] = [sa.true()]
    if start is not None:
        clauses.append(column >= sa.bindparam("time_start", start, column.type))
    if end is not None:
        bound = sa.bindparam("time_end", end, column.type)
        clauses.append(column <= bound if is_date else column < bound)
    return sa.and_(*clauses)


def time_values(layer: RowLayer, interval: Interval | None) -> Mapping[str, dt.date | dt.datetime | None]:
    """Values of what `time_predicate` binds; none where nothing is asked or the layer has no time attribute."""
    if interval is None or layer.time is None:
        return {}
    start, end = interval.days() if layer.attributes[layer.time].type == "date" else (interval.start, interval.end)
    return {"time_start": start, "time_end": end}


def at_instant(name: str = AS_OF) -> sa.ColumnElement[Any]:
    """The instant that is asked about, as a bound value."""
    return sa.bindparam(name, type_=sa.DateTime(timezone=True))


def held(layer: RowLayer, rows_of: Callable[[sa.Table], sa.Select[Any]], *, past: bool) -> sa.Select[Any]:
    """Rows that hold now, or that held at the bound instant: from current rows and from history.

    A row holds in the half-open interval from its `_valid_from` to its `_valid_to`. At one instant a feature has at
    most one row, so feature numbers stay unique and pages can be cut by them.

    Args:
        layer: The layer.
        rows_of: The select over one of the two tables, with every condition but the time, ordered and limited.
        past: Whether the instant counts.
    """
    current, history = current_table(layer), history_table(layer)
    if not past:
        return rows_of(current)
    instant = at_instant()
    still = rows_of(current).where(current.c["_valid_from"] <= instant)
    ended = rows_of(history).where(history.c["_valid_from"] <= instant, history.c["_valid_to"] > instant)
    return sa.select(sa.union_all(*(part.subquery().select() for part in (still, ended))).subquery("held"))


def mercator_metres(
    longitude: sa.ColumnElement[Any], latitude: sa.ColumnElement[Any]
) -> tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]:
    """East and north (metres of EPSG:3857) of a place in degrees.

    Spherical Mercator (EPSG method 1024): x = R lon, y = R asinh(tan(lat)).
    """
    return RADIUS * sa.func.radians(longitude), RADIUS * sa.func.asinh(sa.func.tan(sa.func.radians(latitude)))


def cluster_cell(
    east: sa.ColumnElement[Any], north: sa.ColumnElement[Any], below: int
) -> tuple[sa.ColumnElement[int], sa.ColumnElement[int]]:
    """Column and row, from the north-west, of the finest cell of clusters (those `below` a zoom level) of a place."""
    size, last = WORLD / CLUSTER_CELLS / 2 ** (below - 1), CLUSTER_CELLS * 2 ** (below - 1) - 1
    x, y = (
        sa.cast(_within(sa.func.floor(metres / size), last), sa.Integer())
        for metres in (east + WORLD / 2, WORLD / 2 - north)
    )
    return x, y


def mosaic_cells(geom: sa.ColumnElement[Any], below: int, slack: float) -> tuple[sa.ColumnElement[int], ...]:
    """First column, first row, last column, last row of the finest cells of a mosaic that the box of a geometry meets.

    Args:
        geom: A geometry in degrees (x=longitude, y=latitude).
        below: The mosaic serves zoom levels below this one.
        slack: By how many cells the box is made wider, because a border on a line of the grid may be rounded.
    """
    size, last = WORLD / CELLS / 2 ** (below - 1), CELLS * 2 ** (below - 1) - 1
    low, high = (
        sa.func.least(sa.func.greatest(side(geom), -LIMIT), LIMIT) for side in (sa.func.ST_YMin, sa.func.ST_YMax)
    )
    west, south = mercator_metres(sa.func.ST_XMin(geom), low)
    east, north = mercator_metres(sa.func.ST_XMax(geom), high)
    first = (sa.func.floor(at / size - slack) for at in (west + WORLD / 2, WORLD / 2 - north))
    end = (sa.func.floor(at / size + slack) for at in (east + WORLD / 2, WORLD / 2 - south))
    return tuple(sa.cast(_within(at, last), sa.Integer()) for at in (*first, *end))


def _within(number: sa.ColumnElement[Any], last: int) -> sa.ColumnElement[Any]:
    return sa.func.least(sa.func.greatest(number, 0), last)


def _content_columns(layer: RowLayer, primary: str | None = None) -> list[sa.Column[Any]]:
    columns: list[sa.Column[Any]] = []
    if isinstance(layer, VectorLayer):
        kind = Geometry("GEOMETRY", srid=STORAGE_SRID, spatial_index=False, nullable=True)
        columns.append(sa.Column("geom", kind))
    for name, attribute in layer.attributes.items():
        columns.append(sa.Column(name, column_type(attribute), primary_key=name == primary))
    return columns


def _bookkeeping() -> list[sa.Column[Any]]:
    return [
        sa.Column("_clearance", sa.SmallInteger(), nullable=False),
        sa.Column("_edition", sa.BigInteger(), nullable=False),
        sa.Column("_valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("_hash", UUID(as_uuid=True), nullable=False),
    ]


def _checks(layer: RowLayer) -> list[sa.CheckConstraint]:
    if not isinstance(layer, VectorLayer) or layer.geometry == "any":
        return []
    kind = sa.func.GeometryType(sa.column("geom"))
    return [sa.CheckConstraint(kind.in_(_FAMILY[layer.geometry]), name=f"{layer.name}_geometry_type")]


def _indexes(layer: RowLayer, table: sa.Table) -> None:
    parted = [table.c[layer.time]] if isinstance(layer, TableLayer) and layer.storage == "series" and layer.time else []
    sa.Index(f"{layer.name}_key_unique", table.c.key, *parted, unique=True)
    # Rows of an edition lie together, because they are written together: a summary per block finds them.
    sa.Index(f"{layer.name}_edition", table.c["_edition"], postgresql_using="brin")
    if isinstance(layer, VectorLayer):
        sa.Index(f"{layer.name}_geom", table.c.geom, postgresql_using="gist")
    if layer.time is not None:
        sa.Index(f"{layer.name}_time", table.c[layer.time])
    if isinstance(layer, TableLayer) and layer.belongs_to is not None and layer.time is not None:
        sa.Index(f"{layer.name}_owner", table.c[layer.belongs_to.by], table.c[layer.time])
