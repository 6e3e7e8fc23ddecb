"""Geometries of requests in GML 3.2 (and 3.1, as old clients write it) as shapes in longitude and latitude."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from geoservice.formats.target import pyproj_of
from geoservice.wfs.words import WfsError
from geoservice.wfs.xml import Element, name_of, text_of
from layers.crs import storage_transformer
from layers.errors import BadParameter
from layers.offered import CRS84, OfferedCrs, find_crs

_LEGACY = ("EPSG:", "http://www.opengis.net/gml/srs/epsg.xml#")
_EDGE = 16
"""Parts in which an edge is divided before it is bent into degrees."""
_PAIR = 2
_MOST_NUMBERS = 200_000


def system(name: str | None, locator: str, default: OfferedCrs) -> tuple[OfferedCrs, bool]:
    """The CRS of a name, and whether coordinates come with latitude or northing first.

    `EPSG:4490` and the address of `epsg.xml` are the forms of old clients, who mean longitude first; URNs and
    `http://www.opengis.net/def/crs/` mean the order of the authority.

    Raises:
        WfsError: When it is none that is offered.
    """
    if name is None:
        return default, default.swapped
    legacy = next((name.removeprefix(head) for head in _LEGACY if name.startswith(head)), None)
    try:
        crs = find_crs(name if legacy is None else f"EPSG:{legacy}", locator)
    except BadParameter as error:
        raise WfsError(error.detail, "InvalidParameterValue", locator) from None
    return crs, crs.swapped and legacy is None


def to_degrees(shape: shapely.Geometry, crs: OfferedCrs, *, swapped: bool) -> shapely.Geometry:
    """A shape as longitude and latitude."""
    if swapped:
        shape = shapely.transform(shape, lambda c: c[:, ::-1])
    if not crs.projected:
        return shape
    way = storage_transformer(pyproj_of(crs))
    if way is None:
        return shape
    west, south, east, north = shapely.bounds(shape)
    longest = max(east - west, north - south) / _EDGE
    fine = shapely.segmentize(shape, longest) if longest > 0 else shape

    def bent(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.column_stack(way.transform(places[:, 0], places[:, 1]))

    return shapely.transform(fine, bent)


def read_geometry(element: Element, default: str | None) -> shapely.Geometry:
    """The shape of a GML element, in longitude and latitude.

    Args:
        element: The element.
        default: Name of the CRS of geometries that name none: that of the query, or of the feature type.

    Raises:
        WfsError: When it is not understood.
    """
    crs, swapped = system(_stated(element) or default, "srsName", CRS84)
    shape = _shape(element)
    bad = not np.isfinite(shapely.get_coordinates(shape)).all()
    found = to_degrees(shape, crs, swapped=swapped)
    if bad or not np.isfinite(shapely.get_coordinates(found)).all():
        raise WfsError("Coordinates of the geometry are not where its reference system is.", locator="filter")
    return found


def _stated(element: Element) -> str | None:
    """The name of the CRS, which may stand with the first part of a geometry of several."""
    named = element.xpath("descendant-or-self::*[@srsName]/@srsName")
    return str(named[0]) if named else None


def _shape(element: Element) -> shapely.Geometry:
    read = _READERS.get(name_of(element))
    if read is None:
        raise WfsError(f"{name_of(element)[:40]} is no geometry that filters know.", "OperationParsingFailed", "filter")
    try:
        return read(element)
    except (ValueError, shapely.errors.ShapelyError):
        raise WfsError(
            f"The coordinates of {name_of(element)} make no geometry.", "OperationParsingFailed", "filter"
        ) from None


def _numbers(text: str) -> list[float]:
    words = text.replace(",", " ").split()
    if len(words) > _MOST_NUMBERS:
        raise ValueError("too many coordinates")
    numbers = [float(word) for word in words]
    if not all(map(math.isfinite, numbers)):
        raise ValueError("not finite")
    return numbers


def _places(element: Element) -> list[tuple[float, float]]:
    """The positions inside an element: a list, or single ones."""
    lists = element.xpath(".//*[local-name()='posList' or local-name()='coordinates']")
    texts = lists or element.xpath(".//*[local-name()='pos']")
    found: list[tuple[float, float]] = []
    for one in texts:
        size = int(one.get("srsDimension") or element.get("srsDimension") or _PAIR)
        numbers = _numbers(text_of(one))
        if size < _PAIR or len(numbers) % size:
            raise ValueError("odd coordinates")
        found += [(numbers[i], numbers[i + 1]) for i in range(0, len(numbers), size)]
    return found


def _point(element: Element) -> shapely.Geometry:
    (place,) = _places(element)
    return shapely.Point(place)


def _line(element: Element) -> shapely.Geometry:
    return shapely.LineString(_places(element))


def _polygon(element: Element) -> shapely.Geometry:
    shells = element.xpath(".//*[local-name()='exterior' or local-name()='outerBoundaryIs']")
    holes = element.xpath(".//*[local-name()='interior' or local-name()='innerBoundaryIs']")
    if len(shells) != 1:
        raise ValueError("a polygon has one exterior")
    return shapely.Polygon(_places(shells[0]), [_places(hole) for hole in holes])


def _envelope(element: Element) -> shapely.Geometry:
    corners = element.xpath(".//*[local-name()='lowerCorner' or local-name()='upperCorner']")
    if len(corners) != _PAIR:
        raise ValueError("an envelope has two corners")
    low, high = (_numbers(text_of(corner))[:_PAIR] for corner in corners)
    if len(low) != _PAIR or len(high) != _PAIR:
        raise ValueError("a corner has two coordinates")
    return shapely.box(low[0], low[1], high[0], high[1])


def _members(element: Element) -> list[shapely.Geometry]:
    return [_shape(one) for member in element for one in member]


def _joined(make: Callable[[list[Any]], shapely.Geometry]) -> Callable[[Element], shapely.Geometry]:
    def read(element: Element) -> shapely.Geometry:
        return make([part for one in _members(element) for part in shapely.get_parts(one)])

    return read


_READERS: dict[str, Callable[[Element], shapely.Geometry]] = {
    "Point": _point,
    "LineString": _line,
    "Curve": _line,
    "Polygon": _polygon,
    "Surface": _polygon,
    "Envelope": _envelope,
    "MultiPoint": _joined(shapely.MultiPoint),
    "MultiCurve": _joined(shapely.MultiLineString),
    "MultiLineString": _joined(shapely.MultiLineString),
    "MultiSurface": _joined(shapely.MultiPolygon),
    "MultiPolygon": _joined(shapely.MultiPolygon),
}
