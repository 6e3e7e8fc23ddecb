"""OGC API Tiles Part 1, dataset tiles: several collections in one vector tile."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.house import Asker, Inside
from geoservice.http.parameters import together
from geoservice.http.waiting import while_connected
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.tile_query import TimeQuery, refuse_other_formats, tile_answer
from geoservice.ogc.tiles import EMPTY_TILE, Address
from geoservice.tiles.drawing import TileRequest
from geoservice.tiles.questions import understood
from geoservice.tiles.several import chosen_layers, draw_several
from geoservice.tiles.shared_limits import require_offered_together

router = APIRouter(tags=["tiles"])
TILE_PATH = "/tiles/{tile_matrix_set}/{tile_matrix}/{tile_row}/{tile_col}"
Collections = Annotated[
    str | None,
    Query(description="Collection ids with commas between them; without it what the portal shows at first."),
]


@router.get(
    TILE_PATH,
    summary="A vector tile of several collections",
    response_class=Response,
    responses=EMPTY_TILE,
    operation_id="tiles.dataset.vector.getTile",
)
async def dataset_tile(
    request: Request,
    house: Inside,
    asker: Asker,
    address: Address,
    query: Annotated[TimeQuery, together(TimeQuery)],
    collections: Collections = None,
    f: Annotated[str | None, Query(description="Format: mvt.")] = None,
) -> Response:
    """A Mapbox Vector Tile 2.1 with one layer per collection; 204 when nothing meets it, 404 beyond the limits."""
    refuse_other_formats(f)
    place = address.place(house.grids)
    chosen = chosen_layers(house, asker, collections)
    asked = [await understood(house, asker, one.layer, place.zoom, query.written()) for one in chosen]
    requests = [
        TileRequest(one.layer, one.decision, place.level, place.row, place.col, meant.question, grid=place.grid)
        for one, meant in zip(chosen, asked, strict=True)
    ]
    drawn = await while_connected(request, draw_several(house, asker, requests))
    if not drawn.body and all(meant.question.plain for meant in asked):
        await require_offered_together(house, asker, [one.layer for one in chosen], place)
    private = any(one.layer.clearance > 0 for one in chosen)
    return tile_answer(request, drawn, private=private, final=bool(asked) and all(meant.final for meant in asked))


BLOCK = Block(
    name="dataset-tiles",
    spec="https://docs.ogc.org/is/20-057/20-057.html",
    maturity="stable",
    conformance=(),
    router=router,
    links=no_links,
)
