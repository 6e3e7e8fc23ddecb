"""The zone of an impact question: its severity classes as polygons, at the best estimate and at its bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from geoservice.analysis.cells import polygons
from geoservice.analysis.geojson import PolygonGeometry, checked, parse_zone
from geoservice.analysis.place import Box, Place
from layers.answer import Zone
from layers.area import ellipsoidal_area
from layers.errors import BadGeometry, TooLarge
from layers.hazard import Bound, HazardZone, ZoneClass
from layers.impact import ImpactZone, ZoneClassFigure
from layers.model import Text

ONE_CLASS = "zone"
_ONE = Text(zh="范围", en="zone")


@dataclass(frozen=True)
class Severity:
    """A severity class: rank (1 is the worst), code, name, polygon in longitude and latitude."""

    rank: int
    code: str
    label: Text
    shape: PolygonGeometry


@dataclass(frozen=True)
class Zoned:
    """A zone with its classes; `low` and `high` are None where the method does not say how uncertain it is."""

    origin: str
    label: Text | None
    best: tuple[Severity, ...]
    low: tuple[Severity, ...] | None = None
    high: tuple[Severity, ...] | None = None
    hazard: HazardZone | None = None

    @property
    def bounds(self) -> dict[Bound, tuple[Severity, ...]]:
        """The estimates that there are."""
        made: dict[Bound, tuple[Severity, ...]] = {"best": self.best}
        if self.low is not None:
            made["low"] = self.low
        if self.high is not None:
            made["high"] = self.high
        return made

    def place(self) -> Place:
        """Everything that any estimate covers, as a place: what has to be read."""
        shapes = [severity.shape for classes in self.bounds.values() for severity in classes]
        return Place(_together(shapes), self.origin, self.label)

    def boxes(self) -> tuple[Box, ...]:
        """Boxes around all estimates, for the index."""
        return self.place().boxes()

    def whole(self, bound: Bound = "best") -> PolygonGeometry:
        """An estimate as one polygon, all classes together."""
        return _together([severity.shape for severity in self.bounds[bound]])

    def exceeds(self, square_metres: float) -> bool:
        """Whether all estimates together are larger than an area; boxes that are smaller answer without measuring."""
        place = self.place()
        rough = sum(float(ellipsoidal_area(shapely.box(*box))) for box in place.boxes())
        return rough > square_metres and float(ellipsoidal_area(place.geometry)) > square_metres

    def described(self) -> ImpactZone:
        """The zone for an answer."""
        areas = {name: _areas(classes) for name, classes in self.bounds.items()}
        place: Zone = Place(self.whole(), self.origin, self.label).described()
        hazard = self.hazard
        told = {} if hazard is None else _told(hazard)
        return ImpactZone(
            origin=self.origin,
            label=self.label,
            bbox=place.bbox,
            area_m2=round(sum(areas["best"].values()), 4),
            classes=tuple(_figure(severity, areas) for severity in self.best),
            **{"kind": "area", **told},
        )


def zoned_place(place: Place) -> Zoned:
    """The zone of an area: one class."""
    return Zoned(place.origin, place.label, (Severity(1, ONE_CLASS, place.label or _ONE, place.geometry),))


def zoned_hazard(hazard: HazardZone, most_vertices: int) -> Zoned:
    """The zone of a hazard. GEOS works on its geometries: call it in a thread.

    Raises:
        BadGeometry: When a class is no proper area, or nothing of it is left beside the worse ones.
        TooLarge: When all classes together have too many vertices.
    """
    made = {name: _severities(hazard.bound(name), most_vertices) for name in ("best", "low", "high")}
    count = sum(int(shapely.get_num_coordinates(one.shape)) for classes in made.values() for one in classes)
    if count > 3 * most_vertices:
        raise TooLarge(f"The classes of the zone have {count} vertices together.", limit=most_vertices)
    return Zoned(
        origin=f"hazard:{hazard.kind}",
        label=hazard.label,
        best=made["best"],
        low=made["low"] if hazard.low is not None else None,
        high=made["high"] if hazard.high is not None else None,
        hazard=hazard,
    )


def _severities(classes: Sequence[ZoneClass], most_vertices: int) -> tuple[Severity, ...]:
    """Classes as polygons; a place belongs to its worst class, also where the sender forgot to cut it out."""
    found: list[Severity] = []
    for one in classes:
        shape: shapely.Geometry = parse_zone(one.geometry, most_vertices)
        for worse in found:
            if shapely.relate_pattern(shape, worse.shape, "2********"):
                shape = shapely.difference(shape, worse.shape)
        where = f"hazard.classes[{one.rank - 1}]"
        if shapely.is_empty(shape):
            raise BadGeometry(f"{where} lies wholly in worse classes, so that nothing is left of it.", where=where)
        found.append(Severity(one.rank, one.code, one.label, checked(_polygonal(shape), where)))
    return tuple(found)


def _polygonal(shape: shapely.Geometry) -> shapely.Geometry:
    return polygons(shape) if isinstance(shape, shapely.GeometryCollection) else shape


def _together(shapes: Sequence[PolygonGeometry]) -> PolygonGeometry:
    if len(shapes) == 1:
        return shapes[0]
    joined = shapely.union_all(np.array(shapes, dtype=np.object_))
    return checked(_polygonal(joined), "zone")


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
        "status": hazard.status,
        "screening": hazard.screening,
        "method": method,
        "inputs": tuple(one.model_dump(mode="json", exclude_none=True) for one in hazard.inputs),
    }
