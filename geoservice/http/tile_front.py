"""Kept tiles are handed out in front of routing: what is in memory and current costs no more than sending it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from geoservice.house import House
from geoservice.http.tile_answer import Answer, answer, encoding_for, wish_of
from geoservice.metrics.measured import NOTE
from geoservice.security.headers import standing
from geoservice.security.identity import identify
from geoservice.tiles.entry import IDENTITY
from geoservice.tiles.path import IMAGE_PATH, TILE_PATH, parts_of
from layers.access import ANONYMOUS, Principal
from layers.errors import GeoError
from tiles.image import MEDIA_TYPES

PLAIN = (b"", b"f=mvt")
"""Query strings that ask for a vector tile as it is; whatever else there is, routing understands or refuses."""
_ENDINGS = dict.fromkeys(PLAIN, "") | {f"f={image}".encode(): f"?f={image}" for image in MEDIA_TYPES}
"""How the name of what is asked for ends among what is at hand."""
_PREFIX = "/collections/"


class TileFront:
    """ASGI middleware that answers for tiles at hand and passes everything else on.

    The asker is identified and the decision taken as everywhere. Whoever may not see a layer, asks for anything
    unusual or brings a wrong key gets the answer of the route.
    """

    def __init__(self, app: ASGIApp, house: House) -> None:
        """Stand in front of an application."""
        self.app = app
        self.house = house
        self._standing = standing()
        self._private: dict[tuple[int, str], bool] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer at once, or pass on."""
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith(_PREFIX):
            found = await self._at_hand(scope)
            if found is not None:
                _leave_word(scope)
                fields = [*found.fields, *self._standing]
                await send({"type": "http.response.start", "status": found.status, "headers": fields})
                await send({"type": "http.response.body", "body": found.body})
                return
        await self.app(scope, receive, send)

    async def _at_hand(self, scope: Scope) -> Answer | None:
        ending = _ENDINGS.get(scope["query_string"])
        if ending is None or scope.get("root_path"):
            return None
        wish = wish_of(scope["headers"])
        asker = await _asker(scope) if wish.personal or self.house.keys.everybody else ANONYMOUS
        if asker is None:
            return None
        entry = self.house.tiles.at_hand((int(asker.clearance), scope["path"] + ending))
        # Whether an empty tile is one at all depends on where the layer has tiles today.
        if entry is None or entry.empty:
            return None
        private = self._judged(asker, entry.layer)
        encoding = encoding_for(entry, wish)
        if private is None or (encoding not in entry.bodies and encoding != IDENTITY):
            return None
        return answer(entry, wish, private=private)

    def _judged(self, asker: Principal, name: str) -> bool | None:
        """Whether a layer is above the public; None when the asker may not see it.

        The decision depends on the clearance and on layers that do not change while the service runs.
        """
        asked = (int(asker.clearance), name)
        known = self._private.get(asked)
        if known is None:
            try:
                layer, _ = self.house.open_layer(asker, name)
            except GeoError:
                return None
            known = self._private[asked] = layer.clearance > 0
        return known


def _leave_word(scope: Scope) -> None:
    """Say for the metrics which route this tile is of."""
    if NOTE in scope:
        route = IMAGE_PATH if parts_of(scope["path"], IMAGE_PATH) else TILE_PATH
        scope[NOTE].update(route=route, path_params=parts_of(scope["path"], route) or {})


async def _asker(scope: Scope) -> Principal | None:
    """Who asks; None when the key is not valid or cannot be looked up."""
    try:
        return await identify(Request(scope))
    except GeoError:
        return None
