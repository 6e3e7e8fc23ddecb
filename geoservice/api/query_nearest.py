"""The nearest features of a collection to a point, or to each point of a table, by the ellipsoid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import numpy as np
import pyarrow as pa
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.api.query_batch import TABLE_BODY, TableQuery, batch_answer
from geoservice.api.query_links import query_links
from geoservice.api.query_terms import Collection, FilterQuery, PointQuery, holders_of, json_answer, vector_of
from geoservice.house import Asker, House, Inside
from geoservice.http.parameters import together
from geoservice.ogc.block import Block
from geoservice.queries.batch import Question, Rows
from geoservice.queries.columns import schema_of
from geoservice.queries.coordinates import parse_input_crs
from geoservice.queries.holders import Holders
from geoservice.queries.join import names_of, prefixed
from geoservice.queries.near_table import near_columns, numbered
from geoservice.queries.nearest import MOST_NEIGHBOURS, Wish, find_nearest
from geoservice.queries.related import spelt_out
from layers.access import Principal

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
    layer, decision = vector_of(house, asker, collection)
    wish = Wish(near.k, near.within)
    async with house.pools.raw(asker.clearance) as connection:
        holders = await holders_of(connection, layer, decision, asked)
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
    crs = parse_input_crs(form.crs)

    async def question() -> tuple[Question, dict[str, str]]:
        layer, decision = vector_of(house, asker, collection)
        async with house.pools.raw(asker.clearance) as connection:
            holders = await holders_of(connection, layer, decision, asked)
        prefix = f"{collection}_" if form.prefix is None else form.prefix
        return _question(house, asker, holders, Wish(1, within), prefix, crs), {}

    return await batch_answer(request, house, form.columns(), question)


def _question(house: House, asker: Principal, holders: Holders, wish: Wish, prefix: str, crs: int) -> Question:
    schema = schema_of(holders.layer, holders.attributes)

    async def answer(rows: Rows) -> list[pa.Array]:
        rows.require_points()
        return await near_columns(lambda: house.pools.raw(asker.clearance), house.reading, holders, rows, wish)

    added = pa.schema([*prefixed(schema, prefix), pa.field(f"{prefix}distance", pa.float64())])
    return Question(added, answer, crs)


BLOCK = Block("nearest", None, "experimental", (), router, query_links)
