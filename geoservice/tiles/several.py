"""Tiles of several layers in one: which layers, and how they share the budget of a tile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from geoservice.house import House
from geoservice.tiles.drawing import Drawn, TileRequest, draw, within_time
from layers.access import Decision, Principal, decide
from layers.errors import BadParameter, UnknownLayer
from layers.model import VectorLayer
from tiles.budget import TILE_BYTES
from tiles.packing import gzipped

MOST_LAYERS = 16
"""Layers of one tile at most: what a map shows at a time, and a bound to what one request may cost."""

_SPARE = 0.95


@dataclass(frozen=True, slots=True)
class Chosen:
    """A layer of a tile and what the asker may see of it."""

    layer: VectorLayer
    decision: Decision


def chosen_layers(house: House, asker: Principal, written: str | None) -> tuple[Chosen, ...]:
    """The layers of a dataset tile.

    Args:
        house: The service.
        asker: Who asks.
        written: Collection ids with commas between them; None chooses the vector layers that the portal shows at
            first, as many as a tile may have, those on top first.

    Raises:
        UnknownLayer: When one does not exist, may not be seen (the two look the same), or has no vector tiles.
        BadParameter: When they are none, too many, or one comes twice.
    """
    if written is None:
        shown = [one for one in house.visible(asker) if isinstance(one, VectorLayer) and one.portal.visible]
        shown.sort(key=lambda one: (one.portal.order, one.name))
        return tuple(Chosen(one, decide(asker, "read", one)) for one in shown[:MOST_LAYERS])
    names = written.split(",")
    if len(names) > MOST_LAYERS or len(set(names)) < len(names) or not all(names):
        raise BadParameter(
            f"collections is the ids of 1 to {MOST_LAYERS} different collections with commas between them.",
            parameter="collections",
            maximum=MOST_LAYERS,
        )
    return tuple(_opened(house, asker, name) for name in names)


def _opened(house: House, asker: Principal, name: str) -> Chosen:
    layer, decision = house.open_layer(asker, name)
    if not isinstance(layer, VectorLayer):
        raise UnknownLayer(f"Collection {layer.name} has no vector tiles.")
    return Chosen(layer, decision)


async def draw_several(house: House, asker: Principal, requests: Sequence[TileRequest]) -> Drawn:
    """Draw one tile with several layers, each in a layer of its own name.

    Raises:
        QueryTimeout: When all together take longer than the service allows for a tile.
    """
    async with within_time(house):
        drawn = [await draw(house, asker, request) for request in requests]
        sizes = [await _size(one.body) for one in drawn]
        if sum(sizes) > TILE_BYTES:
            # Each gives up the same share, so that no layer pushes another out of the tile.
            share = _SPARE * TILE_BYTES / sum(sizes)
            drawn = [
                await draw(house, asker, replace(request, budget=int(size * share)))
                for request, size in zip(requests, sizes, strict=True)
            ]
    # Layers of a vector tile are repeated fields: encoded tiles joined are one tile with the layers of all.
    return Drawn(b"".join(one.body for one in drawn), sum(one.dropped for one in drawn))


async def _size(body: bytes) -> int:
    return len(await asyncio.to_thread(gzipped, body)) if body else 0
