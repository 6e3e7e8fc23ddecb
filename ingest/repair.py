"""Repair of invalid geometries, in the confined child only: GEOS on hostile input may hang or crash."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from ingest.readers.source import Geometries
from ingest.rows import Rows

_DIMENSION_NAMES = {1: "line", 2: "area"}
_NOTABLE = 1e-6


def repair(rows: Rows) -> int:
    """Make invalid geometries valid in place (structure method, collapsed parts dropped).

    A result must keep the dimension of what it came from; a geometry that collapses is refused.

    Returns:
        How many geometries were repaired.
    """
    if rows.geometry is None:
        return 0
    geometries = rows.geometry
    wrong = np.flatnonzero(~(shapely.is_valid(geometries) | shapely.is_missing(geometries)))
    if not len(wrong):
        return 0
    before = geometries[wrong]
    after = shapely.make_valid(before, method="structure", keep_collapsed=False)
    dimension = shapely.get_dimensions(before)
    after = np.array([_of_dimension(g, d) for g, d in zip(after, dimension, strict=True)], dtype=object)
    lost = shapely.is_missing(after) | shapely.is_empty(after)
    for row, kind in zip(wrong[lost], dimension[lost], strict=True):
        what = _DIMENSION_NAMES.get(int(kind), "geometry")
        rows.refuse(int(row), f"The {what} is invalid and collapses to nothing when repaired.")
    geometries[wrong] = after
    kept = wrong[~lost]
    _note(rows, kept, before[~lost], after[~lost])
    return len(kept)


def _of_dimension(geometry: shapely.Geometry | None, dimension: int) -> shapely.Geometry | None:
    """The parts of a geometry that have this dimension, as one geometry."""
    if geometry is None or shapely.get_type_id(geometry) != shapely.GeometryType.GEOMETRYCOLLECTION:
        return geometry if geometry is None or shapely.get_dimensions(geometry) == dimension else None
    parts = shapely.get_parts(geometry)
    fitting = parts[shapely.get_dimensions(parts) == dimension]
    return shapely.union_all(fitting) if len(fitting) else None


def _note(rows: Rows, kept: npt.NDArray[np.int64], before: Geometries, after: Geometries) -> None:
    if not len(kept):
        return
    rows.notes.add("repaired", "warning", "Invalid geometries were repaired.", rows.position[kept])
    old, new = shapely.area(before), shapely.area(after)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.abs(new - old) / np.maximum(old, new)
    changed = kept[np.nan_to_num(change) > _NOTABLE]
    if len(changed):
        message = "Repair changed the area of geometries by more than a millionth (planar, in square degrees)."
        rows.notes.add("repaired-area", "warning", message, rows.position[changed])
