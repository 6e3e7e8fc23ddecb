"""Map tiles of rasters in the style of their layer: kept as vector tiles are, and drawn at the easels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from geoservice.db.compiled import compile_statement
from geoservice.features.assets import Which, around, read_assets
from geoservice.tiles.drawing import Drawn
from geoservice.tiles.entry import Entry
from geoservice.tiles.journal import Stamp
from geoservice.tiles.place import KeptPlace, definition_of
from layers.access import Decision, Principal
from layers.codelist import CodeList
from layers.model import RasterLayer, codelists_of
from layers.system import layer_state
from tiles.frame import Frame
from tiles.image import ImageFormat
from tiles.raster import TILE_SIZE, RasterTiles
from tiles.sets.model import Place

if TYPE_CHECKING:
    from geoservice.house import House

_EDITION = compile_statement(
    sa.select(layer_state.c.edition).where(layer_state.c.layer == sa.bindparam("layer", type_=sa.Text()))
)


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One tile of the rasters that stand now, in the style of their layer, as one reader may see them."""

    layer: RasterLayer
    decision: Decision
    place: Place
    image: ImageFormat


async def kept_image(house: House, asker: Principal, request: ImageRequest) -> Entry:
    """A tile from what is kept, or drawn for all who ask for it at the same time.

    Raises:
        AssetUnavailable: When a file that the tile needs is missing or damaged.
        QueryTimeout: When it takes longer than the service allows.
    """
    return await house.tiles.tile(_place(house, request), lambda: _draw(house, asker, request))


def _place(house: House, request: ImageRequest) -> KeptPlace:
    layer, place = request.layer, request.place
    clearance = int(request.decision.rule.max_clearance)
    definition = definition_of(layer, place.grid, lambda: colours_of(layer, house.catalog.codelists))
    where = (place.grid.id, place.level, place.row, place.col)
    return KeptPlace(house.tiles.house, layer.name, definition, clearance, *where, place.degrees(0.0), request.image)


def colours_of(layer: RasterLayer, codelists: Mapping[str, CodeList]) -> str:
    """Digest of the colours in the code lists of a layer, which its definition only names."""
    lists = {name: sorted(codelists[name].colours().items()) for name in sorted(codelists_of(layer))}
    return hashlib.sha256(repr(lists).encode()).hexdigest()


async def _draw(house: House, asker: Principal, request: ImageRequest) -> Drawn:
    layer, place = request.layer, request.place
    which = Which(around(Frame.of_place(place, TILE_SIZE).degrees()))
    async with house.pools.raw(asker.clearance) as connection:
        # The edition first: a file that comes in between makes the tile one to be drawn anew, not one that is believed.
        edition = await connection.fetchval(_EDITION.sql, *_EDITION.arguments({"layer": layer.name}))
        assets = await read_assets(connection, house.reading, layer, request.decision, house.rasters, which)
    source = RasterTiles(assets, layer, house.catalog.codelists, request.image)
    body = await house.easels.draw(lambda: source.at(place))
    stamp = Stamp(edition or 0, 0, laddered=False, stepped=False, ladder=False, live=True)
    return Drawn(body, 0, stamp, request.image)
