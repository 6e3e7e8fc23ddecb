"""The way of plain vector tiles: the route of all vector tiles, without what only a query string needs.

Most requests ask for a tile by its place and nothing else. Working out what a route might depend on takes longer than
drawing such a tile.
"""

from __future__ import annotations

from fastapi import Request
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from geoservice.house import house_of
from geoservice.http.tile_front import PLAIN
from geoservice.ogc.tiles import TileAddress, plain_tile
from geoservice.security.identity import identify
from geoservice.tiles.path import COLLECTION, TILE_PATH, parts_of


class PlainTileRoute(BaseRoute):
    """Answers GET for plain vector tiles in front of all other routes; errors go the way of all errors."""

    path = TILE_PATH

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request asks for a vector tile and nothing beside its place."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"] not in PLAIN:
            return Match.NONE, {}
        found = parts_of(scope["path"])
        return (Match.NONE, {}) if found is None else (Match.FULL, {"path_params": found, "route": self})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        request = Request(scope, receive, send)
        written = dict(request.path_params)
        collection = written.pop(COLLECTION)
        house, asker = await house_of(request), await identify(request)
        response = await plain_tile(request, house, asker, collection, TileAddress(**written))
        await response(scope, receive, send)
