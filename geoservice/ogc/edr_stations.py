"""The collection of all stations (OGC API EDR): what it has, its locations, and the data of one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.edr.describe import described
from geoservice.edr.model import Known
from geoservice.edr.statements import Stream
from geoservice.edr.stations import Stations
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document, language_of
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import DOCUMENT, GEOJSON, JSON, negotiate
from geoservice.http.parameters import parse_limit, together
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.common import Format, Language
from geoservice.ogc.edr import OBSERVATIONS, DataQuery, format_of, written
from layers.access import Principal
from layers.crs import CRS84_URI
from layers.errors import UnknownLayer
from layers.extent import parse_bbox
from layers.interval import Interval

router = APIRouter(tags=["environmental data"])
PATH = f"/collections/{OBSERVATIONS}"
_TITLES = {"zh": "环境监测数据", "en": "Environmental observations"}
_ABOUT = {
    "zh": "各监测站的时间序列：空气、水、土壤、噪声、雨量、水位等。",
    "en": "Series of stations: air, water, soil, noise, rain, levels and others, in the units of their datastreams.",
}
_NEVER = "../.."
"""Span of a station without readings; the schema of EDR wants a text."""
FEW_ITEMS, MOST_ITEMS = 1_000, 10_000
EDR = "http://www.opengis.net/spec/ogcapi-edr-1"
CONFORMANCE = (
    f"{EDR}/1.0/conf/core",
    f"{EDR}/1.0/conf/collections",
    *(
        f"{EDR}/1.1/conf/{name}"
        for name in ("core", "collections", "queries", "json", "geojson", "edr-geojson", "covjson", "oas30")
    ),
)
_POINTS = {"GeoJSON": GEOJSON, "json": GEOJSON, "geojson": GEOJSON}
_GREGORIAN = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"


@dataclass(frozen=True)
class LocationsQuery:
    """Which locations are listed."""

    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees (CRS84).")] = None
    datetime: Annotated[str | None, Query(description="RFC 3339 instant or interval: those with data then.")] = None
    parameter_name: Annotated[
        str | None, Query(alias="parameter-name", description="Those that have one of these parameters.")
    ] = None


@router.get(PATH, summary="The collection of all stations")
async def collection(
    request: Request, house: Inside, asker: Asker, f: Format = None, lang: Language = None
) -> Response:
    """Parameters with units, where and when there is data, and the kinds of questions."""
    form = negotiate(request, f, DOCUMENT)
    body = await described_stations(request, house, asker, language_of(request, lang))
    if body is None:
        raise UnknownLayer(f"There is no collection {OBSERVATIONS!r} that you may see.")
    body["links"] = self_links(request, PATH, form, DOCUMENT) + body["links"][1:]
    return document(request, "collection", body, form, lang, headers={"Cache-Control": "private, no-cache"})


@dataclass(frozen=True)
class ItemsQuery(LocationsQuery):
    """Which items are listed."""

    limit: Annotated[str | None, Query(description=f"Most items, 1 to {MOST_ITEMS}; large values are clamped.")] = None
    after: Annotated[str | None, Query(description="Begin after the item of this id.")] = None


@router.get(f"{PATH}/locations", summary="Stations")
async def locations(
    request: Request,
    house: Inside,
    asker: Asker,
    asked: Annotated[LocationsQuery, together(LocationsQuery)],
    f: Format = None,
    lang: Language = None,
) -> Response:
    """The stations as GeoJSON points, with their parameters and the time from and to which they have readings."""
    form = negotiate(request, f, _POINTS)
    features = [_feature(request, group) for group in await _groups(house, asker, asked)]
    links = [link(url(request, f"{PATH}/locations"), "self", GEOJSON), link(url(request, PATH), "collection", JSON)]
    body = {"type": "FeatureCollection", "numberReturned": len(features), "features": features, "links": links}
    return document(request, "locations", body, form, lang, GEOJSON, {"Cache-Control": "private, no-cache"})


@router.get(f"{PATH}/items", summary="Stations, page by page")
async def items(
    request: Request,
    house: Inside,
    asker: Asker,
    asked: Annotated[ItemsQuery, together(ItemsQuery)],
    f: Format = None,
    lang: Language = None,
) -> Response:
    """The same points as at locations in the order of their ids; a link leads on to the next ones."""
    form = negotiate(request, f, _POINTS)
    limit = parse_limit(asked.limit, FEW_ITEMS, MOST_ITEMS)
    groups = await _groups(house, asker, asked)
    left = sorted(groups, key=lambda group: group[0].station)
    if asked.after is not None:
        left = [group for group in left if group[0].station > asked.after]
    page = left[:limit]
    given = {name: value for name, value in request.query_params.items() if name != "after"}
    links = [
        link(url(request, f"{PATH}/items", **dict(request.query_params)), "self", GEOJSON),
        link(url(request, PATH), "collection", JSON),
    ]
    if len(left) > limit:
        links.append(link(url(request, f"{PATH}/items", **given, after=page[-1][0].station), "next", GEOJSON))
    body = {
        "type": "FeatureCollection",
        "timeStamp": _written(dt.datetime.now(dt.UTC)),
        "numberMatched": len(groups),
        "numberReturned": len(page),
        "features": [_feature(request, group) for group in page],
        "links": links,
    }
    return document(request, "locations", body, form, lang, GEOJSON, {"Cache-Control": "private, no-cache"})


async def _groups(house: House, asker: Principal, asked: LocationsQuery) -> list[list[Stream]]:
    """The datastreams that are meant, station by station."""
    query = DataQuery(parameter_name=asked.parameter_name, datetime=asked.datetime).wanted()
    boxes = parse_bbox(asked.bbox).boxes() if asked.bbox is not None else [(-180.0, -90.0, 180.0, 90.0)]
    async with house.pools.connection(asker.clearance) as connection:
        found = await Stations(connection, asker.clearance).streams(boxes)
    stations = dict[str, list[Stream]]()
    for one in found:
        if _meant(one, query.names, query.interval):
            stations.setdefault(one.station, []).append(one)
    return list(stations.values())


@router.get(f"{PATH}/locations/{{location_id:path}}", summary="Data of a station", response_class=Response)
async def location(
    request: Request,
    house: Inside,
    asker: Asker,
    location_id: str,
    query: Annotated[DataQuery, together(DataQuery)],
) -> Response:
    """The readings of a station, or their means."""
    form = format_of(request, query.f)
    async with house.pools.connection(asker.clearance) as connection:
        found = await Stations(connection, asker.clearance).station(location_id, query.wanted())
    return await written(request, found, form, query.system())


@router.get(f"{PATH}/items/{{location_id:path}}", summary="Data of a station, as an item", response_class=Response)
async def item(
    request: Request,
    house: Inside,
    asker: Asker,
    location_id: str,
    query: Annotated[DataQuery, together(DataQuery)],
) -> Response:
    """The same as at locations: an item has the id of its station."""
    return await location(request, house, asker, location_id, query)


async def described_stations(request: Request, house: House, asker: Principal, language: str) -> dict[str, Any] | None:
    """The collection object; None when there is no station that the principal may see."""
    async with house.pools.connection(asker.clearance) as connection:
        known = await Stations(connection, asker.clearance).known()
    if known is None:
        return None
    return {
        "id": OBSERVATIONS,
        "title": _TITLES[language],
        "titles": _TITLES,
        "description": _ABOUT[language],
        "extent": _extent(known),
        "links": [link(url(request, PATH), "self", JSON), link(url(request, f"{PATH}/locations"), "data", GEOJSON)],
        **described(known, lambda kind: url(request, f"{PATH}/{kind}"), language),
    }


def _extent(known: Known) -> Mapping[str, Any]:
    extent: dict[str, Any] = {"spatial": {"bbox": [list(known.box or ())], "crs": CRS84_URI}}
    if known.begins is not None:
        span = [None if one is None else one.isoformat().replace("+00:00", "Z") for one in (known.begins, known.ends)]
        extent["temporal"] = {"interval": [span], "trs": _GREGORIAN}
    return extent


def _meant(one: Stream, names: tuple[str, ...] | None, interval: Interval | None) -> bool:
    if names is not None and one.property not in names:
        return False
    if interval is None:
        return True
    if one.begins is None or one.ends is None:
        return False
    return (interval.start is None or one.ends >= interval.start) and (
        interval.end is None or one.begins < interval.end
    )


def _feature(request: Request, group: list[Stream]) -> dict[str, Any]:
    first = group[0]
    begins = [one.begins for one in group if one.begins is not None]
    ends = [one.ends for one in group if one.ends is not None]
    span = f"{_written(min(begins))}/{_written(max(ends))}" if begins and ends else _NEVER
    address = url(request, f"{PATH}/locations/{quote(first.station, safe='')}")
    properties = {
        "label": first.name,
        "datetime": span,
        "parameter-name": sorted({one.property for one in group}),
        "edrqueryendpoint": address,
    }
    geometry = {"type": "Point", "coordinates": [first.x, first.y]}
    return {"type": "Feature", "id": first.station, "geometry": geometry, "properties": properties}


def _written(moment: Any) -> str:
    return str(moment.isoformat().replace("+00:00", "Z"))


async def _collections(request: Request, house: House, asker: Principal, language: str) -> list[dict[str, Any]]:
    found = await described_stations(request, house, asker, language)
    return [] if found is None else [found]


BLOCK = Block(
    name="stations",
    spec="https://docs.ogc.org/is/19-086r6/19-086r6.html",
    maturity="draft",
    conformance=CONFORMANCE,
    router=router,
    links=no_links,
    collections=_collections,
)
