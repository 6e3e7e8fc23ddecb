"""Words that spatial queries share: a collection, a point, an instant, attributes; and their answer as JSON."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import numpy as np
from fastapi import Query, Request
from starlette.responses import Response

from geoservice.http.encoding import encoded
from geoservice.http.negotiation import JSON
from geoservice.queries.coordinates import outside_world, parse_input_crs, to_storage
from geoservice.queries.wish import Narrowing
from layers.errors import BadParameter

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

    def narrowing(self) -> Narrowing:
        """The same for the domain."""
        return Narrowing(self.properties, self.filter, self.filter_lang, self.as_of)


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
