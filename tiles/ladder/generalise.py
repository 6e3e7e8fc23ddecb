"""Geometries of one part of a layer, generalised for a rung.

What becomes of a feature depends on it and on the features that touch it, and on nothing else: so parts, refreshes
after an edit and a whole rebuild agree, as long as each sees the core it answers for with one ring of neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from layers.ladder import LIMIT, RADIUS, Rung
from layers.model import VectorLayer
from tiles.ladder.rounding import plain

Geometries = npt.NDArray[np.object_]
Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
_SURFACES = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)
"""Cutting at the end of Web Mercator may leave other kinds, which GEOS does not simplify as parts of a coverage."""
_SMALLEST = 1.0
"""Surfaces of fewer square pixels are not drawn; in a coverage they stay down to a quarter of that."""
_LINE_SHARE = 0.5
"""Pixels by which a simplified line may leave the original."""


@dataclass(frozen=True)
class Drawn:
    """What a rung shows of some features.

    Attributes:
        kept: Which features are drawn at all.
        geometry: Their geometries in EPSG:3857 (only of those kept).
        spot: Where the label of a surface stands (only of those kept); None for lines.
        begins: From which zoom each is drawn (only of those kept).
        plain: Which stay what they are in the units of a tile (only of those kept).
    """

    kept: Mask
    geometry: Geometries
    spot: Geometries
    begins: npt.NDArray[np.int64]
    plain: Mask


def mercator(geometries: Geometries) -> Geometries:
    """Geometries from degrees (x=longitude, y=latitude) to EPSG:3857, cut where Web Mercator ends.

    Spherical Mercator (EPSG method 1024): x = R lon, y = R asinh(tan(lat)).
    """
    bounds = shapely.bounds(geometries)
    with np.errstate(invalid="ignore"):
        beyond = (bounds[:, 1] < -LIMIT) | (bounds[:, 3] > LIMIT)
    if beyond.any():
        geometries = geometries.copy()
        geometries[beyond] = shapely.intersection(geometries[beyond], shapely.box(-180, -LIMIT, 180, LIMIT))
    projected: Geometries = shapely.transform(geometries, _project)
    return projected


def _project(degrees: Numbers) -> Numbers:
    radians = np.radians(degrees)
    return np.column_stack([radians[:, 0], np.arcsinh(np.tan(radians[:, 1]))]) * RADIUS


def degrees(geometries: Geometries) -> Geometries:
    """Geometries from EPSG:3857 to degrees (x=longitude, y=latitude), the inverse of `mercator`."""
    turned: Geometries = shapely.transform(geometries, _unproject)
    return turned


def _unproject(metres: Numbers) -> Numbers:
    radians = metres / RADIUS
    return np.asarray(np.degrees(np.column_stack([radians[:, 0], np.arctan(np.sinh(radians[:, 1]))])))


def generalised(
    layer: VectorLayer, rung: Rung, geometries: Geometries, core: Mask, begins: npt.NDArray[np.int64]
) -> Drawn:
    """What a rung shows of the core of a part.

    Args:
        layer: The layer.
        rung: The rung.
        geometries: Core and at least all that touches it, in EPSG:3857, in the order of their feature numbers.
        core: Which of them are asked about.
        begins: From which zoom each feature is drawn, as the style says.
    """
    surface = np.isin(shapely.get_type_id(geometries), _SURFACES) & ~shapely.is_empty(geometries)
    least = (_SMALLEST * rung.pixel) ** 2 / (4 if layer.coverage else 1)
    kept = core & (begins <= rung.to) & ~(surface & (shapely.area(geometries) < least)) & ~shapely.is_empty(geometries)
    simple = geometries.copy()
    simple[surface] = _coverage(geometries[surface], rung)
    lines = ~surface & kept
    simple[lines] = shapely.simplify(geometries[lines], _LINE_SHARE * rung.pixel, preserve_topology=False)
    shown = simple[kept]
    lost = shapely.is_empty(shown) | shapely.is_missing(shown)
    shown[lost] = geometries[kept][lost]
    # Clockwise outside, as a vector tile wants it.
    shown = np.asarray(shapely.orient_polygons(shown, exterior_cw=True), dtype=object)
    return Drawn(kept, shown, _spots(layer, shown, surface[kept]), begins[kept], plain(shown, rung))


def _coverage(surfaces: Geometries, rung: Rung) -> Geometries:
    """Surfaces with fewer vertices; borders that they share stay shared.

    The tolerance of the Visvalingam-Whyatt method is the side of a square as large as the triangles that are cut off.
    """
    if not len(surfaces):
        return surfaces
    simple = np.asarray(shapely.coverage_simplify(surfaces, rung.pixel), dtype=object)
    broken = ~shapely.is_valid(simple)
    if broken.any():
        # What overlaps is no coverage, and then a result may cross itself.
        simple[broken] = shapely.simplify(surfaces[broken], rung.pixel / 2, preserve_topology=True)
    return simple


def _spots(layer: VectorLayer, shown: Geometries, surface: Mask) -> Geometries:
    """One point inside each surface of a layer that has labels."""
    spots = np.full(len(shown), None, dtype=object)
    if layer.label is not None and layer.style.label is not None:
        spots[surface] = shapely.point_on_surface(shown[surface])
    return spots
