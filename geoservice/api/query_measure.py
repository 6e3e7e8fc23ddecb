"""How long or how large a place is, by the same rule as all areas and lengths of this service."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.api.place_question import Json, PlaceQuestion, add_routes
from geoservice.api.query_place import place_of
from geoservice.api.query_terms import json_answer
from geoservice.house import House
from geoservice.ogc.block import Block, no_links
from geoservice.queries.measured import measured
from layers.access import Principal

router = APIRouter(prefix="/query", tags=["spatial queries"])


@dataclass(frozen=True)
class NothingQuery:
    """No query parameters but those that say where."""


async def _measured(request: Request, house: House, asker: Principal, body: Json, _: NothingQuery) -> Response:
    where = await place_of(house, asker, body)
    found = await asyncio.to_thread(measured, where.geometry)
    rule = {"ellipsoid": "CGCS2000", "edges_straight_in": "CRS84"}
    return json_answer(request, {"place": where.described(), **found, **rule})


add_routes(
    router,
    PlaceQuestion(
        "measure",
        ("How large a place is", "How long a line or how large an area is"),
        "Length of a line with its edges, area (m², ha, mu) and perimeter of an area, on the ellipsoid.",
        NothingQuery,
        _measured,
    ),
)

BLOCK = Block("measure", None, "experimental", (), router, no_links)
