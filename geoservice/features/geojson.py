"""Features as GeoJSON, written by PostgreSQL (RFC 7946; other systems than CRS84 as Features Part 2 allows)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from geoservice.features.query import Look
from geoservice.features.rows import EDITION, plain
from layers.crs import WEB_MERCATOR_SRID
from layers.model import RowLayer, VectorLayer
from layers.offered import WGS84_SRID

COORDINATE_DIGITS = 9
"""Decimals of degrees in GeoJSON: 0.1 mm."""
METRE_DIGITS = 4
"""Decimals of metres: 0.1 mm."""
_UTM = range(32600, 32661)


def features_select(
    layer: RowLayer, rows: sa.Subquery, attributes: Sequence[str], look: Look | None = None, *, named: bool = False
) -> sa.Select[Any]:
    """GeoJSON features as json (`feature`) and the edition that wrote each (`edition`).

    Args:
        layer: The layer.
        rows: Rows of `rows_statement`.
        attributes: Attributes to write; each is a column of the rows.
        look: How geometries are written; a simplified one binds `tolerance` (degrees).
        named: Whether each feature names its collection.
    """
    look = look or Look()
    geometry: sa.ColumnElement[Any] = sa.null()
    if isinstance(layer, VectorLayer) and look.geometry:
        digits = METRE_DIGITS if look.crs.projected else COORDINATE_DIGITS
        geometry = sa.cast(sa.func.ST_AsGeoJSON(placed_geometry(rows.c.geom, look), digits, 0), sa.JSON())
    properties = sa.select(*(rows.c[n].label(n) for n in attributes)).correlate(rows).lateral("properties")
    members: tuple[Any, ...] = ("type", "Feature", "id", rows.c.key, "geometry", geometry, "properties")
    whole = sa.func.row_to_json(properties.table_valued()) if attributes else sa.func.json_build_object()
    own = ("collection", layer.name) if named else ()
    feature = sa.func.json_build_object(*members, whole, *own, "edition", rows.c[EDITION]).label("feature")
    source = rows.join(properties, sa.true()) if attributes else rows
    return sa.select(feature, rows.c[EDITION].label("edition")).select_from(source)


def placed_geometry(column: sa.ColumnElement[Any], look: Look) -> sa.ColumnElement[Any]:
    """A stored geometry, simplified and in the coordinate reference system of a look, axes in its authority's order."""
    geom = plain(column)
    if look.tolerance is not None:
        tolerance: sa.ColumnElement[float] = sa.bindparam("tolerance", type_=sa.Double())
        geom = sa.func.ST_SimplifyPreserveTopology(geom, tolerance)
    crs = look.crs
    if crs.projected:
        # Systems on WGS 84 are reached over the null link, which leaves coordinates as they are.
        linked = crs.srid == WEB_MERCATOR_SRID or crs.srid in _UTM
        source = sa.func.ST_SetSRID(geom, WGS84_SRID) if linked else geom
        geom = sa.func.ST_Transform(source, crs.srid)
    return sa.func.ST_FlipCoordinates(geom) if crs.swapped else geom
