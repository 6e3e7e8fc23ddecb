"""Marks that officers plot for one another: made, changed under a condition, deleted, put back, with all versions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import shapely
import sqlalchemy as sa
from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from geoservice.api.situation_scope import Exercise, address, answered, looking, plain, require_officer
from geoservice.api.situation_units import Box, page
from geoservice.edits.conditions import condition_of
from geoservice.house import Asker, House, Inside
from geoservice.http.encoding import VERSION
from geoservice.http.links import link, url
from geoservice.http.negotiation import GEOJSON, JSON
from geoservice.http.parameters import parse_cursor, parse_limit
from geoservice.ogc.block import Block, no_links
from geoservice.queries.where import parse_geometry
from geoservice.situation import marks, read
from geoservice.situation.model import MarkBody, NewMark
from geoservice.situation.read import Scope
from geoservice.situation.symbols import MARKS, STATES, UNITS, codes
from layers.access import Principal
from layers.errors import UnknownResource
from layers.extent import parse_bbox

router = APIRouter(prefix="/situation", tags=["situation marks"])
MOST = 1_000
_CREATED = 201


@router.get("/symbols", summary="Symbols of marks, kinds and states of units")
async def symbols(request: Request) -> Response:
    """The code lists of the situation: code, title, colour."""
    lists = {"marks": MARKS, "units": UNITS, "states": STATES}
    told = {
        name: [
            {"code": code, "title": {"zh": one.zh, "en": one.en}, "colour": one.colour}
            for code, one in codes(listed).codes.items()
        ]
        for name, listed in lists.items()
    }
    return answered(request, {"lists": lists, **told}, JSON)


@router.get("/marks", summary="Plotted marks")
async def listing(
    request: Request,
    house: Inside,
    asker: Asker,
    exercise: Exercise = None,
    bbox: Box = None,
    limit: Annotated[str | None, Query(description="Marks per page; large values are clamped.")] = None,
    cursor: Annotated[str | None, Query(description="From a next link, as it is.")] = None,
) -> Response:
    """Marks that hold now (GeoJSON), in the order of their last change."""
    extent = None if bbox is None else parse_bbox(bbox)
    most, after = parse_limit(limit, MOST, MOST), parse_cursor(cursor) or 0
    async with looking(house, asker, exercise) as (connection, scope):
        found = await read.marks(connection, scope, extent, most, after)
    return answered(request, page(request, "/situation/marks", scope, found, most, bbox=bbox), GEOJSON)


@router.post("/marks", status_code=201, summary="Plot a mark")
async def make(request: Request, house: Inside, asker: Asker, body: NewMark) -> Response:
    """A mark with a symbol, for those up to its clearance."""
    require_officer(asker)
    shape = await _shape(house, body)
    most = house.settings.marks_each
    number = await run_in_threadpool(_written, house, lambda c: marks.make(c, asker, body, shape, most))
    return await _shown(request, house, asker, number, _CREATED)


@router.get("/marks/{mark_id}", summary="One mark")
async def one(request: Request, house: Inside, asker: Asker, mark_id: str) -> Response:
    """A mark as it stands; its entity tag names the version, as changes want it in If-Match."""
    return await _shown(request, house, asker, plain(mark_id))


@router.get("/marks/{mark_id}/versions", summary="All versions of a mark")
async def versions(request: Request, house: Inside, asker: Asker, mark_id: str) -> Response:
    """What it said before, the latest version first; also of a mark that was deleted."""
    async with house.pools.connection(asker.clearance) as connection:
        row, exercise = await read.find_mark(connection, asker.clearance, plain(mark_id))
        scope = Scope(asker.clearance, exercise, dt.datetime.now(dt.UTC))
        found = await read.versions(connection, scope, row)
    return answered(request, {"versions": found, **_exercise(scope)}, JSON)


@router.put("/marks/{mark_id}", summary="Change a mark")
async def change(request: Request, house: Inside, asker: Asker, mark_id: str, body: MarkBody) -> Response:
    """Replace what a mark says, if it is still the version that If-Match names."""
    require_officer(asker)
    condition = condition_of(request.headers, required=True)
    shape = await _shape(house, body)
    number = plain(mark_id)
    await run_in_threadpool(_written, house, lambda c: marks.change(c, asker, number, condition, body, shape))
    return await _shown(request, house, asker, number)


@router.delete("/marks/{mark_id}", status_code=204, summary="Delete a mark")
async def delete(request: Request, house: Inside, asker: Asker, mark_id: str) -> Response:
    """Take a mark off the map, if it is still the version that If-Match names; undo puts it back."""
    require_officer(asker)
    condition = condition_of(request.headers, required=True)
    number = plain(mark_id)
    await run_in_threadpool(_written, house, lambda c: marks.delete(c, asker, number, condition))
    return Response(status_code=204)


@router.post("/marks/{mark_id}/undo", summary="Undo the last change of a mark")
async def undo(request: Request, house: Inside, asker: Asker, mark_id: str) -> Response:
    """The version before becomes the latest, as a new version; a deleted mark is back."""
    require_officer(asker)
    condition = condition_of(request.headers, required=True)
    number = plain(mark_id)
    await run_in_threadpool(_written, house, lambda c: marks.undo(c, asker, number, condition))
    return await _shown(request, house, asker, number)


async def _shape(house: House, body: MarkBody) -> shapely.Geometry:
    return await run_in_threadpool(partial(parse_geometry, body.geometry, house.settings.max_zone_vertices))


def _written(house: House, what: Callable[[sa.Connection], Any]) -> Any:
    with house.writer.transaction() as connection:
        return what(connection)


async def _shown(request: Request, house: House, asker: Principal, number: str, status: int = 200) -> Response:
    async with house.pools.connection(asker.clearance) as connection:
        row, exercise = await read.find_mark(connection, asker.clearance, number)
    if row.deleted:
        raise UnknownResource(f"There is no mark {number[:40]!r}.")
    scope = Scope(asker.clearance, exercise, dt.datetime.now(dt.UTC))
    place = url(request, f"/situation/marks/{row.id}")
    listed = address(request, "/situation/marks", None if exercise is None else exercise.id)
    links = [link(place, "self", GEOJSON), link(f"{place}/versions", "version-history", JSON, "All versions")]
    links.append(link(listed, "collection", GEOJSON, "Marks"))
    body = {**read.mark_feature(row, scope), "links": links}
    headers = {VERSION: str(row.version), **({"Location": place} if status == _CREATED else {})}
    return answered(request, body, GEOJSON, status, headers)


def _exercise(scope: Scope) -> dict[str, Any]:
    return {} if scope.exercise is None else {"exercise": scope.exercise.reference()}


BLOCK = Block("situation marks", None, "experimental", (), router, no_links)
