"""Zones that are areas already: flood extents, results of models as polygons, what is drawn by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import shapely
from pydantic import BaseModel, ConfigDict, Field, model_validator

from geoservice.analysis.geojson import Budget, parse_zone
from geoservice.analysis.tangles import require_mergeable
from geoservice.hazards.grading import DEPTHS, Breaks, ascending, band_grade, bands_of_areas
from geoservice.hazards.method import (
    Box,
    Estimates,
    Feature,
    FeaturesWanted,
    Found,
    HazardMethod,
    Json,
    Parameters,
    Wanted,
)
from geoservice.hazards.shapes import Grade, Graded, box_around, merged, ranked
from layers.errors import BadBody, BadParameter, UnknownFeature
from layers.extent import Extent
from layers.hazard import ZoneClass
from layers.model import Text

FLOODS = "flood_extent"
MOST_FEATURES = 20_000
MOST_CLASSES = 50
_FLOODED = Grade("flooded", Text(zh="淹没，水深未知", en="Flooded, depth unknown"))
Ids = Annotated[tuple[str, ...], Field(min_length=1, max_length=2_000)]


class ModelClass(BaseModel):
    """A class of a model's result: the values that stand for it, its code and name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: Annotated[tuple[str | float, ...], Field(min_length=1, max_length=100)]
    code: str = Field(min_length=1, max_length=80)
    label: Text

    def names(self) -> frozenset[str]:
        """The values as they are compared: numbers in their shortest spelling."""
        return frozenset(spelling(value) for value in self.values)


class FloodParameters(Parameters):
    """Extents of the collection flood_extent, by ids or in a box; by their depth where they have one."""

    ids: Ids | None = None
    bbox: Box | None = None
    breaks: Breaks = DEPTHS
    depth_error: float = Field(default=0, ge=0, le=10, description="Metres by which depths may be wrong.")

    @model_validator(mode="after")
    def _require_source(self) -> FloodParameters:
        if self.ids is None and self.bbox is None:
            raise ValueError("extents are named by ids or lie in bbox")
        return self


class PolygonParameters(Parameters):
    """Polygons of a collection, or a GeoJSON FeatureCollection, with a field that says how bad it is there."""

    DOCUMENTS: ClassVar[tuple[str, ...]] = ("features",)

    kind: Literal["plume", "landslide", "flood", "fire", "other"] = "other"
    collection: str | None = Field(default=None, max_length=200)
    ids: Ids | None = None
    bbox: Box | None = None
    features: Json | None = Field(default=None, description="GeoJSON FeatureCollection of polygons (CRS84).")
    field: str = Field(min_length=1, max_length=80, description="Attribute with the class or the value.")
    classes: Annotated[tuple[ModelClass, ...], Field(max_length=MOST_CLASSES)] = Field(
        default=(), description="Classes by values of the field, the worst first."
    )
    breaks: Breaks | None = None
    unit: str = Field(default="1", max_length=40, description="Unit of the field, with breaks.")
    value_error: float = Field(default=0, ge=0, allow_inf_nan=False, description="By how much values may be wrong.")

    @model_validator(mode="after")
    def _require_source(self) -> PolygonParameters:
        if (self.collection is None) == (self.features is None):
            raise ValueError("polygons are given by collection or by features")
        if bool(self.classes) == (self.breaks is not None):
            raise ValueError("severity is given by classes or by breaks")
        if self.collection is not None and self.ids is None and self.bbox is None:
            raise ValueError("features of a collection are named by ids or lie in bbox")
        return self


