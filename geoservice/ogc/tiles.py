"""OGC API Tiles Part 1: vector tiles (MVT) of collections, tilesets, TileJSON 3.0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from geoservice.features.state import LayerState
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import DOCUMENT, JSON, MVT, negotiate
from geoservice.http.parameters import together
from geoservice.ogc.block import SPEC, Block
from geoservice.ogc.common import Format, Language
from geoservice.ogc.tile_query import TileQuery, refuse_other_formats, tile_answer
from geoservice.tiles.drawing import TileRequest, draw
from geoservice.tiles.limits import require_offered
from geoservice.tiles.questions import understood
from layers.access import Decision, Principal
from layers.errors import UnknownLayer
from layers.maplibre import label_source_layer
from layers.model import Layer, RasterLayer, VectorLayer
from tiles import grid, vector

router = APIRouter(tags=["tiles"])
QUAD = "WebMercatorQuad"
TILEJSON = "application/json"
_TILESET_FORMATS = {"json": JSON, "tilejson": TILEJSON, "html": "text/html"}
_REL = "http://www.opengis.net/def/rel/ogc/1.0"

TileMatrixSet = Annotated[str, Path(alias="tile_matrix_set", description="Tile matrix set, such as WebMercatorQuad.")]


@dataclass(frozen=True)
class TileAddress:
    """The path of a tile, as it was written."""

    tile_matrix_set: Annotated[str, Path(description="Tile matrix set, such as WebMercatorQuad.")]
    tile_matrix: Annotated[str, Path(description="Tile matrix (zoom level).")]
    tile_row: Annotated[str, Path(description="Row, from the top.")]
    tile_col: Annotated[str, Path(description="Column, from the left.")]

    def checked(self) -> tuple[int, int, int]:
        """Zoom, row and column; raises TileOutside or UnknownResource."""
        return grid.check_tile(self.tile_matrix_set, self.tile_matrix, self.tile_row, self.tile_col)


Address = Annotated[TileAddress, together(TileAddress)]
TILE_PATH = "/collections/{collection_id}/tiles/{tile_matrix_set}/{tile_matrix}/{tile_row}/{tile_col}"


@router.get(TILE_PATH, summary="A vector tile", response_class=Response, operation_id="tiles.collection.vector.getTile")
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
    layer, decision = _vector_layer(house, asker, collection_id)
    z, row, col = address.checked()
    asked = await understood(house, asker, layer, z, query.written())
    drawn = await draw(house, asker, TileRequest(layer, decision, z, row, col, asked.question))
    # The limits are those of today's rows; the past may have reached further.
    if not drawn.body and asked.question.plain:
        await require_offered(house, asker, layer, address.tile_matrix_set, (z, row, col))
    return tile_answer(request, drawn, private=layer.clearance > 0, final=asked.final)


@router.get("/tileMatrixSets", summary="Tile matrix sets", operation_id="tiles.getTileMatrixSetsList")
async def tile_matrix_sets(request: Request, f: Format = None, lang: Language = None) -> Response:
    """The tile matrix sets this service knows."""
    chosen = negotiate(request, f, DOCUMENT)
    entries = [
        {"id": name, "title": name, "links": [link(url(request, f"/tileMatrixSets/{name}"), "self", JSON)]}
        for name in grid.TILE_MATRIX_SETS
    ]
    body = {"tileMatrixSets": entries, "links": self_links(request, "/tileMatrixSets", chosen, DOCUMENT)}
    return document(request, "tilematrixsets", body, chosen, lang)


@router.get("/tileMatrixSets/{tile_matrix_set}", summary="One tile matrix set", operation_id="tiles.getTileMatrixSet")
async def tile_matrix_set_document(
    request: Request, tile_matrix_set: TileMatrixSet, f: Format = None, lang: Language = None
) -> Response:
    """Definition of a tile matrix set (OGC 17-083r4, JSON encoding)."""
    chosen = negotiate(request, f, DOCUMENT)
    return document(request, "tilematrixset", grid.tile_matrix_set_json(tile_matrix_set), chosen, lang)


@router.get(
    "/collections/{collection_id}/tiles",
    summary="Vector tilesets of a collection",
    operation_id="tiles.collection.vector.getTileSetsList",
)
async def vector_tilesets(
    request: Request, house: Inside, asker: Asker, collection_id: str, f: Format = None, lang: Language = None
) -> Response:
    """The tilesets of a vector collection, one per tile matrix set."""
    layer, _ = _vector_layer(house, asker, collection_id)
    return _tilesets(request, layer, "tiles", "vector", f, lang)


@router.get(
    "/collections/{collection_id}/map/tiles",
    summary="Map tilesets of a collection",
    operation_id="tiles.collection.map.getTileSetsList",
)
async def map_tilesets(
    request: Request, house: Inside, asker: Asker, collection_id: str, f: Format = None, lang: Language = None
) -> Response:
    """The map tilesets of a raster collection, one per tile matrix set."""
    layer, _ = _raster_layer(house, asker, collection_id)
    return _tilesets(request, layer, "map/tiles", "map", f, lang)


@router.get(
    "/collections/{collection_id}/tiles/{tile_matrix_set}",
    summary="A vector tileset",
    operation_id="tiles.collection.vector.getTileSet",
)
async def vector_tileset(
    request: Request,
    house: Inside,
    asker: Asker,
    collection_id: str,
    tile_matrix_set: TileMatrixSet,
    f: Annotated[str | None, Query(description="Format: json, tilejson or html.")] = None,
    lang: Language = None,
) -> Response:
    """Tileset metadata, or TileJSON 3.0 with `f=tilejson`."""
    layer, decision = _vector_layer(house, asker, collection_id)
    grid.tile_matrix_set(tile_matrix_set)
    states = await house.states(asker, [layer])
    chosen = negotiate(request, f, _TILESET_FORMATS)
    if chosen == "tilejson":
        return document(
            request, "tilejson", vector_tilejson(request, layer, decision, states[layer.name]), chosen, lang
        )
    return _tileset(request, layer, "tiles", "vector", (states[layer.name], chosen, lang))


@router.get(
    "/collections/{collection_id}/map/tiles/{tile_matrix_set}",
    summary="A map tileset",
    operation_id="tiles.collection.map.getTileSet",
)
async def map_tileset(
    request: Request,
    house: Inside,
    asker: Asker,
    collection_id: str,
    tile_matrix_set: TileMatrixSet,
    f: Annotated[str | None, Query(description="Format: json, tilejson or html.")] = None,
    lang: Language = None,
) -> Response:
    """Tileset metadata, or TileJSON 3.0 with `f=tilejson`."""
    layer, _ = _raster_layer(house, asker, collection_id)
    grid.tile_matrix_set(tile_matrix_set)
    states = await house.states(asker, [layer])
    chosen = negotiate(request, f, _TILESET_FORMATS)
    if chosen == "tilejson":
        body = _tilejson(request, layer, states[layer.name], "map/tiles", "png")
        return document(request, "tilejson", body, chosen, lang)
    return _tileset(request, layer, "map/tiles", "map", (states[layer.name], chosen, lang))


def vector_tilejson(request: Request, layer: VectorLayer, decision: Decision, state: LayerState) -> dict[str, Any]:
    """TileJSON 3.0 of a vector layer, with the fields the principal may see."""
    fields = {"key": "public id"}
    for name in vector.tile_attributes(layer, decision):
        attribute = layer.attributes[name]
        fields[name] = attribute.title.en if attribute.title else attribute.type
    if layer.tiles.mosaic is not None:
        fields |= {
            "count": "features of the prevailing value (low zooms)",
            "share": "its share of the area (low zooms)",
        }
    body = _tilejson(request, layer, state, "tiles", "mvt")
    names = [name for name in (layer.name, label_source_layer(layer)) if name]
    body["vector_layers"] = [
        {"id": name, "fields": fields, "minzoom": layer.tiles.from_, "maxzoom": layer.tiles.to} for name in names
    ]
    return body


def _tilejson(
    request: Request, layer: VectorLayer | RasterLayer, state: LayerState, way: str, ending: str
) -> dict[str, Any]:
    template = url(request, f"/collections/{layer.name}/{way}/{QUAD}") + "/{z}/{y}/{x}?f=" + ending
    layer = layer.crediting(state.mappings)
    body: dict[str, Any] = {
        "tilejson": "3.0.0",
        "name": layer.title.en,
        "description": layer.abstract.en if layer.abstract else layer.title.en,
        "scheme": "xyz",
        "tiles": [template],
        "minzoom": layer.tiles.from_,
        "maxzoom": layer.tiles.to,
        "attribution": layer.licence.attribution or "",
        "version": f"{state.edition or 0}.0.0",
    }
    if state.extent is not None:
        limit = vector.MERCATOR_LIMIT
        west, south, east, north = state.extent.as_list()
        body["bounds"] = [west, max(south, -limit), east, min(north, limit)]
        body["center"] = [(west + east) / 2, (body["bounds"][1] + body["bounds"][3]) / 2, layer.tiles.from_]
    return body


def _vector_layer(house: House, asker: Principal, name: str) -> tuple[VectorLayer, Decision]:
    layer, decision = house.open_layer(asker, name)
    if not isinstance(layer, VectorLayer):
        raise UnknownLayer(f"Collection {layer.name} has no vector tiles.")
    return layer, decision


def _raster_layer(house: House, asker: Principal, name: str) -> tuple[RasterLayer, Decision]:
    layer, decision = house.open_layer(asker, name)
    if not isinstance(layer, RasterLayer):
        raise UnknownLayer(f"Collection {layer.name} is no raster: it has vector tiles.")
    return layer, decision


def _tilesets(request: Request, layer: Layer, way: str, kind: str, f: str | None, lang: str | None) -> Response:
    chosen = negotiate(request, f, DOCUMENT)
    path = f"/collections/{layer.name}/{way}"
    entry = {
        "title": layer.title.of(lang or "en"),
        "dataType": kind,
        "crs": grid.crs_uri(QUAD),
        "tileMatrixSetURI": grid.uri(QUAD),
        "links": [link(url(request, f"{path}/{QUAD}"), "self", JSON)],
    }
    body = {"tilesets": [entry], "links": self_links(request, path, chosen, DOCUMENT)}
    return document(request, "tilesets", body, chosen, lang)


def _tileset(
    request: Request, layer: VectorLayer | RasterLayer, way: str, kind: str, asked: tuple[LayerState, str, str | None]
) -> Response:
    state, chosen, lang = asked
    path = f"/collections/{layer.name}/{way}/{QUAD}"
    media, ending = (MVT, "mvt") if kind == "vector" else ("image/png", "png")
    template = url(request, path) + "/{tileMatrix}/{tileRow}/{tileCol}?f=" + ending
    body: dict[str, Any] = {
        "title": layer.title.of(lang or "en"),
        "dataType": kind,
        "crs": grid.crs_uri(QUAD),
        "tileMatrixSetURI": grid.uri(QUAD),
        "links": [
            *self_links(request, path, chosen, _TILESET_FORMATS),
            link(url(request, f"/tileMatrixSets/{QUAD}"), f"{_REL}/tiling-scheme", JSON),
            link(template, "item", media, templated=True),
        ],
    }
    if credit := layer.crediting(state.mappings).licence.attribution:
        body["attribution"] = credit
    if state.extent is not None:
        body["tileMatrixSetLimits"] = grid.limits(QUAD, state.extent, layer.tiles.from_, layer.tiles.to)
        low, high = state.extent.as_list()[:2], state.extent.as_list()[2:]
        body["boundingBox"] = {
            "lowerLeft": low,
            "upperRight": high,
            "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        }
    return document(request, "tileset", body, chosen, lang)


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/tileMatrixSets"), f"{_REL}/tiling-schemes", JSON, "Tile matrix sets")]


BLOCK = Block(
    name="tiles",
    spec="https://docs.ogc.org/is/20-057/20-057.html",
    maturity="stable",
    conformance=tuple(
        f"{SPEC}/ogcapi-tiles-1/1.0/conf/{name}"
        for name in ("core", "tileset", "tilesets-list", "geodata-tilesets", "mvt", "png", "oas30")
    ),
    router=router,
    links=_links,
)
