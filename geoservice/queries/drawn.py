"""Geometries of rows as they are stored: in longitude and latitude, within the world, lines and areas only."""

from __future__ import annotations

import numpy as np
import shapely

from geoservice.queries.batch import Rows
from geoservice.queries.coordinates import outside_world, to_storage
from geoservice.queries.tables.model import Shapes
from layers.area import MAX_EDGE_DEGREES
from layers.crs import STORAGE_SRID

_HALF_TURN = 180.0
_LONGEST_EDGE = 1_000.0
"""Metres: edges in a projected CRS are straight there, and near enough straight in degrees when they are no longer."""
_MOST_EDGES = 100_000
"""Edges of a row once long ones are cut into pieces of a kilometre, as areas are measured."""
_LONG = f"The outline of the row is longer than {_MOST_EDGES:,} km; cut the row into parts."
_KINDS = ("LineString", "MultiLineString", "Polygon", "MultiPolygon")


def drawn_shapes(rows: Rows, crs: int) -> Shapes:
    """Lines and areas in longitude and latitude; a row that is neither, or lies nowhere, has a fault and None.

    Args:
        rows: The rows.
        crs: EPSG code of their coordinates.
    """
    shapes = np.full(len(rows.x), None, dtype=np.object_) if rows.shapes is None else rows.shapes.copy()
    for row in range(len(shapes)):
        kind = shapes[row].geom_type if shapes[row] is not None else "Point"
        if kind not in _KINDS:
            rows.faults.setdefault(row, f"This question is about lines and areas; the row has a {kind}.")
    shapes[list(rows.faults)] = None
    if crs != STORAGE_SRID:
        shapes = _unprojected(shapes, rows.faults, crs)
    at, owner = shapely.get_coordinates(shapes, return_index=True)
    for row in np.unique(owner[outside_world(at[:, 0], at[:, 1])]).tolist():
        rows.faults[row] = "The geometry lies outside the world, or outside the area of its CRS."
    wide = (np.abs(np.diff(at[:, 0])) > _HALF_TURN) & (owner[1:] == owner[:-1])
    for row in np.unique(owner[1:][wide]).tolist():
        said = "An edge spans more than 180 degrees of longitude; cut the geometry at the antimeridian into parts."
        rows.faults.setdefault(row, said)
    long = shapely.length(shapes) / MAX_EDGE_DEGREES > _MOST_EDGES
    for row in np.flatnonzero(long).tolist():
        rows.faults.setdefault(row, _LONG)
    shapes[list(rows.faults)] = None
    return shapes


def _unprojected(shapes: Shapes, faults: dict[int, str], crs: int) -> Shapes:
    long = shapely.length(shapes) / _LONGEST_EDGE > _MOST_EDGES
    for row in np.flatnonzero(long).tolist():
        faults[row] = _LONG
    shapes[long] = None
    dense = shapely.segmentize(shapes, _LONGEST_EDGE)
    return np.asarray(
        shapely.transform(dense, lambda at: np.column_stack(to_storage(at[:, 0], at[:, 1], crs))), dtype=np.object_
    )
