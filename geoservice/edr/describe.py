"""What a collection can be asked, in the words of OGC API EDR (19-086r6, 8.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edr_pydantic.data_queries import DataQueries, EDRQuery
from edr_pydantic.link import EDRQueryLink
from edr_pydantic.observed_property import Category as ClassMember
from edr_pydantic.observed_property import ObservedProperty
from edr_pydantic.parameter import Parameter as Measured
from edr_pydantic.parameter import Parameters
from edr_pydantic.unit import Symbol, Unit
from edr_pydantic.variables import CorridorVariables, CubeVariables, RadiusVariables, Variables

from geoservice.edr.coords import METRES
from geoservice.edr.model import Known, Parameter
from layers.crs import CRS84_URI
from layers.offered import OfferedCrs, offered

FORMATS = {"CoverageJSON": "application/prs.coverage+json", "GeoJSON": "application/geo+json", "CSV": "text/csv"}
_UCUM = "http://www.opengis.net/def/uom/UCUM/"
_PLACES_ONLY = ("GeoJSON",)


def degrees() -> tuple[OfferedCrs, ...]:
    """The systems in which places are given and answers made: those of longitude and latitude."""
    return tuple(crs for crs in offered() if not crs.projected)


def described(known: Known, address: Callable[[str], str], language: str) -> dict[str, Any]:
    """The members that tell what a collection can be asked.

    Args:
        known: What there is.
        address: Address of a kind of question.
        language: `zh` or `en`.
    """
    queries = {kind: EDRQuery(link=_link(kind, address(kind))) for kind in known.queries}
    return {
        "data_queries": DataQueries(**queries).model_dump(mode="json", exclude_none=True, by_alias=True),
        "parameter_names": measured(known.parameters, language),
        "output_formats": list(FORMATS),
        "crs": [crs.uri for crs in degrees()],
        "distanceunits": list(METRES),
    }


def measured(parameters: Mapping[str, Parameter], language: str) -> dict[str, Any]:
    """What is measured, by name, as `parameter_names` of collections and `parameters` of features tell it."""
    found = Parameters({name: _measured(one, language) for name, one in parameters.items()})
    told: dict[str, Any] = found.model_dump(mode="json", exclude_none=True, by_alias=True)
    return told


def _link(kind: str, href: str) -> EDRQueryLink:
    formats = list(_PLACES_ONLY if kind in ("locations", "items") else FORMATS)
    plain: dict[str, Any] = {
        "query_type": kind,
        "output_formats": formats,
        "default_output_format": formats[0],
        "crs_details": [{"crs": CRS84_URI, "wkt": _CRS84_WKT}],
    }
    variables: Variables = Variables(**plain)
    if kind == "radius":
        variables = RadiusVariables(**plain, within_units=list(METRES))
    elif kind == "cube":
        variables = CubeVariables(**plain, height_units=[])
    elif kind == "corridor":
        variables = CorridorVariables(**plain, width_units=list(METRES), within_units=list(METRES), height_units=[])
    media = FORMATS[formats[0]]
    return EDRQueryLink(href=href, rel="data", type=media, title=kind, templated=False, variables=variables)


def _measured(one: Parameter, language: str) -> Measured:
    label = one.label.of(language)
    categories = [ClassMember(id=each.id, label=each.label.of(language)) for each in one.categories] or None
    symbol = Symbol(value=one.unit, type=_UCUM) if one.unit is not None else None
    return Measured(
        id=one.name,
        label=label,
        observedProperty=ObservedProperty(id=one.observed, label=label, categories=categories),
        unit=Unit(label=one.unit_label or one.unit, symbol=symbol) if symbol and not categories else None,
        dataType="integer" if categories else "float",
    )


_CRS84_WKT = (
    'GEOGCRS["WGS 84 (CRS84)",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563]],'
    'CS[ellipsoidal,2],AXIS["geodetic longitude (Lon)",east],AXIS["geodetic latitude (Lat)",north],'
    'UNIT["degree",0.0174532925199433],ID["OGC","CRS84"]]'
)
