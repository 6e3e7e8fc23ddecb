"""Repair of invalid geometries, in the confined child only: GEOS on hostile input may hang or crash."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from ingest.readers.source import Geometries
from ingest.rows import Rows

_DIMENSION_NAMES = {1: "line", 2: "area"}
_NOTABLE = 1e-6
_MOST_CROSSINGS = 200_000
"""Pairs of edges whose boxes meet; a scribble of 3,000 vertices has millions and GEOS wants all memory for it."""
_EDGE_BLOCK = 1024


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
    dimension = shapely.get_dimensions(before)
    tangled = np.array([_is_tangled(g) for g in before], dtype=bool)
    rows.refuse_all(wrong[tangled], "The geometry crosses itself too often to be repaired.")
    after = np.full(len(before), None, dtype=object)
    for i in np.flatnonzero(~tangled):
        after[i] = _repaired(before[i], int(dimension[i]))
    lost = shapely.is_missing(after) | shapely.is_empty(after)
    collapsed = lost & ~tangled
    for row, kind in zip(wrong[collapsed], dimension[collapsed], strict=True):
        what = _DIMENSION_NAMES.get(int(kind), "geometry")
        rows.refuse(int(row), f"The {what} is invalid and collapses to nothing when repaired.")
    geometries[wrong] = after
    kept = wrong[~lost]
    _note(rows, kept, before[~lost], after[~lost])
    return len(kept)


def _repaired(geometry: shapely.Geometry, dimension: int) -> shapely.Geometry | None:
    return _of_dimension(shapely.make_valid(geometry, method="structure", keep_collapsed=False), dimension)


def _is_tangled(geometry: shapely.Geometry) -> bool:
    """Whether the edges may cross more often than GEOS should be asked to sort out."""
    points, part = shapely.get_coordinates(shapely.get_rings(geometry), return_index=True)
    pairs = np.stack([points[:-1], points[1:]], axis=1)[part[:-1] == part[1:]]
    if not np.isfinite(pairs).all():
        return False
    edges = shapely.linestrings(pairs)
    tree, found = shapely.STRtree(edges), -len(edges)
    for start in range(0, len(edges), _EDGE_BLOCK):
        found += tree.query(edges[start : start + _EDGE_BLOCK]).shape[1]
        # Each pair is met twice, and each edge meets its two neighbours.
        if found / 2 - len(edges) > _MOST_CROSSINGS:
            return True
    return False


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
