"""Polygons and circles of CAP areas as geometries, x=longitude, y=latitude in WGS 84."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

_GEOD = pyproj.Geod(ellps="WGS84")
_STEPS = 180
"""Corners of a circle: the polygon lacks 0.02 % of its area."""
_CORNERS = 4
_POLE = 90.0
_KILOMETRE = 1000.0
_FULL, _HALF = 360.0, 180.0

Ring = npt.NDArray[np.float64]


class AreaFault(ValueError):
    """A polygon or circle that does not follow the standard: a sentence, and the text as it stands."""

    def __init__(self, sentence: str, text: str) -> None:
        """Keep sentence and text."""
        super().__init__(sentence)
        self.sentence = sentence
        self.text = text


def area_geometry(polygons: list[str], circles: list[str]) -> tuple[shapely.Geometry | None, list[str]]:
    """One geometry for the polygons and circles of an area.

    Args:
        polygons: Texts of "lat,lon" pairs (CAP 1.2, 3.2.4: four or more, the last equal to the first).
        circles: Texts "lat,lon radius" with the radius in kilometres.

    Returns:
        A polygon or multipolygon (None when there is neither), and remarks about what was bent.

    Raises:
        AreaFault: When a text cannot be read.
    """
    remarks: list[str] = []
    rings = [_polygon(text, remarks) for text in polygons]
    rings += [ring for text in circles if (ring := _circle(text, remarks)) is not None]
    shapes = [shapely.Polygon(ring) for ring in rings]
    if not shapes:
        return None, remarks
    return (shapes[0] if len(shapes) == 1 else shapely.MultiPolygon(shapes)), remarks


def _pair(text: str, whole: str) -> tuple[float, float]:
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError as error:
        raise AreaFault(f'The area holds {text[:40]!r}, where "latitude,longitude" was expected.', whole) from error
    if not abs(latitude) <= _POLE or not abs(longitude) <= _FULL:
        raise AreaFault(f"The area holds {text[:40]!r}, which is no latitude and longitude.", whole)
    return longitude, latitude


def _polygon(text: str, remarks: list[str]) -> Ring:
    ring = np.array([_pair(part, text) for part in text.split()], dtype=float)
    if (ring[0] != ring[-1]).any():
        remarks.append("A polygon that was not closed has been closed.")
        ring = np.concatenate([ring, ring[:1]])
    if len(ring) < _CORNERS:
        raise AreaFault(f"The polygon has {len(ring)} corners, where CAP requires four or more.", text)
    if (np.abs(np.diff(ring[:, 0])) > _HALF).any():
        remarks.append("A polygon across 180 degrees has been cut there.")
        ring[:, 0] = np.unwrap(ring[:, 0], period=_FULL)
    return _east(ring)


def _circle(text: str, remarks: list[str]) -> Ring | None:
    centre, _, radius = text.strip().partition(" ")
    longitude, latitude = _pair(centre, text)
    try:
        metres = float(radius) * _KILOMETRE
    except ValueError as error:
        raise AreaFault(f"The circle has the radius {radius[:40]!r}, where kilometres were expected.", text) from error
    if not 0 <= metres < np.pi * _GEOD.b / 2:
        raise AreaFault(f"The circle has the radius {radius[:40]!r}, which is no distance on the Earth.", text)
    if metres == 0:
        remarks.append("A circle of radius 0 is a point and encloses no area; the alert is kept without it.")
        return None
    return _circle_ring(longitude, latitude, metres, text)


def _circle_ring(longitude: float, latitude: float, metres: float, text: str) -> Ring:
    pole = 90.0 if latitude >= 0 else -90.0
    if _GEOD.inv(longitude, latitude, longitude, pole)[2] <= metres:
        raise AreaFault("The circle encloses a pole, which cannot be drawn in longitude and latitude.", text)
    bearings = np.linspace(0.0, -_FULL, _STEPS + 1)
    ones = np.ones_like(bearings)
    x, y, _ = _GEOD.fwd(ones * longitude, ones * latitude, bearings, ones * metres)
    ring = np.column_stack([np.unwrap(x, period=_FULL), y])
    ring[-1] = ring[0]
    return _east(ring)


def _east(ring: Ring) -> Ring:
    """A ring that reaches beyond -180 is moved a full turn east, where the projector cuts it at 180."""
    if ring[:, 0].min() < -_HALF:
        ring[:, 0] += _FULL
    return ring
