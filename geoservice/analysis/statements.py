"""Statements of a zone analysis, pure: what a layer's features measure inside a zone, and which they are.

Every statement carries the row rule and an explicit `&&` on the zone's boxes: the operator may run before row
policies and so keeps the GiST index, which ST_Intersects alone would not. The zone is bound as EWKB under the name
`zone`; run under `plan_cache_mode = force_custom_plan` it is a constant for the planner, and PostGIS prepares it once.

Contain before you intersect: most features lie wholly inside and are measured whole; only those on the rim are cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from geoservice.analysis.place import Box
from geoservice.features.lookup import label_columns
from layers.access import Decision
from layers.area import MAX_EDGE_DEGREES
from layers.crs import STORAGE_SRID
from layers.model import VectorLayer
from layers.table import held, row_predicate

Measure = Literal["count", "length", "area", "sum"]
EQUAL_AREA_SRID = 6933
"""EPSG:6933, Lambert cylindrical equal-area (method 9835) on the ellipsoid of WGS 84: it keeps areas exactly.

Its ellipsoid differs from that of CGCS2000 by 1.6e-11 of an area. The area functions of PostGIS `geography` are not
used: they take edges as geodesics, are slower, and are wrong for shapes around a pole.
"""
WGS84_SRID = 4326
MIN_PART = 1e-3
"""m2 or m: a smaller part of a line or polygon means that it only touches the zone; coordinates carry 0.1 mm."""
MAX_LISTED = 200
_POLYGON_DIMENSION = 2

_Expression = sa.ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Counting:
    """How a layer is counted for a principal: measure, group attribute and summed attribute, each permitted."""

    measure: Measure
    by: str | None = None
    value: str | None = None


def counting_of(layer: VectorLayer, decision: Decision) -> Counting:
    """What the layer's exposure asks for, as far as the principal may see it.

    A hidden group attribute gives one total; a hidden summed attribute leaves the number of features.

    Raises:
        ValueError: When the layer has no exposure.
    """
    if layer.exposure is None:
        raise ValueError(f"{layer.id} has no exposure")
    by, value = (name if name in decision.attributes else None for name in (layer.exposure.by, layer.exposure.value))
    measure = layer.exposure.measure
    return Counting("count" if measure == "sum" and value is None else measure, by, value)


def totals_statement(
    layer: VectorLayer, decision: Decision, counting: Counting, boxes: Sequence[Box], *, past: bool = False
) -> sa.Select[Any]:
    """Per group: number of features, their measure inside the zone, how many have no value to sum.

    The columns are `code` (null: no class), `features`, `value` and `missing`. Sums are made in decimal, so that the
    order in which rows are met changes nothing. The bind parameters are `zone` (EWKB) and, of the past, `as_of`.
    """

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        code = sa.cast(table.c[counting.by], sa.Text()) if counting.by else sa.cast(sa.null(), sa.Text())
        columns = (sa.func.nullif(code, "").label("code"), _measured(layer, table, counting).label("value"))
        return sa.select(*columns).where(*_inside(layer, table, decision, counting, boxes))

    measured = (
        held(layer, rows_of, past=past)
        .cte("measured")
        # Kept as rows, so that each geometry is cut once although its measure is used twice.
        .prefix_with("MATERIALIZED")
    )
    total: _Expression = sa.cast(sa.func.sum(sa.cast(measured.c.value, sa.Numeric())), sa.Double())
    statement = sa.select(
        measured.c.code,
        sa.func.count().label("features"),
        sa.func.coalesce(total, 0.0).label("value"),
        sa.func.count().filter(measured.c.value.is_(None)).label("missing"),
    ).group_by(measured.c.code)
    return statement.where(measured.c.value > MIN_PART) if counting.measure in ("area", "length") else statement


def listing_statement(
    layer: VectorLayer, decision: Decision, counting: Counting, boxes: Sequence[Box], *, past: bool = False
) -> sa.Select[Any]:
    """The first `MAX_LISTED` features by key: key, labels, visible attributes, a point on the part inside the zone.

    The point (WKB) is the column `point`; attribute columns are named `a_<attribute>`. The bind parameters are `zone`
    and, of the past, `as_of`.
    """

    def rows_of(table: sa.Table) -> sa.Select[Any]:
        attributes = [table.c[name].label(f"a_{name}") for name in decision.attributes]
        labels = label_columns(layer, table, decision)
        columns = (table.c.key, *labels, _geometry(table).label("geom"), *attributes)
        return _first(sa.select(*columns).where(*_counted(layer, table, decision, counting, boxes)))

    found = held(layer, rows_of, past=past)
    # The first ones of two tables are not yet the first ones of both.
    chosen = (_first(found) if past else found).subquery("chosen")
    point = sa.func.ST_AsBinary(_inner_point(_part(_geometry(chosen))), type_=BYTEA()).label("point")
    rest = [column for column in chosen.c if column.name != "geom"]
    return sa.select(*rest, point).order_by(sa.collate(chosen.c.key, "C"))


def _first(found: sa.Select[Any]) -> sa.Select[Any]:
    return found.order_by(sa.collate(found.selected_columns["key"], "C")).limit(MAX_LISTED)


def _inside(
    layer: VectorLayer, table: sa.Table, decision: Decision, counting: Counting, boxes: Sequence[Box]
) -> list[sa.ColumnElement[bool]]:
    """Rows to be measured. For area and length the measure itself then says what only touches."""
    if counting.measure in ("count", "sum"):
        return _counted(layer, table, decision, counting, boxes)
    return _met(table, decision, boxes)


def _counted(
    layer: VectorLayer, table: sa.Table, decision: Decision, counting: Counting, boxes: Sequence[Box]
) -> list[sa.ColumnElement[bool]]:
    """Rows that count: points inside or on the border, lines and polygons with a part inside (see `MIN_PART`).

    For a sum a feature counts as a whole, where its inner point lies, so that no person is counted in two zones.
    """
    geometry, met = _geometry(table), _met(table, decision, boxes)
    if layer.geometry == "point":
        return met
    if counting.measure == "sum":
        return [*met, sa.func.ST_Covers(_zone(), _inner_point(geometry))]
    has_part = sa.or_(sa.func.ST_Covers(_zone(), geometry), _size_of_cut(layer, geometry) > MIN_PART)
    return [*met, sa.or_(sa.func.ST_Dimension(geometry) == 0, has_part) if layer.geometry == "any" else has_part]


def _met(table: sa.Table, decision: Decision, boxes: Sequence[Box]) -> list[sa.ColumnElement[bool]]:
    geometry = _geometry(table)
    near = [geometry.op("&&")(sa.func.ST_MakeEnvelope(*box, STORAGE_SRID)) for box in boxes]
    return [row_predicate(table, decision.rule), sa.or_(*near), sa.func.ST_Intersects(_zone(), geometry)]


def _measured(layer: VectorLayer, table: sa.Table, counting: Counting) -> _Expression:
    if counting.measure == "count":
        return sa.literal(1.0, sa.Double())
    if counting.measure == "sum" and counting.value is not None:
        return sa.cast(table.c[counting.value], sa.Double())
    part = _part(_geometry(table))
    return ellipsoidal_area(part) if counting.measure == "area" else geodesic_length(part)


def _part(geometry: _Expression) -> _Expression:
    return sa.case((sa.func.ST_Covers(_zone(), geometry), geometry), else_=_cut(geometry))


def _cut(geometry: _Expression) -> _Expression:
    return sa.func.ST_Intersection(_zone(), geometry, type_=sa.types.NullType())


def _size_of_cut(layer: VectorLayer, geometry: _Expression) -> _Expression:
    """m2 of a polygon's part, m of a line's; a layer of any geometry asks each feature which it is."""
    area, length = ellipsoidal_area(_cut(geometry)), geodesic_length(_cut(geometry))
    sizes = {"polygon": area, "line": length}
    by_dimension = sa.case((sa.func.ST_Dimension(geometry) == _POLYGON_DIMENSION, area), else_=length)
    return sizes.get(layer.geometry, by_dimension)


def ellipsoidal_area(geometry: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Ellipsoidal area (m2): the area rule of `layers.area` in SQL; lines and points have 0."""
    dense = sa.func.ST_Segmentize(geometry, MAX_EDGE_DEGREES, type_=sa.types.NullType())
    # 4490 stands for 4326 by the named null operation; PROJ is far slower for 4490 and finds the same.
    renamed = sa.func.ST_SetSRID(dense, WGS84_SRID, type_=sa.types.NullType())
    flat = sa.func.ST_Transform(renamed, EQUAL_AREA_SRID, type_=sa.types.NullType())
    return sa.func.ST_Area(flat, type_=sa.Double())


def geodesic_length(geometry: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Length (m) along geodesics of at most 1 km between densified vertices; polygons and points have 0."""
    dense = sa.func.ST_Segmentize(geometry, MAX_EDGE_DEGREES, type_=sa.types.NullType())
    return sa.func.ST_Length(sa.func.geography(dense), type_=sa.Double())


def _inner_point(geometry: _Expression) -> _Expression:
    return sa.func.ST_PointOnSurface(geometry, type_=sa.types.NullType())


def _geometry(table: sa.FromClause) -> _Expression:
    # As a plain type: GeoAlchemy would wrap the column in ST_AsEWKB and values in ST_GeomFromEWKT.
    return sa.type_coerce(table.c.geom, sa.types.NullType())


def _zone() -> _Expression:
    return sa.func.geometry(sa.bindparam("zone", type_=BYTEA()), type_=sa.types.NullType())
