"""From overlapping shapes to the classes of a zone: disjoint, on one grid, in one order, whatever order they came in.

Coordinates are longitude, latitude in degrees (CRS84). They lie on a grid of 1e-7 degrees, which is a centimetre; GEOS
overlays exactly on such a grid, so that a place belongs to one class.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from shapely.affinity import translate

from geoservice.analysis.cells import polygons
from layers.errors import TooLarge
from layers.hazard import Band, ZoneClass
from layers.model import Text

GRID = 1e-7
MOST_VERTICES = 1_000_000
"""Most vertices of all classes of an estimate together."""
_DIGITS = 7
_TURN, _HALF, _QUARTER = 360.0, 180.0, 90.0


@dataclass(frozen=True, slots=True)
class Grade:
    """A severity class before it has a shape: its code, name and band of values."""

    code: str
    label: Text
    band: Band | None = None


Graded = Sequence[tuple[Grade, shapely.Geometry]]


def merged(shapes: Iterable[shapely.Geometry]) -> shapely.Geometry:
    """The union of areas; the same bytes in whichever order they come."""
    snapped = [shapely.normalize(snap(shape)) for shape in shapes]
    ordered = sorted((one for one in snapped if not shapely.is_empty(one)), key=shapely.to_wkb)
    if len(ordered) <= 1:
        return ordered[0] if ordered else shapely.MultiPolygon()
    return polygons(shapely.union_all(np.array(ordered, dtype=object), grid_size=GRID))


def snap(shape: shapely.Geometry) -> shapely.Geometry:
    """The areas of a shape with their corners on the grid."""
    return polygons(shapely.set_precision(shape, GRID))


def ranked(graded: Graded) -> tuple[ZoneClass, ...]:
    """The classes of shapes that may overlap: each place belongs to the worst class that covers it.

    Args:
        graded: Grades with their shapes, the worst first. What is left of a class without area drops out.

    Raises:
        TooLarge: When there are more than `MOST_VERTICES` vertices.
    """
    found, used = list[ZoneClass](), 0
    taken: shapely.Geometry = shapely.MultiPolygon()
    for grade, shape in graded:
        whole = snap(shape)
        own = whole if shapely.is_empty(taken) else _solid(shapely.difference(whole, taken, grid_size=GRID))
        if shapely.is_empty(own):
            continue
        taken = own if shapely.is_empty(taken) else polygons(shapely.union(taken, own, grid_size=GRID))
        used += int(shapely.get_num_coordinates(own))
        if used > MOST_VERTICES:
            raise TooLarge(
                f"The zone has more than {MOST_VERTICES} vertices; ask for a smaller area or coarser cells.",
                limit=MOST_VERTICES,
            )
        found.append(
            ZoneClass(
                code=grade.code,
                label=grade.label,
                rank=len(found) + 1,
                geometry=mapping_of(own),
                band=grade.band,
            )
        )
    return tuple(found)


def _solid(shape: shapely.Geometry) -> shapely.Geometry:
    """The areas of a shape without slivers: borders that both were moved to the grid leave those, thinner than it."""
    parts = np.array(shapely.get_parts(polygons(shape)), dtype=object)
    wide = shapely.area(parts) > GRID * shapely.length(parts)
    return shapely.MultiPolygon(parts[wide].tolist())


def box_around(shapes: Sequence[shapely.Geometry]) -> tuple[float, float, float, float] | None:
    """The smallest box (west, south, east, north; west may exceed east) around geometries; None around none."""
    at = shapely.get_coordinates(np.array(shapes, dtype=object))
    if not len(at):
        return None
    lon, (south, north) = at[:, 0], (float(at[:, 1].min()), float(at[:, 1].max()))
    turned = np.mod(lon, _TURN)
    if np.ptp(lon) <= np.ptp(turned):
        return float(lon.min()), south, float(lon.max()), north
    west, east = (float(one) - _TURN if one > _HALF else float(one) for one in (turned.min(), turned.max()))
    return west, south, east, north


def mapping_of(shape: shapely.Geometry) -> dict[str, Any]:
    """A shape as a GeoJSON mapping: outer rings against the clock (RFC 7946, 3.1.6), parts and corners in one order."""
    rounded = shapely.transform(shape, lambda at: np.round(at, _DIGITS))
    ordered = shapely.orient_polygons(shapely.normalize(rounded), exterior_cw=False)
    parts = shapely.get_parts(ordered)
    mapping: dict[str, Any] = json.loads(shapely.to_geojson(parts[0] if len(parts) == 1 else ordered))
    return mapping


def within_world(area: shapely.Geometry) -> shapely.Geometry:
    """An area whose longitudes may leave -180 to 180, cut there and turned back."""
    west, _, east, _ = shapely.bounds(area).tolist()
    if west >= -_HALF and east <= _HALF:
        return area
    parts = list[shapely.Geometry]()
    for turn in range(int(np.floor((west + _HALF) / _TURN)), int(np.floor((east + _HALF) / _TURN)) + 1):
        box = shapely.box(turn * _TURN - _HALF, -_QUARTER, turn * _TURN + _HALF, _QUARTER)
        parts.append(translate(polygons(shapely.intersection(area, box)), xoff=-turn * _TURN))
    return shapely.union_all(parts)


def shape_of(classes: Iterable[ZoneClass]) -> shapely.Geometry:
    """The whole area of classes."""
    found = [shapely.from_geojson(json.dumps(one.geometry)) for one in classes]
    return merged(found)
