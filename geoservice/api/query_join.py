"""The join: which polygon of a collection holds each of a million points, or a single one."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.api.query_batch import TABLE_BODY, TableQuery, batch_answer
from geoservice.api.query_terms import Collection, FilterQuery, PointQuery, json_answer
from geoservice.house import Asker, Inside
from geoservice.http.links import link, url
from geoservice.http.parameters import together
from geoservice.ogc.block import Block
from geoservice.queries.join import names_of
from geoservice.queries.wish import TableWish, finder_of

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
    finder, edition = await finder_of(house.sources(asker), collection, asked.narrowing())
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
    return await batch_answer(request, house, asker, form, TableWish("join", collection, asked.narrowing()))


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/api", f="html"), "related", "text/html", "Spatial queries and batches")]


BLOCK = Block("spatial queries", None, "experimental", (), router, _links)
