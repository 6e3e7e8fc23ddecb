"""Measuring requests: an outer layer that takes the time, and an inner one that knows which route answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geoservice.metrics.meter import Meter, PoolWatch

NOTE = "geoservice.measured"
"""Key of the scope under which whoever answers leaves `route` (template of the path) and `path_params`."""
STATIC, UNMATCHED, OTHER = "/static", "unmatched", "OTHER"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_TILE = "/{tile_matrix}/{tile_row}/{tile_col}"
_DRAWN = frozenset({200, 204, 304})
_HIGHEST_ZOOM = 30
_UNKNOWN = 500
PoolUse = Callable[[], Mapping[str, tuple[int, int]]]


class Measured:
    """ASGI middleware, outermost: counts requests and takes their time until the last byte was sent."""

    def __init__(self, app: ASGIApp, meter: Meter, pools: PoolUse) -> None:
        """Wrap an application.

        Args:
            app: The application.
            meter: Counts.
            pools: Says how the pools are used.
        """
        self._app, self._meter, self._pools, self._watch = app, meter, pools, PoolWatch()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass through, counting."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        note: dict[str, Any] = {}
        status = _UNKNOWN

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        try:
            await self._app({**scope, NOTE: note}, receive, seen)
        finally:
            self._count(scope, note, status, time.perf_counter() - began)

    def _count(self, scope: Scope, note: Mapping[str, Any], status: int, seconds: float) -> None:
        route = note.get("route") or (STATIC if scope["path"].startswith(f"{STATIC}/") else UNMATCHED)
        method = scope["method"] if scope["method"] in _METHODS else OTHER
        self._meter.request(method, route, status, seconds)
        if route.endswith(_TILE) and status in _DRAWN:
            self._count_tile(note.get("path_params", {}), seconds)
        if self._watch.due():
            self._meter.pools(self._pools())

    def _count_tile(self, found: Mapping[str, Any], seconds: float) -> None:
        # It was answered, so layer and zoom level exist; a zoom may still be written in several ways.
        layer, zoom = found.get("collection_id", "several"), str(found.get("tile_matrix", ""))
        if zoom.isascii() and zoom.isdigit() and int(zoom) <= _HIGHEST_ZOOM:
            self._meter.tile(layer, int(zoom), seconds)


class Routed:
    """ASGI middleware, innermost: leaves word of the route that answered."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass through, and look at what the router found."""
        try:
            await self._app(scope, receive, send)
        finally:
            note, route = scope.get(NOTE), scope.get("route")
            if note is not None and route is not None:
                note.update(route=getattr(route, "path", None), path_params=scope.get("path_params", {}))
