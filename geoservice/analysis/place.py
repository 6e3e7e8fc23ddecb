"""The zone as a place: a polygon, where it came from, its boxes for the index, its figures for the answer."""

from __future__ import annotations

from dataclasses import dataclass

import shapely

from geoservice.analysis.geojson import PolygonGeometry, checked
from layers.answer import Zone
from layers.area import ellipsoidal_area
from layers.crs import STORAGE_SRID
from layers.errors import BadGeometry
from layers.extent import Extent
from layers.hazard import Meant
from layers.model import Text

Box = tuple[float, float, float, float]
_ANTIMERIDIAN = 180.0
_TURN = 360.0
_MIN_MARGIN = 0.1
"""Degrees: how far the surroundings of a small zone reach at least."""


@dataclass(frozen=True)
class Place:
    """A zone to ask about.

    Attributes:
        geometry: A valid polygon or multipolygon (longitude, latitude in degrees).
        origin: How it was named.
        label: Its name.
        status: Whether what it was made of is meant in earnest, such as an alert.
        notice: What has to be said of it, such as that an alert was cancelled.
    """

    geometry: PolygonGeometry
    origin: str
    label: Text | None = None
    status: Meant = "actual"
    notice: Text | None = None

    @property
    def ewkb(self) -> bytes:
        """The polygon as EWKB in storage coordinates (EPSG:4490, x=longitude, y=latitude)."""
        return shapely.to_wkb(shapely.set_srid(self.geometry, STORAGE_SRID), include_srid=True)

    def boxes(self) -> tuple[Box, ...]:
        """Boxes around the zone: one, or two when it stands on both sides of the antimeridian."""
        east, west = self._hemispheres()
        if east is None or west is None:
            return (_bounds(self.geometry),)
        return (_bounds(east), _bounds(west))

    def meets_surroundings(self, extent: Extent) -> bool:
        """Whether an extent meets the zone's surroundings: its boxes, grown by their own size on each side."""
        boxes = [_grown(box) for box in self.boxes()]
        return any(_meet(box, other) for box in boxes for other in extent.boxes())

    def meets(self, extent: Extent) -> bool:
        """Whether a box of the zone meets an extent."""
        return any(_meet(box, other) for box in self.boxes() for other in extent.boxes())

    def outside(self, extent: Extent) -> float:
        """Square metres of the zone outside an extent."""
        boxes = extent.boxes()
        if all(any(_holds(box, mine) for box in boxes) for mine in self.boxes()):
            return 0.0
        known = shapely.union_all([shapely.box(*box) for box in boxes])
        rest = shapely.difference(self.geometry, known)
        return 0.0 if shapely.is_empty(rest) else float(ellipsoidal_area(rest))

    def described(self) -> Zone:
        """The zone for an answer: ellipsoidal area (m2), bbox (west exceeds east over the antimeridian)."""
        east, west = self._hemispheres()
        bbox = _bounds(self.geometry)
        if east is not None and west is not None:
            right, left = _bounds(east), _bounds(west)
            bbox = (right[0], min(right[1], left[1]), left[2], max(right[3], left[3]))
        return Zone(area_m2=float(ellipsoidal_area(self.geometry)), bbox=bbox, origin=self.origin, label=self.label)

    def _hemispheres(self) -> tuple[shapely.Geometry | None, shapely.Geometry | None]:
        """The parts that end at +180 and those that begin at -180, if the zone is split there and nowhere else."""
        parts = shapely.get_parts(self.geometry)
        bounds = shapely.bounds(parts)
        east, west = parts[bounds[:, 0] > 0], parts[bounds[:, 2] < 0]
        whole = len(east) + len(west) == len(parts)
        if not whole or bounds[:, 2].max() != _ANTIMERIDIAN or bounds[:, 0].min() != -_ANTIMERIDIAN:
            return None, None
        return shapely.GeometryCollection(list(east)), shapely.GeometryCollection(list(west))


def zone_from_bbox(extent: Extent) -> Place:
    """The zone of a box; one that crosses the antimeridian becomes two parts.

    Raises:
        BadGeometry: When the box has no width or no height.
    """
    boxes = [shapely.box(*box) for box in extent.boxes()]
    solid = [box for box in boxes if box.area > 0]
    if not solid:
        raise BadGeometry(
            "The box has no area: west and east, south and north must differ.", where="bbox", bbox=extent.as_list()
        )
    geometry = solid[0] if len(solid) == 1 else shapely.MultiPolygon(solid)
    return Place(geometry, "bbox")


def zone_from_feature(wkb: bytes, origin: str, label: Text | None = None) -> Place:
    """The zone of a stored feature.

    Args:
        wkb: Its geometry as WKB or EWKB, longitude and latitude in degrees.
        origin: How it was named in the request, such as `adcode:990101`.
        label: Its name.

    Raises:
        BadGeometry: When the feature is not an area.
    """
    return Place(checked(shapely.set_srid(shapely.from_wkb(wkb), 0), origin), origin, label)


def _bounds(geometry: shapely.Geometry) -> Box:
    west, south, east, north = shapely.bounds(geometry).tolist()
    return (west, south, east, north)


def _holds(box: Box, other: Box) -> bool:
    """Whether one box lies in another one."""
    return box[0] <= other[0] and box[1] <= other[1] and other[2] <= box[2] and other[3] <= box[3]


def _grown(box: Box) -> Box:
    wide, high = max(box[2] - box[0], _MIN_MARGIN), max(box[3] - box[1], _MIN_MARGIN)
    return (box[0] - wide, box[1] - high, box[2] + wide, box[3] + high)


def _meet(one: Box, other: Box) -> bool:
    """Whether two boxes meet on the globe; a grown box may reach beyond 180 degrees."""
    if one[1] > other[3] or other[1] > one[3]:
        return False
    return any(one[0] + turn <= other[2] and other[0] <= one[2] + turn for turn in (-_TURN, 0.0, _TURN))
