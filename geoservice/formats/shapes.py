"""Geometries of a batch: from WKB, rounded for formats that write coordinates as text, sorted by their family."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from geoservice.formats.subject import GEOMETRY

Shapes = npt.NDArray[np.object_]
_FAMILIES = {0: "point", 1: "line", 2: "line", 3: "polygon", 4: "multipoint", 5: "line", 6: "polygon", 7: "collection"}
_NAMES = {
    0: "Point", 1: "LineString", 3: "Polygon", 4: "MultiPoint", 5: "MultiLineString", 6: "MultiPolygon",
    7: "GeometryCollection",
}  # fmt: skip


def shapes_of(batch: pa.RecordBatch) -> Shapes:
    """The geometries of a batch, None where a row has none."""
    found: Shapes = np.asarray(shapely.from_wkb(batch.column(GEOMETRY).to_numpy(zero_copy_only=False)), dtype=object)
    return found


def rounded(shapes: Shapes, decimals: int) -> Shapes:
    """Geometries with so many decimals; heights are kept."""

    def cut(coordinates: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.round(coordinates, decimals)

    found: Shapes = shapely.transform(shapes, cut, include_z=bool(np.any(shapely.has_z(shapes))))
    return found


def families(shapes: Shapes) -> npt.NDArray[np.str_]:
    """`point`, `multipoint`, `line`, `polygon` or `collection` of each; `none` where there is no geometry."""
    kinds = shapely.get_type_id(shapes)
    return np.array([_FAMILIES.get(int(kind), "none") for kind in kinds])


def type_names(shapes: Shapes) -> set[str]:
    """The names that the geometries' types have in Simple Features, ` Z` added where they have heights."""
    kinds, heights = shapely.get_type_id(shapes), shapely.has_z(shapes)
    pairs = {(int(kind), bool(high)) for kind, high in zip(kinds, heights, strict=True)}
    return {_NAMES[kind] + (" Z" if high else "") for kind, high in pairs if kind in _NAMES}


def total_bounds(shapes: Shapes, former: list[float] | None) -> list[float] | None:
    """The box around geometries and a former box: least x, least y, greatest x, greatest y."""
    box: Any = shapely.total_bounds(shapes) if len(shapes) else np.full(4, np.nan)
    if np.isnan(box).any():
        return former
    west, south, east, north = (float(side) for side in box)
    if former is None:
        return [west, south, east, north]
    return [min(former[0], west), min(former[1], south), max(former[2], east), max(former[3], north)]
