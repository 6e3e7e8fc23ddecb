"""Contour lines of rasters of heights as vector tiles, and their TileJSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document
from geoservice.http.encoding import encoded
from geoservice.http.links import self_links
from geoservice.http.negotiation import DOCUMENT, MVT, negotiate
from geoservice.http.parameters import together
from geoservice.http.waiting import while_connected
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.common import Format, Language
from geoservice.ogc.maps import Times, assets_asked
from geoservice.ogc.tile_query import refuse_other_formats
from geoservice.ogc.tiles import EMPTY_TILE, Address
from geoservice.ogc.tilesets import raster_layer, tilejson
from layers.access import Decision, Principal
from layers.errors import UnknownLayer
from layers.model import RasterLayer
from tiles.contours import LAYER, contour_tile, contour_view, frame_of
from tiles.view import height_bands

router = APIRouter(tags=["maps"])
CONTOUR_PATH = "/collections/{collection_id}/contours/tiles/{tile_matrix_set}/{tile_matrix}/{tile_row}/{tile_col}"
_NO_CONTENT = 204


@dataclass(frozen=True)
class ContourQuery(Times):
    """The query parameters of contour lines."""

    interval: Annotated[
        str | None, Query(description="Distance of the lines in metres of height, 0.1 to 10000; narrows with the zoom.")
    ] = None
    bands: Annotated[str | None, Query(description="The band of heights, by name or number; else the first.")] = None
    f: Annotated[str | None, Query(description="Format: mvt.")] = None


@router.get(CONTOUR_PATH, summary="A tile of contour lines", response_class=Response, responses=EMPTY_TILE)
async def contour_lines(
    request: Request,
    house: Inside,
    asker: Asker,
    collection_id: str,
    address: Address,
    query: Annotated[ContourQuery, together(ContourQuery)],
) -> Response:
    """A Mapbox Vector Tile 2.1 of lines of equal height; 204 when there are none."""
    refuse_other_formats(query.f)
    layer, decision = heights(house, asker, collection_id)
    place = address.place(house.grids)
    view = contour_view(layer, place.zoom, query.bands, query.interval)
    assets = await assets_asked(house, asker, (layer, decision), frame_of(place), query)
    body = await while_connected(request, house.easels.draw(lambda: contour_tile(assets, layer, place, view)))
    headers = {"Cache-Control": "no-cache" if layer.clearance == 0 else "private, no-cache"}
    if not body:
        return Response(status_code=_NO_CONTENT, headers=headers)
    return encoded(request, body, MVT, headers)


@router.get("/collections/{collection_id}/contours", summary="Contour lines of a raster")
async def contour_tilejson(
    request: Request, house: Inside, asker: Asker, collection_id: str, f: Format = None, lang: Language = None
) -> Response:
    """TileJSON 3.0 of the contour lines in WebMercatorQuad."""
    chosen = negotiate(request, f, DOCUMENT)
    layer, _ = heights(house, asker, collection_id)
    state = (await house.states(asker, [layer]))[layer.name]
    path = f"/collections/{layer.name}/contours"
    body: dict[str, Any] = tilejson(request, layer, state, f"{path}/tiles", "mvt")
    fields = {"height": "m", "index": "true for each fifth line"}
    zooms = {"minzoom": layer.tiles.from_, "maxzoom": layer.tiles.to}
    body |= {"vector_layers": [{"id": LAYER, "fields": fields, **zooms}]}
    if chosen == "html":
        body["links"] = self_links(request, path, chosen, DOCUMENT)
    return document(request, "contours", body, chosen, lang)


def heights(house: House, asker: Principal, name: str) -> tuple[RasterLayer, Decision]:
    """A raster of heights, and what somebody may see of it.

    Raises:
        UnknownLayer: When there is none that they may see, or its bands are no heights.
    """
    layer, decision = raster_layer(house, asker, name)
    if not height_bands(layer):
        raise UnknownLayer(f"Collection {layer.name} has no heights: none of its bands names a vertical datum.")
    return layer, decision


BLOCK = Block(name="contours", spec=None, maturity="stable", conformance=(), router=router, links=no_links)