class DrawnClass(BaseModel):
    """A drawn area with its code and name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(min_length=1, max_length=80)
    label: Text | None = None
    area: Json = Field(description="GeoJSON Polygon, MultiPolygon, or features of such (CRS84).")


class DrawnParameters(Parameters):
    """Areas drawn by hand, the worst first."""

    DOCUMENTS: ClassVar[tuple[str, ...]] = ()

    classes: Annotated[tuple[DrawnClass, ...], Field(min_length=1, max_length=MOST_CLASSES)]
    codes: str | None = Field(default=None, max_length=80, description="Code list of the codes: `name@edition`.")


@dataclass(frozen=True, slots=True)
class Area:
    """A feature that is an area: public id, geometry in degrees, visible attributes."""

    key: str
    geometry: shapely.Geometry
    attributes: Mapping[str, Any]


def spelling(value: object) -> str:
    """A value of a field as it is compared: 3, 3.0 and "3" are one."""
    try:
        return f"{float(str(value)):.15g}"
    except ValueError:
        return str(value)


def areas_of(features: Sequence[Feature]) -> list[Area]:
    """Those features that are areas, without the others."""
    return [
        Area(one.key, one.geometry, one.attributes)
        for one in features
        if isinstance(one.geometry, shapely.Polygon | shapely.MultiPolygon)
    ]


def require_found(told: Any, features: Sequence[Feature], collection: str) -> None:
    """Make sure that every feature that was named is there.

    Raises:
        UnknownFeature: When one is not, or not for the asker.
    """
    missing = sorted(set(told.ids or ()) - {one.key for one in features})
    if missing:
        raise UnknownFeature(f"There is no feature {missing[0][:80]!r} in {collection}.", collection=collection)


def _flood_wanted(told: FloodParameters, found: Found) -> Mapping[str, Wanted]:
    extent = None if told.bbox is None else Extent(*told.bbox)
    return {"extents": FeaturesWanted(FLOODS, ("depth", "observed"), ids=told.ids, extent=extent)}


def _flood_estimate(told: FloodParameters, found: Found) -> Estimates:
    features, breaks = found.features["extents"], ascending(told.breaks)
    require_found(told, features, FLOODS)
    areas = areas_of(features)
    known = [(one.geometry, float(d)) for one in areas if (d := one.attributes.get("depth")) is not None]
    rest = merged(one.geometry for one in areas if one.attributes.get("depth") is None)

    def at(shift: float) -> tuple[ZoneClass, ...]:
        deep = bands_of_areas(known, breaks, lambda a, b: band_grade("m", a, b), shift)
        return ranked([*deep, (_FLOODED, rest)])

    times = sorted(t for one in areas if (t := one.attributes.get("observed")) is not None)
    return Estimates(
        best=at(0.0),
        low=at(-told.depth_error) if told.depth_error else None,
        high=at(told.depth_error) if told.depth_error else None,
        nothing=Text(zh="那里没有淹没范围。", en="There is no flooded area there."),
        looked=box_around([one.geometry for one in areas]),
        start=times[0] if times else None,
        resolved={"features": len(areas)},
    )


def _model_wanted(told: PolygonParameters, found: Found) -> Mapping[str, Wanted]:
    if told.collection is None:
        return {}
    extent = None if told.bbox is None else Extent(*told.bbox)
    wanted = FeaturesWanted(told.collection, (told.field,), told.field, ids=told.ids, extent=extent)
    return {"polygons": wanted}


def _model_features(told: PolygonParameters, found: Found) -> list[Area]:
    if told.features is not None:
        return _inline(told.features, found.most_vertices)
    features = found.features["polygons"]
    require_found(told, features, told.collection or "")
    return areas_of(features)


def _inline(document: Json, most: int) -> list[Area]:
    members = document.get("features") if document.get("type") == "FeatureCollection" else None
    if not isinstance(members, list) or not all(isinstance(one, dict) for one in members):
        raise BadBody("features is a GeoJSON FeatureCollection.")
    if len(members) > MOST_FEATURES:
        raise BadBody(f"features has at most {MOST_FEATURES} features; this one has {len(members)}.")
    found, budget = list[Area](), Budget(most)
    for number, one in enumerate(members):
        area = parse_zone(one, budget)
        properties = one.get("properties")
        found.append(Area(str(number), area, properties if isinstance(properties, dict) else {}))
    require_mergeable([one.geometry for one in found])
    return found


def _model_estimate(told: PolygonParameters, found: Found) -> Estimates:
    features = _model_features(told, found)
    spread: dict[str, Any] = {}
    if told.breaks is None:
        best = ranked(_by_class(features, told))
    else:
        breaks, areas = ascending(told.breaks), _valued(features, told.field)
        low, best, high = (
            ranked(bands_of_areas(areas, breaks, lambda a, b: band_grade(told.unit, a, b), shift))
            for shift in (-told.value_error, 0.0, told.value_error)
        )
        spread = {"low": low, "high": high} if told.value_error else {}
    return Estimates(
        best=best,
        nothing=Text(zh="那里没有取值属于任一等级的面。", en="No polygon there has a value of one of the classes."),
        looked=box_around([one.geometry for one in features]),
        kind=told.kind,
        resolved={"features_used": len(features)},
        **spread,
    )


def _valued(features: Sequence[Area], name: str) -> list[tuple[shapely.Geometry, float]]:
    found = list[tuple[shapely.Geometry, float]]()
    for one in features:
        value = one.attributes.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadParameter(f"{name} is not a number in all features; give classes, not breaks.", parameter="field")
        found.append((one.geometry, float(value)))
    return found


def _by_class(features: Sequence[Area], told: PolygonParameters) -> Graded:
    return [
        (
            Grade(one.code, one.label),
            merged(f.geometry for f in features if spelling(f.attributes.get(told.field)) in one.names()),
        )
        for one in told.classes
    ]


def _drawn_estimate(told: DrawnParameters, found: Found) -> Estimates:
    budget, graded = Budget(found.most_vertices), list[tuple[Grade, shapely.Geometry]]()
    for one in told.classes:
        area = parse_zone(one.area, budget)
        graded.append((Grade(one.code, one.label or Text(zh=one.code, en=one.code)), area))
    require_mergeable([area for _, area in graded])
    nothing = Text(zh="所绘区域小于一厘米。", en="The drawn areas are smaller than a centimetre.")
    return Estimates(best=ranked(graded), nothing=nothing, codes=told.codes)


def _nothing_wanted(told: Parameters, found: Found) -> Mapping[str, Wanted]:
    return {}


FLOOD = HazardMethod(
    id="flood-extent",
    version="1",
    kind="flood",
    title=Text(zh="洪水淹没范围", en="Flood extents"),
    abstract=Text(
        zh="观测或预报的淹没范围，按水深分级；无水深者自成一级。",
        en="Observed or forecast extents, by depth; those without a depth are a class of their own, the last.",
    ),
    source="The extents themselves; depths by declared breaks.",
    uncertainty=Text(zh="水深各减、加所声明的误差。", en="Depths less and more by depth_error; none when it is 0."),
    parameters=FloodParameters,
    wanted=_flood_wanted,
    estimate=_flood_estimate,
)
POLYGONS = HazardMethod(
    id="model-polygons",
    version="1",
    kind="other",
    title=Text(zh="模型结果（面）", en="Result of a model as polygons"),
    abstract=Text(
        zh="导入的专业模型结果，如扩散羽、滑坡分区：由字段的取值或分级断点定级。",
        en="Imported results of real models, such as plumes and landslide classes, by a field's values or breaks.",
    ),
    source="The result itself.",
    uncertainty=Text(zh="数值各减、加所声明的误差。", en="Values less and more by value_error; none with classes."),
    parameters=PolygonParameters,
    wanted=_model_wanted,
    estimate=_model_estimate,
)
DRAWN = HazardMethod(
    id="drawn",
    version="1",
    kind="drawn",
    title=Text(zh="手绘区域", en="Drawn by hand"),
    abstract=Text(zh="手绘的一个或多个分级区域。", en="One or more areas that somebody drew, the worst first."),
    source="Drawn.",
    uncertainty=Text(zh="无。", en="None is said."),
    parameters=DrawnParameters,
    wanted=_nothing_wanted,
    estimate=_drawn_estimate,
)
