"""Rings of distance around anything: a drawn geometry, a named area, features of a collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import shapely
from pydantic import Field, model_validator

from geoservice.hazards.method import (
    Box,
    Estimates,
    FeaturesWanted,
    Found,
    HazardMethod,
    Json,
    Parameters,
    PlaceWanted,
    Wanted,
)
from geoservice.hazards.shapes import Grade, Graded, merged, ranked
from geoservice.queries.ring import buffered
from layers.errors import TooLarge, UnknownFeature
from layers.extent import Extent
from layers.hazard import Band, ZoneClass
from layers.model import Text

MOST_FEATURES = 2_000
MOST_RINGS = 10
Metres = Annotated[float, Field(gt=0, le=2_000_000, allow_inf_nan=False)]
Factor = Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False)]


class RingParameters(Parameters):
    """Rings around a place (`place`, or one drawn as `geometry`) or around features of a collection."""

    geometry: Json | None = Field(default=None, description="GeoJSON geometry of any kind (CRS84).")
    place: Json | None = Field(default=None, description="An area by its name, as in a zone analysis.")
    collection: str | None = Field(default=None, max_length=200, description="Features around which rings lie.")
    ids: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_FEATURES)] | None = None
    bbox: Box | None = None
    radii: Annotated[tuple[Metres, ...], Field(min_length=1, max_length=MOST_RINGS)]
    by: str | None = Field(default=None, max_length=80, description="Attribute by which radii differ.")
    factors: Mapping[str, Factor] = Field(
        default_factory=dict, max_length=100, description="Values of that attribute with what radii are multiplied by."
    )
    position_error: float = Field(default=0, ge=0, le=100_000, description="Metres by which places may be wrong.")

    @model_validator(mode="after")
    def _require_source(self) -> RingParameters:
        if sum(one is not None for one in (self.geometry, self.place, self.collection)) != 1:
            raise ValueError("rings lie around exactly one of geometry, place or collection")
        if self.collection is None and (self.ids is not None or self.bbox is not None or self.by is not None):
            raise ValueError("ids, bbox and by go with collection")
        if self.collection is not None and self.ids is None and self.bbox is None:
            raise ValueError("features of a collection are named by ids or lie in bbox")
        return self


def _wanted(told: RingParameters, found: Found) -> Mapping[str, Wanted]:
    if told.collection is not None:
        extent = None if told.bbox is None else Extent(*told.bbox)
        read = () if told.by is None else (told.by,)
        return {"features": FeaturesWanted(told.collection, read, told.by, ids=told.ids, extent=extent)}
    return {"place": PlaceWanted({"geometry": told.geometry} if told.place is None else told.place)}


def _sources(told: RingParameters, found: Found) -> list[tuple[shapely.Geometry, float]]:
    """Geometries around which rings lie, and what radii are multiplied by."""
    if told.collection is None:
        return [(found.places["place"], 1.0)]
    features = found.features["features"]
    if told.ids is not None and (missing := sorted(set(told.ids) - {one.key for one in features})):
        raise UnknownFeature(
            f"There is no feature {missing[0][:80]!r} in {told.collection}.", collection=told.collection
        )
    if len(features) > MOST_FEATURES:
        raise TooLarge(f"Rings lie around at most {MOST_FEATURES} features; give a smaller bbox.", limit=MOST_FEATURES)
    return [
        (one.geometry, told.factors.get(str(one.attributes.get(told.by or "")), 1.0))
        for one in features
        if one.geometry is not None and not shapely.is_empty(one.geometry)
    ]


def _rings(sources: list[tuple[shapely.Geometry, float]], radii: list[float], error: float) -> tuple[ZoneClass, ...]:
    graded: list[tuple[Grade, shapely.Geometry]] = []
    for inner, outer in zip([None, *radii], radii, strict=False):
        areas = [buffered(shape, far) for shape, factor in sources if (far := outer * factor + error) > 0]
        graded.append((_grade(inner, outer), merged(areas)))
    made: Graded = graded
    return ranked(made)


def _grade(inner: float | None, outer: float) -> Grade:
    begin = inner or 0.0
    band = Band(unit="m", at_least=begin, below=outer)
    return Grade(f"{outer:g}m", Text(zh=f"{begin:g}至{outer:g}米", en=f"{begin:g} to {outer:g} m"), band)


def _estimate(told: RingParameters, found: Found) -> Estimates:
    sources, radii, error = _sources(told, found), sorted(set(told.radii)), told.position_error
    best = _rings(sources, radii, 0.0)
    spread: dict[str, Any] = (
        {"low": _rings(sources, radii, -error), "high": _rings(sources, radii, error)} if error else {}
    )
    nothing = Text(zh="那里没有可作缓冲区的要素。", en="There is no feature to lay rings around.")
    return Estimates(best=best, nothing=nothing, resolved={"features": len(sources)}, **spread)


RINGS = HazardMethod(
    id="buffer",
    version="1",
    kind="buffer",
    title=Text(zh="缓冲区", en="Rings of distance"),
    abstract=Text(
        zh="要素或范围周围一圈或多圈的缓冲区，可按属性放大半径，如重大危险源分级。",
        en="Rings around features or areas; radii may differ by an attribute, such as the grade of a hazard source.",
    ),
    source="Geodesic distances on the CGCS2000 ellipsoid; lines and areas within one in a thousand.",
    uncertainty=Text(
        zh="半径各减、加位置误差；未声明时无。", en="Radii less and more by position_error; none when it is 0."
    ),
    parameters=RingParameters,
    wanted=_wanted,
    estimate=_estimate,
)
