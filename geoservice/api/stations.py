"""Stations over HTTP: by class of their index, one by one, and through time."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from geoservice.analysis.context import AnalysisContext
from geoservice.analysis.request import find_place, zone_request
from geoservice.api.played import Exercise, played_of
from geoservice.api.station_documents import detail_document, film_document, list_document, written
from geoservice.house import Asker, House, Inside
from geoservice.http.encoding import encoded
from geoservice.http.negotiation import GEOJSON, JSON
from geoservice.http.parameters import parse_limit, together
from geoservice.http.texts import storable
from geoservice.ogc.block import Block, no_links
from geoservice.stations.detail import find_station
from geoservice.stations.frames import film, hours_of
from geoservice.stations.state import Wish, find_stations
from geoservice.stations.themes import IndexName, Theme
from layers.access import Principal
from layers.errors import BadParameter
from layers.extent import parse_bbox
from layers.interval import parse_datetime, parse_instant

router = APIRouter(tags=["stations"])
FEW, MOST = 10_000, 20_000
LONGEST_TEXT = 100
_USUAL = dt.timedelta(days=1)
_PRIVATE = {"Cache-Control": "private, no-store"}


@dataclass(frozen=True)
class StationsQuery:
    """Which stations are wanted."""

    datetime: Annotated[str | None, Query(description="RFC 3339 instant at which they are judged; now.")] = None
    theme: Annotated[Theme | None, Query(description="What they are about.")] = None
    property: Annotated[str | None, Query(description="Code of a property that they measure.")] = None
    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees (CRS84).")] = None
    adcode: Annotated[str | None, Query(description="Code of the division in which they stand.")] = None
    q: Annotated[str | None, Query(description="Part of their name or key.", max_length=LONGEST_TEXT)] = None
    limit: Annotated[str | None, Query(description=f"Most stations, 1 to {MOST}; large values are clamped.")] = None
    exercise: Exercise = None


@dataclass(frozen=True)
class FramesQuery:
    """Which moments are wanted."""

    index: Annotated[IndexName, Query(description="The index whose classes are told.")] = "aqi"
    datetime: Annotated[str | None, Query(description="Interval start/end; default: the last day.")] = None
    every: Annotated[int, Query(ge=1, le=24, description="Every so many hours.")] = 1
    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees (CRS84).")] = None
    exercise: Exercise = None


@router.get("/stations", summary="Stations by class of their index, the worst first")
async def stations(
    request: Request, house: Inside, asker: Asker, asked: Annotated[StationsQuery, together(StationsQuery)]
) -> Response:
    """Stations as GeoJSON points, each with the class of its index at a time, its hour, and whether it is overdue."""
    wish = await _wish(house, asker, asked)
    async with house.pools.connection(asker.clearance) as connection:
        found = await find_stations(connection, asker.clearance, wish)
    body = await run_in_threadpool(written, list_document, found, wish)
    return encoded(request, body, GEOJSON, _PRIVATE)


@router.get("/stations/{station_id:path}", summary="A station: readings, limits, index with its formula")
async def station(
    request: Request,
    house: Inside,
    asker: Asker,
    station_id: str,
    datetime: Annotated[str | None, Query(description="RFC 3339 instant; now.")] = None,
    exercise: Exercise = None,
) -> Response:
    """What a station measures at a time, with quality and limits, and how its index was worked out."""
    at, wanted = _instant(datetime), played_of(exercise)
    key = _storable("station_id", station_id) or ""
    async with house.pools.connection(asker.clearance) as connection:
        found = await find_station(connection, asker.clearance, key, at, wanted)
    return encoded(request, written(detail_document, found, at), JSON, _PRIVATE)


@router.get("/station-frames", summary="Classes of stations through time")
async def frames(
    request: Request, house: Inside, asker: Asker, asked: Annotated[FramesQuery, together(FramesQuery)]
) -> Response:
    """The classes of all stations by one index, hour by hour: of each hour a character for each station."""
    times, boxes = hours_of(*_span(asked.datetime), asked.every), _boxes(asked.bbox)
    wanted = played_of(asked.exercise)
    async with house.pools.connection(asker.clearance) as connection:
        made = await film(connection, asker.clearance, asked.index, times, boxes, wanted)
    return encoded(request, written(film_document, made, asked.index), JSON, _PRIVATE)


async def _wish(house: House, asker: Principal, asked: StationsQuery) -> Wish:
    return Wish(
        at=_instant(asked.datetime),
        theme=asked.theme,
        property=_storable("property", asked.property),
        boxes=_boxes(asked.bbox),
        area=None if asked.adcode is None else await _division(house, asker, asked.adcode),
        text=_storable("q", asked.q) or "",
        limit=parse_limit(asked.limit, FEW, MOST),
        played=played_of(asked.exercise),
    )


async def _division(house: House, asker: Principal, code: str) -> Any:
    """The area of a division that the asker may see (longitude and latitude in degrees)."""
    asked = zone_request({"adcode": code}, house.settings.max_zone_vertices)
    context = AnalysisContext(asker, house.catalog, house.rasters, schema=house.reading.schema(asker.clearance))
    async with house.pools.connection(asker.clearance) as connection:
        return (await find_place(connection, asked, context)).geometry


def _boxes(text: str | None) -> tuple[tuple[float, float, float, float], ...]:
    return () if text is None else tuple(parse_bbox(text).boxes())


def _instant(text: str | None) -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0) if text is None else parse_instant(text, "datetime")


def _storable(name: str, text: str | None) -> str | None:
    if text is not None and not (text and storable(text)):
        raise BadParameter(f"{name} is a text that is not empty.", parameter=name)
    return text


def _span(text: str | None) -> tuple[dt.datetime, dt.datetime]:
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    if text is None:
        return now - _USUAL, now
    interval = parse_datetime(text)
    end = interval.end or now
    return interval.start or end - _USUAL, end


BLOCK = Block("stations", None, "experimental", (), router, no_links)
