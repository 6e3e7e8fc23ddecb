"""The zone of an impact question: its severity classes as polygons, at the best estimate and at its bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely

from geoservice.analysis.cells import polygons
from geoservice.analysis.geojson import Budget, PolygonGeometry, checked, parse_zone
from geoservice.analysis.kept import area_of
from geoservice.analysis.place import Box, Place, zone_from_bbox
from geoservice.analysis.tangles import require_mergeable
from layers.answer import Zone
from layers.area import ellipsoidal_area
from layers.errors import BadGeometry, TooLarge
from layers.extent import MAX_LAT, MAX_LON, Extent
from layers.hazard import Bound, HazardZone, Meant, ZoneClass
from layers.impact import ImpactZone, ZoneClassFigure
from layers.model import Text

ONE_CLASS = "zone"
MOST_CLASSES = 100
"""Most classes of an estimate that somebody sends: each is laid over all worse ones."""
_ONE = Text(zh="范围", en="zone")
_EXACT = Text(
    zh="该范围按确定的范围处理，因此数值没有低值和高值。",
    en="The area is taken to be exact, so that figures have no low and no high value.",
)
_UNSAID = Text(
    zh="该危险区的方法未给出不确定性，因此数值没有低值和高值。",
    en="The method of the zone does not say how uncertain it is, so that figures have no low and no high value.",
)
_NOTHING = Text(zh="按此方法，没有任何地方处于危险之中。", en="By this method nothing lies in danger.")
_NOTHING_LIKELY = Text(
    zh="按最佳估计，没有任何地方处于危险之中；在不确定性范围内则有。",
    en="By the best estimate nothing lies in danger; within what is uncertain something does.",
)
_HAIR = 1e-6
"""Degrees by which a box without width or height is widened, so that it can be laid over boxes of layers."""


@dataclass(frozen=True)
class Severity:
    """A severity class: rank (1 is the worst), code, name, polygon in longitude and latitude."""

    rank: int
    code: str
    label: Text
    shape: PolygonGeometry


@dataclass(frozen=True)
class Zoned:
    """A zone with its classes; `low` and `high` are None where the method does not say how uncertain it is.

    An estimate without classes says that nothing is in danger. Where none has any, the zone is the box in which the
    method looked: layers that have something there are counted and have 0, the others have no data.

    `status` says whether it is meant in earnest, `notice` what has to be said of it beside.
    """

    origin: str
    label: Text | None
    best: tuple[Severity, ...]
    low: tuple[Severity, ...] | None = None
    high: tuple[Severity, ...] | None = None
    hazard: HazardZone | None = None
    status: Meant = "actual"
    notice: Text | None = None

    @property
    def bounds(self) -> dict[Bound, tuple[Severity, ...]]:
        """The estimates that there are."""
        made: dict[Bound, tuple[Severity, ...]] = {"best": self.best}
        if self.low is not None:
            made["low"] = self.low
        if self.high is not None:
            made["high"] = self.high
        return made

    @property
    def bare(self) -> bool:
        """Whether nothing is in danger by any estimate."""
        return not any(self.bounds.values())

    @cached_property
    def vertices(self) -> int:
        """Vertices of all classes of all estimates together."""
        return _vertices(one.shape for classes in self.bounds.values() for one in classes)

    @cached_property
    def area(self) -> float:
        """Square metres of the best estimate."""
        return sum(_areas(self.best).values())

    def place(self) -> Place:
        """Everything that any estimate covers, or where the method looked in vain, as a place: what has to be read."""
        return Place(self._everything, self.origin, self.label)

    def _silence(self) -> Text | None:
        """Why there are no low and high figures, where there are none."""
        if self.low is not None or self.high is not None:
            return None
        return _EXACT if self.hazard is None else _UNSAID

    def _notice(self) -> Text | None:
        """What has to be said of it beside; first of all, that nothing is in danger."""
        if self.best:
            return self.notice
        return _NOTHING if self.bare else _NOTHING_LIKELY

    @cached_property
    def _everything(self) -> PolygonGeometry:
        if self.bare:
            return _looked_at(self.hazard)
        return _together([severity.shape for classes in self.bounds.values() for severity in classes])

    @cached_property
    def _best(self) -> PolygonGeometry:
        return _together([severity.shape for severity in self.best])

    def boxes(self) -> tuple[Box, ...]:
        """Boxes around all estimates, for the index."""
        return self.place().boxes()

    def whole(self, bound: Bound = "best") -> PolygonGeometry:
        """An estimate as one polygon, all classes together; it is empty where nothing is in danger."""
        return self._best if bound == "best" else _together([severity.shape for severity in self.bounds[bound]])

    def exceeds(self, square_metres: float) -> bool:
        """Whether all estimates together are larger than an area; boxes that are smaller answer without measuring."""
        if self.bare:
            return False
        place = self.place()
        rough = sum(float(ellipsoidal_area(shapely.box(*box))) for box in place.boxes())
        return rough > square_metres and float(ellipsoidal_area(place.geometry)) > square_metres

    def described(self) -> ImpactZone:
        """The zone for an answer."""
        areas = {name: _areas(classes) for name, classes in self.bounds.items()}
        shape = self.whole() if self.best else self._everything
        place: Zone = Place(shape, self.origin, self.label).described()
        hazard = self.hazard
        told = {} if hazard is None else _told(hazard)
        return ImpactZone(
            origin=self.origin,
            label=self.label,
            bbox=place.bbox,
            area_m2=round(sum(areas["best"].values()), 4),
            status=self.status,
            notice=self._notice(),
            uncertainty=self._silence(),
            classes=tuple(_figure(severity, areas) for severity in self.best),
            **{"kind": "area", **told},
        )


def zoned_place(place: Place) -> Zoned:
    """The zone of an area: one class."""
    one = Severity(1, ONE_CLASS, place.label or _ONE, place.geometry)
    return Zoned(place.origin, place.label, (one,), status=place.status, notice=place.notice)


def zoned_hazard(hazard: HazardZone, most_vertices: int) -> Zoned:
    """The zone of a hazard that somebody sent. GEOS works on its geometries: call it in a thread.

    Raises:
        BadGeometry: When a class is no proper area, or nothing of it is left beside the worse ones.
        TooLarge: When there are too many classes, or vertices together, or their outlines cross too often.
    """
    for name, classes in _estimates(hazard).items():
        if len(classes or ()) > MOST_CLASSES:
            raise TooLarge(f"A hazard has at most {MOST_CLASSES} classes in {name}.", limit=MOST_CLASSES)
    budget, made = Budget(most_vertices), dict[Bound, tuple[Severity, ...] | None]()
    for name, classes in _estimates(hazard).items():
        shapes = [parse_zone(one.geometry, budget) for one in classes or ()]
        made[name] = None if classes is None else _severities(classes, shapes)
    return _zoned(hazard, f"hazard:{hazard.kind}", made)


def zoned_kept(hazard: HazardZone, origin: str, most_vertices: int) -> Zoned:
    """The zone of a hazard that was kept: its classes were made so that they do not overlap. Call it in a thread.

    Raises:
        TooLarge: When all classes of all estimates together have too many vertices.
    """
    made: dict[Bound, tuple[Severity, ...] | None] = {}
    for name, classes in _estimates(hazard).items():
        read = [(one, checked(area_of(one.geometry), origin)) for one in classes or ()]
        severities = tuple(Severity(one.rank, one.code, one.label, shape) for one, shape in read)
        made[name] = None if classes is None else severities
    zoned = _zoned(hazard, origin, made)
    require_vertices(zoned.vertices, most_vertices)
    return zoned


def require_vertices(number: int, most: int) -> None:
    """Make sure that a zone has no more vertices than may be asked about.

    Raises:
        TooLarge: When it has.
    """
    if number > most:
        raise TooLarge(f"The zone has {number:,} vertices; at most {most:,} are asked about.", limit=most)


def _estimates(hazard: HazardZone) -> dict[Bound, Sequence[ZoneClass] | None]:
    return {"best": hazard.classes, "low": hazard.low, "high": hazard.high}


def _zoned(hazard: HazardZone, origin: str, made: Mapping[Bound, tuple[Severity, ...] | None]) -> Zoned:
    best = made["best"] or ()
    low, high, status = made["low"], made["high"], hazard.status
    return Zoned(origin, hazard.label, best, low=low, high=high, hazard=hazard, status=status)


def _severities(classes: Sequence[ZoneClass], shapes: Sequence[PolygonGeometry]) -> tuple[Severity, ...]:
    """Classes as polygons; a place belongs to its worst class, also where the sender forgot to cut it out."""
    require_mergeable(shapes)
    found: list[Severity] = []
    for one, sent in zip(classes, shapes, strict=True):
        shape: shapely.Geometry = sent
        for worse in found:
            if shapely.relate_pattern(shape, worse.shape, "2********"):
                shape = shapely.difference(shape, worse.shape)
        where = f"hazard.classes[{one.rank - 1}]"
        if shapely.is_empty(shape):
            raise BadGeometry(f"{where} lies wholly in worse classes, so that nothing is left of it.", where=where)
        found.append(Severity(one.rank, one.code, one.label, checked(_polygonal(shape), where)))
    return tuple(found)


def _vertices(shapes: Iterable[shapely.Geometry]) -> int:
    return sum(int(shapely.get_num_coordinates(shape)) for shape in shapes)


def _polygonal(shape: shapely.Geometry) -> shapely.Geometry:
    return polygons(shape) if isinstance(shape, shapely.GeometryCollection) else shape


def _together(shapes: Sequence[PolygonGeometry]) -> PolygonGeometry:
    if len(shapes) == 1:
        return shapes[0]
    if not shapes:
        return shapely.MultiPolygon()
    joined = shapely.union_all(np.array(shapes, dtype=np.object_))
    return checked(_polygonal(joined), "zone")


def _looked_at(hazard: HazardZone | None) -> PolygonGeometry:
    """The box in which a method looked and found nothing."""
    if hazard is None or hazard.looked is None:
        raise BadGeometry("A zone has a class, or says under looked in which box nothing was found.", where="hazard")
    (west, east), (south, north) = _sides(hazard.looked[::2], MAX_LON), _sides(hazard.looked[1::2], MAX_LAT)
    return zone_from_bbox(Extent(west, south, east, north)).geometry


def _sides(pair: Sequence[float], most: float) -> tuple[float, float]:
    low, high = pair
    return (low, high) if low != high else (max(low - _HAIR, -most), min(high + _HAIR, most))


def _areas(classes: Sequence[Severity]) -> dict[str, float]:
    return {one.code: round(float(ellipsoidal_area(one.shape)), 4) for one in classes}


def _figure(severity: Severity, areas: dict[Bound, dict[str, float]]) -> ZoneClassFigure:
    bounds = {f"{name}_m2": areas[name].get(severity.code, 0.0) for name in ("low", "high") if name in areas}
    return ZoneClassFigure(
        rank=severity.rank,
        code=severity.code,
        label=severity.label,
        area_m2=areas["best"][severity.code],
        **bounds,
    )


def _told(hazard: HazardZone) -> dict[str, object]:
    method = {**hazard.method.model_dump(mode="json"), "parameters": hazard.parameters}
    return {
        "kind": hazard.kind,
        "screening": hazard.screening,
        "method": method,
        "inputs": tuple(one.model_dump(mode="json", exclude_none=True) for one in hazard.inputs),
    }
