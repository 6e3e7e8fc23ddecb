"""Fires: perimeters from the points that satellites see, by clusters in space and time and by confidence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from geoservice.hazards.method import (
    Box,
    Estimates,
    Feature,
    FeaturesWanted,
    Found,
    HazardMethod,
    Lat,
    Lon,
    Parameters,
    Wanted,
)
from geoservice.hazards.plane import Plane
from geoservice.hazards.shapes import Grade, box_around, merged, ranked
from layers.area import INVERSE_FLATTENING, SEMI_MAJOR
from layers.errors import TooLarge
from layers.extent import Extent
from layers.hazard import ZoneClass
from layers.interval import Interval
from layers.model import Text

FIRES = "active_fire"
HIGH, NOMINAL, LOW = "high", "nominal", "low"
CLASSES: Mapping[str, Grade] = {
    HIGH: Grade(HIGH, Text(zh="高置信度火区", en="Burning, high confidence")),
    NOMINAL: Grade(NOMINAL, Text(zh="一般置信度火区", en="Burning, nominal confidence")),
    LOW: Grade(LOW, Text(zh="低置信度火区", en="Burning, low confidence")),
}
MOST_POINTS = 50_000
MOST_PAIRS = 5_000_000
"""Most pairs of points that are near in space."""
MODIS_PIXEL, VIIRS_PIXEL = 1000.0, 375.0
"""Sides of a pixel at nadir in metres (NASA FIRMS)."""
_MODIS_HIGH, _MODIS_NOMINAL = 80.0, 30.0
"""Per cent from which MODIS confidence counts as high and as nominal (MODIS Collection 6 user's guide, 1.0)."""
_LETTERS = {"h": HIGH, "high": HIGH, "n": NOMINAL, "nominal": NOMINAL, "l": LOW, "low": LOW}
_ORDER = (HIGH, NOMINAL, LOW)
_HULL = 3
"""Points from which on a cluster has a hull."""
Metres = Annotated[float, Field(gt=0, le=20_000, allow_inf_nan=False)]


class SeenPoint(BaseModel):
    """A point of fire: when it was seen, where, how surely (per cent, or l, n, h), the side of its pixel in metres."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: AwareDatetime
    lon: Lon
    lat: Lat
    confidence: str | float | None = None
    pixel: Metres | None = None


class FireParameters(Parameters):
    """Points of the collection active_fire in a box and a time, or points of your own."""

    bbox: Box | None = None
    seen_from: AwareDatetime | None = Field(default=None, description="Only points seen from then on.")
    seen_until: AwareDatetime | None = Field(default=None, description="Only points seen before.")
    points: Annotated[tuple[SeenPoint, ...], Field(max_length=MOST_POINTS)] | None = None
    gap: Metres = Field(default=1500, description="Metres to which points of one fire lie apart at most.")
    gap_hours: float = Field(default=24, gt=0, le=720, description="Hours between sightings of one fire at most.")
    concavity: float = Field(
        default=0.3, ge=0, le=1, description="Hull of a cluster: 1 convex, towards 0 ever closer to the points."
    )
    modis_pixel: Metres = Field(
        default=MODIS_PIXEL, description="Side of a pixel of points with confidence in per cent."
    )
    viirs_pixel: Metres = Field(default=VIIRS_PIXEL, description="Side of a pixel of all other points.")

    @model_validator(mode="after")
    def _require_source(self) -> FireParameters:
        if (self.bbox is None) == (self.points is None):
            raise ValueError("points of fire are given by bbox (of the collection) or by points")
        return self

    def interval(self) -> Interval | None:
        """When points were seen; None for always."""
        if self.seen_from is None and self.seen_until is None:
            return None
        return Interval(self.seen_from, self.seen_until)


@dataclass(frozen=True)
class FirePoints:
    """Points in one order: place in degrees, seconds, half the side of the pixel in metres, class of confidence."""

    lon: npt.NDArray[np.float64]
    lat: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.float64]
    half: npt.NDArray[np.float64]
    confidence: npt.NDArray[np.str_]

    def some(self, chosen: npt.NDArray[np.bool_]) -> FirePoints:
        """Those that are chosen."""
        return FirePoints(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def confidence_class(value: str | float | None) -> str:
    """High, nominal or low; what says nothing counts as nominal.

    Args:
        value: Per cent as MODIS has it (from 80 high, from 30 nominal), or l, n, h as VIIRS has it.
    """
    if (percent := _percent(value)) is not None:
        return HIGH if percent >= _MODIS_HIGH else NOMINAL if percent >= _MODIS_NOMINAL else LOW
    return _LETTERS.get(str(value).strip().lower(), NOMINAL)


def clusters(points: FirePoints, gap: float, gap_seconds: float) -> npt.NDArray[np.int64]:
    """The number of the fire of each point: points are of one fire that are joined by steps near in space and time.

    Raises:
        TooLarge: When more than `MOST_PAIRS` pairs are near in space.
    """
    geocentric = pyproj.Transformer.from_pipeline(f"+proj=cart +a={SEMI_MAJOR} +rf={INVERSE_FLATTENING}")
    at = np.column_stack(geocentric.transform(points.lon, points.lat, np.zeros(len(points.lon))))
    # Chords are shorter than ways along the ground by less than a millionth at such distances.
    tree = cKDTree(at)
    if tree.count_neighbors(tree, gap) > 2 * MOST_PAIRS:
        raise TooLarge(
            f"More than {MOST_PAIRS} pairs of points lie within gap; give a smaller gap or box.", limit=MOST_PAIRS
        )
    pairs = tree.query_pairs(gap, output_type="ndarray")
    pairs = pairs[np.abs(points.seconds[pairs[:, 0]] - points.seconds[pairs[:, 1]]) <= gap_seconds]
    size = len(points.lon)
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def perimeter(points: FirePoints, concavity: float) -> shapely.Geometry:
    """The perimeter of one fire: the pixels of its points, and from three points on the hull that joins them.

    A pixel is a square of its side, turned to the north; the hull is GEOS's concave hull of the corners of the pixels.
    """
    # The middle of the points themselves, on the side of the globe where they are.
    turned = points.lon[0] + (points.lon - points.lon[0] + 180.0) % 360.0 - 180.0
    plane = Plane(float(turned.mean()), float(points.lat.mean()))
    at = plane.onto(points.lon, points.lat)
    half = points.half[:, None]
    low, high = at - half, at + half
    boxes = shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])
    area = shapely.union_all(boxes)
    if len(points.lon) >= _HULL:
        corners = shapely.MultiPoint(np.unique(shapely.get_coordinates(boxes), axis=0))
        area = shapely.union(area, shapely.concave_hull(corners, ratio=concavity))
    return plane.back(area, float(points.half.min() * 2))


def _read(told: FireParameters, found: Found) -> FirePoints:
    if told.points is not None:
        rows = [(p.lon, p.lat, p.time, p.confidence, p.pixel) for p in told.points]
    else:
        rows = [row for one in found.features["fires"] if (row := _row(one)) is not None]
    if len(rows) > MOST_POINTS:
        raise TooLarge(
            f"There are more than {MOST_POINTS} points of fire; ask for a smaller box or time.", limit=MOST_POINTS
        )
    made = [
        (x, y, time.timestamp(), (pixel or _pixel(told, sure)) / 2, confidence_class(sure))
        for x, y, time, sure, pixel in rows
    ]
    made.sort()
    numbers = np.array([one[:4] for one in made], dtype=np.float64).reshape(-1, 4)
    lon, lat, seconds, half = numbers.T
    return FirePoints(lon, lat, seconds, half, np.array([one[4] for one in made], dtype=np.str_))


def _row(feature: Feature) -> tuple[float, float, dt.datetime, Any, None] | None:
    time = feature.attributes.get("acquired")
    if feature.geometry is None or time is None:
        return None
    x, y = shapely.get_coordinates(feature.geometry)[0].tolist()
    return x, y, time, feature.attributes.get("confidence"), None


def _percent(value: str | float | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _pixel(told: FireParameters, confidence: str | float | None) -> float:
    return told.viirs_pixel if _percent(confidence) is None else told.modis_pixel


def _classes(points: FirePoints, told: FireParameters, classes: Sequence[str]) -> tuple[ZoneClass, ...]:
    """Perimeters of the points that are at least so sure, for each class; worst first."""
    graded = list[tuple[Grade, shapely.Geometry]]()
    for number, name in enumerate(classes):
        chosen = points.some(np.isin(points.confidence, _ORDER[: number + 1]))
        areas = list[shapely.Geometry]()
        if len(chosen.lon):
            owner = clusters(chosen, told.gap, told.gap_hours * 3600.0)
            areas = [perimeter(chosen.some(owner == one), told.concavity) for one in range(owner.max() + 1)]
        graded.append((CLASSES[name], merged(areas)))
    return ranked(graded)


def _wanted(told: FireParameters, found: Found) -> Mapping[str, Wanted]:
    if told.bbox is None:
        return {}
    return {
        "fires": FeaturesWanted(FIRES, ("acquired", "confidence"), extent=Extent(*told.bbox), interval=told.interval())
    }


def _estimate(told: FireParameters, found: Found) -> Estimates:
    points = _read(told, found)
    seen = (
        [dt.datetime.fromtimestamp(at, dt.UTC) for at in (points.seconds.min(), points.seconds.max())]
        if len(points.lon)
        else []
    )
    return Estimates(
        best=_classes(points, told, _ORDER[:2]),
        low=_classes(points, told, _ORDER[:1]),
        high=_classes(points, told, _ORDER),
        nothing=Text(
            zh="该时段该处未见置信度达到一般的火点。",
            en="No point of fire of at least nominal confidence was seen there and then.",
        ),
        looked=box_around([shapely.MultiPoint(np.column_stack([points.lon, points.lat]))]),
        resolved={"points_used": len(points.lon)},
        start=seen[0] if seen else None,
    )


PERIMETER = HazardMethod(
    id="fire",
    version="1",
    kind="fire",
    title=Text(zh="火场范围", en="Fire perimeters from active-fire points"),
    abstract=Text(
        zh="卫星火点按空间和时间聚类，取像元与凹包，按置信度分级。",
        en="Points seen by satellites, clustered in space and time: their pixels and a concave hull, by confidence.",
    ),
    source="Pixels of 1 km (MODIS) and 375 m (VIIRS); confidence by the MODIS Collection 6 user's guide; clusters "
    "joined by steps within gap and gap_hours; concave hull of GEOS.",
    uncertainty=Text(
        zh="下限仅计高置信度火点，上限计入全部火点。",
        en="Below, points of high confidence alone; above, all points.",
    ),
    parameters=FireParameters,
    wanted=_wanted,
    estimate=_estimate,
)
