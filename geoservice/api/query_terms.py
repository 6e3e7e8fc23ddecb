"""Words that spatial queries share: a collection, a point, an instant, attributes; and their answer as JSON."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import numpy as np
from fastapi import Query, Request
from starlette.responses import Response

from geoservice.db.pools import RawConnection
from geoservice.features.past import instant_asked
from geoservice.house import House
from geoservice.http.encoding import encoded
from geoservice.http.negotiation import JSON
from geoservice.queries.coordinates import outside_world, parse_input_crs, to_storage
from geoservice.queries.holders import Holders
from layers.access import Decision, Principal
from layers.errors import BadParameter
from layers.filter import parse_filter, queryables_of
from layers.model import VectorLayer

Collection: TypeAlias = Annotated[str, Query(description="Id of the collection.")]
Lon: TypeAlias = Annotated[float, Query(description="Longitude in degrees, or x in `crs`.", allow_inf_nan=False)]
Lat: TypeAlias = Annotated[float, Query(description="Latitude in degrees, or y in `crs`.", allow_inf_nan=False)]
AsOf: TypeAlias = Annotated[
    str | None, Query(alias="as-of", description="RFC 3339 instant: features as they were then.")
]


@dataclass(frozen=True)
class PointQuery:
    """Query parameters that say where a point lies."""

    lon: Lon
    lat: Lat
    crs: Annotated[str | None, Query(description="CRS of the coordinates, x before y; CRS84 when absent.")] = None

    def degrees(self) -> tuple[float, float]:
        """Longitude and latitude in degrees; raises as `point_of` does."""
        return point_of(self.lon, self.lat, self.crs)


@dataclass(frozen=True)
class FilterQuery:
    """Query parameters that narrow a collection."""

    properties: Annotated[
        str | None, Query(description="Attributes of the answer, separated by commas; all visible ones when absent.")
    ] = None
    filter: Annotated[str | None, Query(description="CQL2 filter on the features of the collection.")] = None
    filter_lang: Annotated[
        str, Query(alias="filter-lang", description="Language of the filter: `cql2-text` or `cql2-json`.")
    ] = "cql2-text"
    as_of: AsOf = None


async def holders_of(connection: RawConnection, layer: VectorLayer, decision: Decision, asked: FilterQuery) -> Holders:
    """The features of a collection that a request narrows down to.

    Raises:
        BadParameter: When an attribute or the instant is none.
        BadFilter: When the filter is not sound.
    """
    attributes = named_attributes(decision, asked.properties)
    chosen = parse_filter(asked.filter, asked.filter_lang, None, queryables_of(layer, decision))
    written = None if chosen is None else f"{asked.filter_lang} {asked.filter}"
    instant = await instant_asked(connection, layer, asked.as_of, None)
    return Holders(layer, decision, attributes, written, chosen, instant)


def vector_of(house: House, asker: Principal, name: str) -> tuple[VectorLayer, Decision]:
    """A collection of features with geometries.

    Raises:
        UnknownLayer: When there is none that the asker may see.
        BadParameter: When it has no geometries.
    """
    layer, decision = house.open_layer(asker, name)
    if not isinstance(layer, VectorLayer):
        raise BadParameter(f"Collection {layer.name} has no geometries of features.", parameter="collection")
    return layer, decision


def polygons_of(house: House, asker: Principal, name: str) -> tuple[VectorLayer, Decision]:
    """A collection of polygons.

    Raises:
        UnknownLayer: When there is none that the asker may see.
        BadParameter: When its features are no areas.
    """
    layer, decision = vector_of(house, asker, name)
    if layer.geometry not in ("polygon", "any"):
        raise BadParameter(f"Only polygons hold points; {layer.name} has {layer.geometry}s.", parameter="collection")
    return layer, decision


def named_attributes(decision: Decision, text: str | None) -> tuple[str, ...]:
    """The attributes that a request names, in its order; all visible ones when it names none.

    Raises:
        BadParameter: When one is none that the asker may see; it names those there are.
    """
    if text is None:
        return decision.attributes
    names = tuple(dict.fromkeys(name for name in text.split(",") if name))
    stranger = next((name for name in names if name not in decision.attributes), None)
    if stranger is not None:
        known = ", ".join(decision.attributes)
        raise BadParameter(f"There is no attribute {stranger[:60]!r}; there are {known}.", parameter="properties")
    return names


def point_of(x: float, y: float, crs: str | None) -> tuple[float, float]:
    """Longitude and latitude in degrees of a point that a request gives.

    Raises:
        CrsRefused: When the CRS is none of the list.
        BadParameter: When the point lies outside the world.
    """
    lon, lat = to_storage(np.array([x]), np.array([y]), parse_input_crs(crs))
    if outside_world(lon, lat)[0]:
        raise BadParameter(
            "The point lies outside the world: longitudes lie in [-180, 180] and latitudes in [-90, 90].",
            parameter="lon",
        )
    return float(lon[0]), float(lat[0])


def json_answer(request: Request, body: dict[str, Any]) -> Response:
    """An answer that is made for one asker and kept by nobody."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return encoded(request, text.encode(), JSON, {"Cache-Control": "private, no-store"})


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, dt.date | dt.datetime) else str(value)
