"""Repair of invalid geometries, in the confined child only: GEOS on hostile input may hang or crash."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import shapely

from ingest.checks.repairs import RepairLog
from ingest.checks.simple import valid
from ingest.rows import Breach, Rows

_DIMENSION_NAMES = {1: "line", 2: "area"}
_NOTABLE = 0.01
"""Square metres."""
_MOST_CROSSINGS = 200_000
"""Pairs of edges whose boxes meet; a scribble of 3,000 vertices has millions and GEOS wants all memory for it."""
_EDGE_BLOCK = 1024
_PLACE = re.compile(r"^(.+?)\[(\S+) (\S+)\]$")
Which = npt.NDArray[np.int64]


def repair(rows: Rows, log: RepairLog) -> int:
    """Make invalid geometries valid in place (structure method, collapsed parts dropped), and log each.

    A result must keep the dimension of what it came from; a geometry that collapses is refused.

    Returns:
        How many geometries were repaired.
    """
    wrong = _invalid(rows)
    if rows.geometry is None or not len(wrong):
        return 0
    before = rows.geometry[wrong]
    dimension = shapely.get_dimensions(before)
    tangled = np.array([_is_tangled(g) for g in before], dtype=bool)
    rows.refuse_all(wrong[tangled], "The geometry crosses itself too often to be repaired.")
    after = np.full(len(before), None, dtype=object)
    for i in np.flatnonzero(~tangled):
        after[i] = _repaired(before[i], int(dimension[i]))
    lost = shapely.is_missing(after) | shapely.is_empty(after)
    for row, kind in zip(wrong[lost & ~tangled], dimension[lost & ~tangled], strict=True):
        what = _DIMENSION_NAMES.get(int(kind), "geometry")
        rows.refuse(int(row), f"The {what} is invalid and collapses to nothing when repaired.")
    _breach(rows, wrong[lost], "Invalid geometries cannot be repaired.")
    rows.geometry[wrong] = after
    kept = wrong[~lost]
    if len(kept):
        _note(rows, kept, log.add(rows.position[kept], before[~lost], after[~lost]))
    return len(kept)


def refuse_invalid(rows: Rows) -> None:
    """Refuse invalid geometries with what is wrong with them and where, instead of mending them."""
    wrong = _invalid(rows)
    if rows.geometry is None or not len(wrong):
        return
    for row in wrong:
        rows.refuse(int(row), f"The geometry is invalid: {_reason(rows.geometry[row])}.")
    _breach(rows, wrong, "Geometries are invalid.")


def _invalid(rows: Rows) -> Which:
    if rows.geometry is None:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(~(valid(rows.geometry) | shapely.is_missing(rows.geometry))).astype(np.int64)


def _breach(rows: Rows, which: Which, message: str) -> None:
    if len(which):
        rows.breaches.append(Breach("valid-geometry", "error", message, which))


def _reason(geometry: shapely.Geometry) -> str:
    """What GEOS says of an invalid geometry, such as `self-intersection at 105.1, 38.2` (longitude, latitude)."""
    said = str(shapely.is_valid_reason(geometry))
    found = _PLACE.match(said)
    if found is None:
        return said[:100].lower()
    return f"{found.group(1).lower()} at {found.group(2)}, {found.group(3)}"


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


def _note(rows: Rows, kept: Which, change: npt.NDArray[np.float64]) -> None:
    rows.breaches.append(Breach("repaired", "warning", "Invalid geometries were repaired.", kept))
    changed = kept[np.abs(np.nan_to_num(change)) > _NOTABLE]
    if len(changed):
        message = f"Repair changed the area of geometries by more than {_NOTABLE:g} m2."
        rows.breaches.append(Breach("repaired-area", "warning", message, changed))
