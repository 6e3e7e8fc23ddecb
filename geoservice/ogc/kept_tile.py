"""The plain tile of a collection, from what is kept or drawn for all who ask for it at the same time."""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.responses import Response

from geoservice.house import House
from geoservice.http.tile_answer import answer, as_response, encoding_for, wish_of_request
from geoservice.http.waiting import while_connected
from geoservice.tiles.drawing import TileRequest, draw
from geoservice.tiles.entry import Entry
from geoservice.tiles.limits import require_offered
from layers.access import Principal

LARGE = 32_000
"""Bytes from which on a body is packed in a thread of its own."""


async def kept_tile(request: Request, house: House, asker: Principal, asked: TileRequest) -> Response:
    """The response for a tile about which nothing is asked beside its place.

    Raises:
        TileOutside: When it is empty and beyond the limits of the tileset.
        QueryTimeout: When drawing takes longer than the service allows.
    """
    place = house.tiles.place(asked)
    entry = await while_connected(request, house.tiles.tile(place, lambda: draw(house, asker, asked)))
    if entry.empty:
        await require_offered(house, asker, asked.layer, asked.place)
    wish = wish_of_request(request.headers)
    await _packed(entry, encoding_for(entry, wish))
    house.tiles.shelf.put((place.clearance, place.path), entry)
    return as_response(answer(entry, wish, private=asked.layer.clearance > 0))


async def _packed(entry: Entry, encoding: str) -> None:
    """Make an encoding of a large tile without keeping others waiting."""
    if encoding not in entry.bodies and entry.length > LARGE:
        await asyncio.to_thread(entry.body, encoding)
