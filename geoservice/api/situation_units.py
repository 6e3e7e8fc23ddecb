"""Where units are: reports of their positions, the latest of each, and short tracks."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from geoservice.api.situation_scope import Exercise, address, answered, looking, plain, require_officer
from geoservice.house import Asker, House, Inside
from geoservice.http.links import link
from geoservice.http.negotiation import GEOJSON, JSON
from geoservice.http.parameters import parse_cursor, parse_limit
from geoservice.ogc.block import Block, no_links
from geoservice.situation import read, units
from geoservice.situation.model import ID, UnitReport
from layers.access import Principal
from layers.extent import parse_bbox
from layers.interval import parse_instant

router = APIRouter(prefix="/situation/units", tags=["situation units"])
MOST = 1_000
_CREATED = 201
Box = Annotated[str | None, Query(description="west,south,east,north in degrees.")]
UnitId = Annotated[str, Path(pattern=ID, description="Letters, digits, dots, tildes, underscores and hyphens.")]
_STATUS = {"new": _CREATED}


@router.get("", summary="Where units are")
async def listing(
    request: Request,
    house: Inside,
    asker: Asker,
    exercise: Exercise = None,
    bbox: Box = None,
    limit: Annotated[str | None, Query(description="Units per page; large values are clamped.")] = None,
    cursor: Annotated[str | None, Query(description="From a next link, as it is.")] = None,
) -> Response:
    """The latest position of each unit (GeoJSON), in the order of the reports."""
    extent = None if bbox is None else parse_bbox(bbox)
    most, after = parse_limit(limit, MOST, MOST), parse_cursor(cursor) or 0
    async with looking(house, asker, exercise) as (connection, scope):
        found = await read.units(connection, scope, extent, most, after)
    return answered(request, page(request, "/situation/units", scope, found, most, bbox=bbox), GEOJSON)


def page(
    request: Request, path: str, scope: read.Scope, found: list[tuple[int, dict[str, Any]]], most: int, **query: object
) -> dict[str, Any]:
    """A page of units or marks as a feature collection, with a link to the next one."""
    exercise = None if scope.exercise is None else scope.exercise.id
    links = [link(address(request, path, exercise, **query), "self", GEOJSON)]
    if len(found) > most:
        following = address(request, path, exercise, **query, limit=most, cursor=found[most - 1][0])
        links.append(link(following, "next", GEOJSON))
    body: dict[str, Any] = {"type": "FeatureCollection", "features": [one for _, one in found[:most]], "links": links}
    return body if scope.exercise is None else {"exercise": scope.exercise.reference(), **body}


@router.get("/{unit_id}", summary="Where one unit is")
async def one(request: Request, house: Inside, asker: Asker, unit_id: UnitId, exercise: Exercise = None) -> Response:
    """The latest position of a unit (GeoJSON)."""
    async with looking(house, asker, exercise) as (connection, scope):
        found = await read.unit(connection, scope, plain(unit_id))
    track = address(request, f"/situation/units/{found['id']}/track", exercise)
    return answered(request, {**found, "links": [link(track, "related", GEOJSON, "Track")]}, GEOJSON)


@router.get("/{unit_id}/track", summary="Where a unit was")
async def track(
    request: Request,
    house: Inside,
    asker: Asker,
    unit_id: UnitId,
    exercise: Exercise = None,
    since: Annotated[
        str | None, Query(description="RFC 3339 instant from which on; default: all that is kept.")
    ] = None,
) -> Response:
    """The positions of the last hours as a line, with the time of each."""
    begin = None if since is None else parse_instant(since, "since")
    async with looking(house, asker, exercise) as (connection, scope):
        found = await read.track(connection, scope, plain(unit_id), begin)
    return answered(request, found, GEOJSON)


@router.put("/{unit_id}", summary="Report where a unit is")
async def report(request: Request, house: Inside, asker: Asker, unit_id: UnitId, body: UnitReport) -> Response:
    """A report; late ones fill the track, ones from the future are refused."""
    require_officer(asker)
    told = await run_in_threadpool(_report, house, asker, unit_id, body)
    exercise = told.exercise or None
    place = address(request, f"/situation/units/{unit_id}", exercise)
    said = {"id": unit_id, "outcome": told.outcome, "clearance": told.clearance.label, "href": place}
    return answered(request, said, JSON, _STATUS.get(told.outcome, 200), {"Location": place})


@router.delete("/{unit_id}", status_code=204, summary="Take a unit off the map")
async def withdraw(house: Inside, asker: Asker, unit_id: UnitId, exercise: Exercise = None) -> Response:
    """The unit and its track are gone; its next report brings it back."""
    require_officer(asker)
    await run_in_threadpool(_written, house, partial(_withdraw, asker, unit_id, exercise))
    return Response(status_code=204)


def _report(house: House, asker: Principal, number: str, body: UnitReport) -> units.Told:
    settings = house.settings
    limits = units.Limits(dt.timedelta(hours=settings.unit_track_hours), settings.units_each)
    with house.writer.transaction() as connection:
        return units.report(connection, asker, number, body, dt.datetime.now(dt.UTC), limits)


def _withdraw(asker: Principal, number: str, exercise: str | None, connection: Any) -> None:
    units.withdraw(connection, asker, number, None if exercise is None else plain(exercise))


def _written(house: House, what: Any) -> None:
    with house.writer.transaction() as connection:
        what(connection)


BLOCK = Block("situation units", None, "experimental", (), router, no_links)
