"""The join: which polygon of a collection holds each of a million points, or a single one."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.api.query_batch import TABLE_BODY, TableQuery, batch_answer
from geoservice.api.query_links import query_links
from geoservice.api.query_terms import Collection, FilterQuery, PointQuery, holders_of, json_answer, polygons_of
from geoservice.house import Asker, House, Inside
from geoservice.http.parameters import together
from geoservice.ogc.block import Block
from geoservice.queries.batch import Question
from geoservice.queries.coordinates import parse_input_crs
from geoservice.queries.database import NearbyPolygons
from geoservice.queries.found import Finder
from geoservice.queries.join import join_question, names_of
from layers.access import Principal

router = APIRouter(prefix="/query", tags=["spatial queries"])


@router.get("/join", summary="The polygon that holds a point")
async def join_one(
    request: Request,
    house: Inside,
    asker: Asker,
    collection: Collection,
    asked: Annotated[FilterQuery, together(FilterQuery)],
    at: Annotated[PointQuery, together(PointQuery)],
) -> Response:
    """Key and attributes of the polygon that holds a point; on a border that of the lowest key."""
    x, y = at.degrees()
    finder, edition = await _finder(house, asker, collection, asked)
    found = await finder.find(np.array([x]), np.array([y]))
    values = [column[0].as_py() for column in found.columns()]
    body: dict[str, Any] = {"collection": collection, "edition": edition, "found": bool(found.rows[0] >= 0)}
    body["properties"] = dict(zip(names_of(finder.schema), values, strict=True)) if body["found"] else None
    return json_answer(request, body)


@router.post("/join", summary="The polygons that hold the points of a table", openapi_extra=TABLE_BODY)
async def join_table(
    request: Request,
    house: Inside,
    asker: Asker,
    collection: Collection,
    asked: Annotated[FilterQuery, together(FilterQuery)],
    form: Annotated[TableQuery, together(TableQuery)],
) -> Response:
    """A posted table with the key and attributes of the polygon that holds each row's point."""
    crs = parse_input_crs(form.crs)

    async def question() -> tuple[Question, dict[str, str]]:
        finder, edition = await _finder(house, asker, collection, asked)
        prefix = f"{collection}_" if form.prefix is None else form.prefix
        return join_question(finder, prefix, crs), {"Geoservice-Edition": str(edition or "")}

    return await batch_answer(request, house, form.columns(), question)


async def _finder(house: House, asker: Principal, collection: str, asked: FilterQuery) -> tuple[Finder, int | None]:
    """What finds the polygons that are asked for, and the edition that they are of."""
    layer, decision = polygons_of(house, asker, collection)
    async with house.pools.raw(asker.clearance) as connection:
        holders = await holders_of(connection, layer, decision, asked)
        kept = await house.queries.polygons.get(connection, house.reading, holders)
    if kept is not None:
        return kept, kept.edition
    nearby = NearbyPolygons(lambda: house.pools.raw(asker.clearance), house.reading, holders)
    state = (await house.states(asker, [layer]))[layer.name]
    return nearby, state.edition if holders.as_of is None else None


BLOCK = Block("spatial queries", None, "experimental", (), router, query_links)
