"""OGC API Tiles Part 1: vector tiles (MVT) of collections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from geoservice.house import Asker, House, Inside
from geoservice.http.parameters import together
from geoservice.http.waiting import while_connected
from geoservice.ogc.block import SPEC, Block, no_links
from geoservice.ogc.kept_tile import kept_tile
from geoservice.ogc.tile_query import TileQuery, refuse_other_formats, tile_answer
from geoservice.ogc.tilesets import vector_layer
from geoservice.tiles.drawing import TileRequest, draw
from geoservice.tiles.limits import require_offered
from geoservice.tiles.path import TILE_PATH
from geoservice.tiles.place import is_kept
from geoservice.tiles.questions import understood
from layers.access import Principal
from tiles.sets.model import Place
from tiles.sets.registry import MatrixSets

router = APIRouter(tags=["tiles"])


@dataclass(frozen=True)
class TileAddress:
    """The path of a tile, as it was written."""

    tile_matrix_set: Annotated[str, Path(description="Tile matrix set, such as WebMercatorQuad.")]
    tile_matrix: Annotated[str, Path(description="Tile matrix (zoom level).")]
    tile_row: Annotated[str, Path(description="Row, from the top.")]
    tile_col: Annotated[str, Path(description="Column, from the left.")]

    def place(self, grids: MatrixSets) -> Place:
        """The place of the tile; raises TileOutside or UnknownResource."""
        return grids.get(self.tile_matrix_set).place(self.tile_matrix, self.tile_row, self.tile_col)


Address = Annotated[TileAddress, together(TileAddress)]


EMPTY_TILE: dict[int | str, dict[str, Any]] = {204: {"description": "Nothing that may be seen meets the tile."}}


@router.get(
    TILE_PATH,
    summary="A vector tile",
    response_class=Response,
    responses=EMPTY_TILE,
    operation_id="tiles.collection.vector.getTile",
)
async def vector_tile(
    request: Request,
    house: Inside,
    asker: Asker,
    collection_id: str,
    address: Address,
    query: Annotated[TileQuery, together(TileQuery)],
    f: Annotated[str | None, Query(description="Format: mvt.")] = None,
) -> Response:
    """A Mapbox Vector Tile 2.1; 204 when no visible feature meets it, 404 beyond the limits of the tileset."""
    refuse_other_formats(f)
    written = query.written()
    if written.first is None:
        return await plain_tile(request, house, asker, collection_id, address)
    layer, decision = vector_layer(house, asker, collection_id)
    place = address.place(house.grids)
    asked = await understood(house, asker, layer, place.zoom, written)
    wanted = TileRequest(layer, decision, place.level, place.row, place.col, asked.question, grid=place.grid)
    drawn = await while_connected(request, draw(house, asker, wanted))
    # The limits are those of today's rows, and say nothing of the past.
    return tile_answer(request, drawn, private=layer.clearance > 0, final=asked.final)


async def plain_tile(
    request: Request, house: House, asker: Principal, collection: str, address: TileAddress
) -> Response:
    """A vector tile about which nothing is asked beside its place.

    Raises:
        UnknownLayer: When there is no such collection for the asker, or it has no vector tiles.
        UnknownResource: When the tile matrix set is not offered.
        TileOutside: When the tile does not exist, or is empty and beyond the limits of the tileset.
        QueryTimeout: When drawing takes longer than the service allows.
    """
    layer, decision = vector_layer(house, asker, collection)
    place = address.place(house.grids)
    wanted = TileRequest(layer, decision, place.level, place.row, place.col, grid=place.grid)
    if is_kept(wanted):
        return await kept_tile(request, house, asker, wanted)
    drawn = await while_connected(request, draw(house, asker, wanted))
    if not drawn.body:
        await require_offered(house, asker, layer, place)
    return tile_answer(request, drawn, private=layer.clearance > 0, final=False)


BLOCK = Block(
    name="tiles",
    spec="https://docs.ogc.org/is/20-057/20-057.html",
    maturity="stable",
    conformance=tuple(
        f"{SPEC}/ogcapi-tiles-1/1.0/conf/{name}" for name in ("core", "geodata-tilesets", "mvt", "png", "oas30")
    ),
    router=router,
    links=no_links,
)
