"""Answers as CoverageJSON (OGC 21-069r2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from covjson_pydantic.coverage import Coverage, CoverageCollection
from covjson_pydantic.domain import Axes, Domain, DomainType, ValuesAxis
from covjson_pydantic.ndarray import NdArrayFloat, NdArrayInt, NdArrayStr, TiledNdArray
from covjson_pydantic.observed_property import Category as ClassMember
from covjson_pydantic.observed_property import ObservedProperty
from covjson_pydantic.parameter import Parameter as Measured
from covjson_pydantic.parameter import Parameters
from covjson_pydantic.reference_system import ReferenceSystem, ReferenceSystemConnectionObject
from covjson_pydantic.unit import Symbol, Unit
from pydantic import AnyUrl, AwareDatetime

from geoservice.edr.model import Answer, Floats, Parameter, Part
from layers.model import Text
from layers.offered import OfferedCrs

MEDIA = "application/prs.coverage+json"
_UCUM = "http://www.opengis.net/def/uom/UCUM/"


def coverage_json(answer: Answer, crs: OfferedCrs) -> str:
    """An answer as text: one coverage, or a collection of as many as there are stations or points.

    Args:
        answer: What was found.
        crs: The system that coordinates are said to be in; x is the longitude in all of them.
    """
    coverages = [_coverage(part, crs, alone=answer.single) for part in answer.parts]
    if answer.single:
        return coverages[0].model_dump_json(exclude_none=True)
    parameters = {name: one for part in answer.parts for name, one in part.parameters.items()}
    domains = {part.domain for part in answer.parts}
    collection = CoverageCollection(
        domainType=DomainType(next(iter(domains))) if len(domains) == 1 else None,
        coverages=coverages,
        parameters=Parameters({name: measured(one) for name, one in parameters.items()}),
        referencing=_referencing(crs, timed=any(part.t for part in answer.parts)),
    )
    return collection.model_dump_json(exclude_none=True)


def measured(one: Parameter) -> Measured:
    """A parameter as CoverageJSON describes it; one with classes has no unit."""
    label = _both(one.label)
    categories = [ClassMember(id=each.id, label=_both(each.label)) for each in one.categories] or None
    unit = Unit(label=_named(one), symbol=Symbol(value=one.unit, type=_UCUM)) if one.unit is not None else None
    return Measured(
        observedProperty=ObservedProperty(id=one.observed, label=label, categories=categories),
        unit=None if categories else unit,
        categoryEncoding={each.id: each.value for each in one.categories} or None,
    )


def _coverage(part: Part, crs: OfferedCrs, *, alone: bool) -> Coverage:
    names, shape = _shape(part)
    ranges: dict[str, NdArrayFloat | NdArrayInt | NdArrayStr | TiledNdArray | AnyUrl] = {
        name: NdArrayFloat(axisNames=names, shape=shape, values=_plain(values)) for name, values in part.values.items()
    }
    more: dict[str, Any] = {} if part.label is None else {"geoservice:station": {"id": part.id, "name": part.label}}
    if part.along is not None:
        more["geoservice:alongMetres"] = part.along
    # Parameters of stations differ in their units, so that each coverage says its own.
    return Coverage(
        id=part.id,
        domain=Domain(
            domainType=DomainType(part.domain),
            axes=_axes(part),
            referencing=_referencing(crs, timed=bool(part.t)) if alone else None,
        ),
        parameters=Parameters({name: measured(one) for name, one in part.parameters.items()}),
        ranges=ranges,
        **more,
    )


def _axes(part: Part) -> Axes:
    times = ValuesAxis[AwareDatetime](values=list(part.t)) if part.t else None
    if part.domain == "MultiPoint":
        return Axes(composite=_tuples(list(zip(part.x.tolist(), part.y.tolist(), strict=True)), ["x", "y"]))
    if part.domain == "Trajectory":
        stamps = [time.isoformat().replace("+00:00", "Z") for time in part.t]
        places = list(zip(stamps, part.x.tolist(), part.y.tolist(), strict=True))
        return Axes(composite=_tuples(places, ["t", "x", "y"]))
    return Axes(x=ValuesAxis(values=part.x.tolist()), y=ValuesAxis(values=part.y.tolist()), t=times)


def _tuples(values: Sequence[tuple[Any, ...]], names: list[str]) -> ValuesAxis[tuple[Any, ...]]:
    return ValuesAxis[tuple[Any, ...]](dataType="tuple", coordinates=names, values=list(values))


def _shape(part: Part) -> tuple[list[str], list[int]]:
    if part.domain == "PointSeries":
        return ["t", "y", "x"], [len(part.t), 1, 1]
    if part.domain == "Grid":
        return ["y", "x"], [len(part.y), len(part.x)]
    if part.domain == "Point":
        return ["y", "x"], [1, 1]
    return ["composite"], [len(part.x)]


def _plain(values: Floats) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]


def _referencing(crs: OfferedCrs, *, timed: bool) -> list[ReferenceSystemConnectionObject]:
    order = ["y", "x"] if crs.swapped else ["x", "y"]
    places = ReferenceSystem(type="GeographicCRS", id=crs.uri)
    found = [ReferenceSystemConnectionObject(coordinates=order, system=places)]
    if timed:
        times = ReferenceSystem(type="TemporalRS", calendar="Gregorian")
        found.append(ReferenceSystemConnectionObject(coordinates=["t"], system=times))
    return found


def _both(text: Text) -> dict[str, str]:
    return {"en": text.en, "zh": text.zh}


def _named(one: Parameter) -> dict[str, str]:
    return {"en": one.unit_label or one.unit or ""}
