"""The nearest features of a collection to a point, or to each point of a table, by the ellipsoid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import numpy as np
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.api.query_batch import TABLE_BODY, TableQuery, batch_answer
from geoservice.api.query_terms import Collection, FilterQuery, PointQuery, json_answer
from geoservice.house import Asker, Inside
from geoservice.http.parameters import together
from geoservice.ogc.block import Block, no_links
from geoservice.queries.columns import schema_of
from geoservice.queries.join import names_of
from geoservice.queries.near_table import numbered
from geoservice.queries.nearest import MOST_NEIGHBOURS, Wish, find_nearest
from geoservice.queries.related import spelt_out
from geoservice.queries.wish import TableWish, holders_of

router = APIRouter(prefix="/query", tags=["spatial queries"])

_DIGITS = 3


Within: TypeAlias = Annotated[
    float | None, Query(gt=0, le=20_100_000, description="Metres beyond which nothing counts.")
]


@dataclass(frozen=True)
class NearQuery:
    """Query parameters that say how many neighbours, and how far away."""

    k: Annotated[int, Query(ge=1, le=MOST_NEIGHBOURS, description="How many features.")] = 1
    within: Within = None


@router.get("/nearest", summary="The nearest features")
async def nearest_one(
    request: Request,
    house: Inside,
    asker: Asker,
    collection: Collection,
    asked: Annotated[FilterQuery, together(FilterQuery)],
    near: Annotated[NearQuery, together(NearQuery)],
    at: Annotated[PointQuery, together(PointQuery)],
) -> Response:
    """The nearest features to a point with their distances in metres on the ellipsoid, the nearest first."""
    x, y = at.degrees()
    layer, decision = house.sources(asker).vectors(collection)
    wish = Wish(near.k, near.within)
    async with house.pools.raw(asker.clearance) as connection:
        holders = await holders_of(connection, layer, decision, asked.narrowing())
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            found = await find_nearest(connection, house.reading, holders, (np.array([x]), np.array([y])), wish)
            table = await numbered(connection, house.reading, holders, found.features)
    schema = schema_of(layer, holders.attributes)
    rows = [dict(zip(names_of(schema), row, strict=True)) for row in table]
    features = list[dict[str, Any]]()
    for row, metres in zip(rows, found.metres.tolist(), strict=True):
        key = row.pop("key")
        codes = spelt_out(layer, row, house.catalog.codelists)
        features.append({"id": key, "distance": round(metres, _DIGITS), "properties": row, "codes": codes})
    return json_answer(request, {"collection": collection, "point": [x, y], "features": features})


@router.post("/nearest/batch", summary="The nearest feature to each point of a table", openapi_extra=TABLE_BODY)
async def nearest_table(
    request: Request,
    house: Inside,
    asker: Asker,
    collection: Collection,
    asked: Annotated[FilterQuery, together(FilterQuery)],
    form: Annotated[TableQuery, together(TableQuery)],
    within: Within = None,
) -> Response:
    """A posted table with key, attributes and distance (m) of the nearest feature to each row's point."""
    wish = TableWish("nearest", collection, asked.narrowing(), within=within)
    return await batch_answer(request, house, asker, form, wish)


BLOCK = Block("nearest", None, "experimental", (), router, no_links)
