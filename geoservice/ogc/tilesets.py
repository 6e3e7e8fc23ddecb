"""OGC API Tiles Part 1: tile matrix sets, lists of tilesets, metadata of a tileset, TileJSON 3.0."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from geoservice.features.state import LayerState
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import DOCUMENT, HTML, JSON, MVT, negotiate
from geoservice.http.tile_answer import DROPPED
from geoservice.ogc.block import SPEC, Block
from geoservice.ogc.common import Format, Language
from layers.access import Decision, Principal
from layers.crs import CRS84_URI
from layers.errors import BadParameter, UnknownLayer
from layers.maplibre import label_source_layer
from layers.model import RasterLayer, VectorLayer
from tiles import vector
from tiles.budget import TILE_BYTES
from tiles.fields import zoom_steps
from tiles.grid import MERCATOR_LATITUDE, WEB_MERCATOR_QUAD
from tiles.order import importance_in_words
from tiles.sets.model import MatrixSet
from tiles.sets.standard import world_ids

router = APIRouter(tags=["tiles"])
Kind = Literal["vector", "map"]
Drawn = VectorLayer | RasterLayer
TILEJSON = "application/json"
_TILESET_FORMATS = {"json": JSON, "tilejson": TILEJSON, "html": HTML}
_REL = "http://www.opengis.net/def/rel/ogc/1.0"
_WAYS: dict[Kind, str] = {"vector": "tiles", "map": "map/tiles"}
_FIELDS = {
    "key": "public id",
    "count": "number of features that one stands for (low zooms)",
    "share": "share of the prevailing value (low zooms)",
    "classes": "JSON object of the most frequent values and their counts (low zooms)",
}
_TILES: dict[Kind, tuple[str, str]] = {"vector": (MVT, "mvt"), "map": ("image/png", "png")}

TileMatrixSet = Annotated[str, Path(alias="tile_matrix_set", description="Tile matrix set, such as WebMercatorQuad.")]
TilesetFormat = Annotated[str | None, Query(description="Format: json, tilejson or html.")]


@router.get("/tileMatrixSets", summary="Tile matrix sets", operation_id="tiles.getTileMatrixSetsList")
async def tile_matrix_sets(request: Request, house: Inside, f: Format = None, lang: Language = None) -> Response:
    """The tile matrix sets this service knows."""
    chosen = negotiate(request, f, DOCUMENT)
    entries = [
        {
            "id": grid.id,
            "title": grid.title.of(lang or "en"),
            "uri": uri_of(request, grid),
            "crs": grid.crs_uri,
            "links": [link(url(request, f"/tileMatrixSets/{grid.id}"), "self", JSON)],
        }
        for grid in house.grids
    ]
    body = {"tileMatrixSets": entries, "links": self_links(request, "/tileMatrixSets", chosen, DOCUMENT)}
    return document(request, "tilematrixsets", body, chosen, lang)


@router.get("/tileMatrixSets/{tile_matrix_set}", summary="One tile matrix set", operation_id="tiles.getTileMatrixSet")
async def tile_matrix_set_document(
    request: Request, house: Inside, tile_matrix_set: TileMatrixSet, f: Format = None, lang: Language = None
) -> Response:
    """Definition of a tile matrix set (OGC 17-083r4, JSON encoding)."""
    chosen = negotiate(request, f, DOCUMENT)
    grid = house.grids.get(tile_matrix_set)
    body = {**grid.document, "title": grid.title.of(lang or "en"), "uri": uri_of(request, grid)}
    return document(request, "tilematrixset", body, chosen, lang)


@router.get(
    "/collections/{collection_id}/tiles",
    summary="Vector tilesets of a collection",
    operation_id="tiles.collection.vector.getTileSetsList",
)
async def vector_tilesets(
    request: Request, house: Inside, asker: Asker, collection_id: str, f: Format = None, lang: Language = None
) -> Response:
    """The tilesets of a vector collection, one per tile matrix set that its extent meets."""
    layer, _ = vector_layer(house, asker, collection_id)
    states = await house.states(asker, [layer])
    grids = grids_of(house.grids, layer, states[layer.name])
    return _list(request, layer, "vector", grids, f, lang)


@router.get(
    "/collections/{collection_id}/map/tiles",
    summary="Map tilesets of a collection",
    operation_id="tiles.collection.map.getTileSetsList",
)
async def map_tilesets(
    request: Request, house: Inside, asker: Asker, collection_id: str, f: Format = None, lang: Language = None
) -> Response:
    """The map tilesets of a raster collection, one per tile matrix set that its extent meets."""
    layer, _ = raster_layer(house, asker, collection_id)
    states = await house.states(asker, [layer])
    return _list(request, layer, "map", grids_of(house.grids, layer, states[layer.name]), f, lang)


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
    f: TilesetFormat = None,
    lang: Language = None,
) -> Response:
    """Tileset metadata, or TileJSON 3.0 of WebMercatorQuad with `f=tilejson`."""
    layer, decision = vector_layer(house, asker, collection_id)
    grid = house.grids.get(tile_matrix_set)
    chosen = _chosen(request, grid, f)
    state = (await house.states(asker, [layer]))[layer.name]
    if chosen == "tilejson":
        return document(request, "tilejson", vector_tilejson(request, layer, decision, state), chosen, lang)
    body = tileset(request, (layer, state), "vector", grid, lang)
    body["links"] = self_links(request, f"{_path(layer, 'vector')}/{grid.id}", chosen, _formats(grid)) + body["links"]
    return document(request, "tileset", body, chosen, lang)


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
    f: TilesetFormat = None,
    lang: Language = None,
) -> Response:
    """Tileset metadata, or TileJSON 3.0 of WebMercatorQuad with `f=tilejson`."""
    layer, _ = raster_layer(house, asker, collection_id)
    grid = house.grids.get(tile_matrix_set)
    chosen = _chosen(request, grid, f)
    state = (await house.states(asker, [layer]))[layer.name]
    if chosen == "tilejson":
        return document(request, "tilejson", _tilejson(request, layer, state, "map"), chosen, lang)
    body = tileset(request, (layer, state), "map", grid, lang)
    body["links"] = self_links(request, f"{_path(layer, 'map')}/{grid.id}", chosen, _formats(grid)) + body["links"]
    return document(request, "tileset", body, chosen, lang)


def vector_layer(house: House, asker: Principal, name: str) -> tuple[VectorLayer, Decision]:
    """A layer that has vector tiles, and what somebody may see of it.

    Raises:
        UnknownLayer: When there is none that he may see.
    """
    layer, decision = house.open_layer(asker, name)
    if not isinstance(layer, VectorLayer):
        raise UnknownLayer(f"Collection {layer.name} has no vector tiles.")
    return layer, decision


def raster_layer(house: House, asker: Principal, name: str) -> tuple[RasterLayer, Decision]:
    """A layer that has map tiles, and what somebody may see of it.

    Raises:
        UnknownLayer: When there is none that he may see.
    """
    layer, decision = house.open_layer(asker, name)
    if not isinstance(layer, RasterLayer):
        raise UnknownLayer(f"Collection {layer.name} is no raster: it has vector tiles.")
    return layer, decision


def uri_of(request: Request, grid: MatrixSet) -> str:
    """URI of a tile matrix set: that of the register, or the address of its document at this service."""
    return str(grid.document["uri"]) if grid.registered else url(request, f"/tileMatrixSets/{grid.id}")


def grids_of(grids: Iterable[MatrixSet], layer: Drawn, state: LayerState) -> list[MatrixSet]:
    """The sets in which tiles of a layer are offered: those of the world, and others that its extent meets."""
    return [
        grid
        for grid in grids
        if grid.id in world_ids()
        or (state.extent is not None and grid.reaches(state.extent) and grid.levels(layer.tiles.from_, layer.tiles.to))
    ]


def _formats(grid: MatrixSet) -> dict[str, str]:
    """TileJSON knows no tile matrix sets: it always means WebMercatorQuad."""
    return _TILESET_FORMATS if grid.id == WEB_MERCATOR_QUAD else DOCUMENT


def _chosen(request: Request, grid: MatrixSet, f: str | None) -> str:
    if f == "tilejson" and grid.id != WEB_MERCATOR_QUAD:
        raise BadParameter(
            f"TileJSON describes tiles of {WEB_MERCATOR_QUAD} only; for {grid.id} f is json or html.", parameter="f"
        )
    return negotiate(request, f, _formats(grid))


def _path(layer: Drawn, kind: Kind) -> str:
    return f"/collections/{layer.name}/{_WAYS[kind]}"


def _list(
    request: Request, layer: Drawn, kind: Kind, grids: Iterable[MatrixSet], f: str | None, lang: str | None
) -> Response:
    chosen = negotiate(request, f, DOCUMENT)
    path = _path(layer, kind)
    entries = [
        {
            **_about(request, layer, kind, grid, lang),
            "links": [
                link(url(request, f"{path}/{grid.id}"), "self", JSON),
                link(url(request, f"/tileMatrixSets/{grid.id}"), f"{_REL}/tiling-scheme", JSON),
            ],
        }
        for grid in grids
    ]
    body = {"tilesets": entries, "links": self_links(request, path, chosen, DOCUMENT)}
    return document(request, "tilesets", body, chosen, lang)


def _about(request: Request, layer: Drawn, kind: Kind, grid: MatrixSet, lang: str | None) -> dict[str, Any]:
    language = lang or "en"
    return {
        "title": f"{layer.title.of(language)}: {grid.title.of(language)}",
        "dataType": kind,
        "crs": grid.crs_uri,
        "tileMatrixSetURI": uri_of(request, grid),
    }


def tileset(
    request: Request, drawn: tuple[Drawn, LayerState], kind: Kind, grid: MatrixSet, lang: str | None
) -> dict[str, Any]:
    """Metadata of the tileset of a layer in a set, with links to the set and to the tiles."""
    layer, state = drawn
    media, ending = _TILES[kind]
    template = url(request, f"{_path(layer, kind)}/{grid.id}") + "/{tileMatrix}/{tileRow}/{tileCol}?f=" + ending
    body: dict[str, Any] = {
        **_about(request, layer, kind, grid, lang),
        "links": [
            link(url(request, f"/tileMatrixSets/{grid.id}"), f"{_REL}/tiling-scheme", JSON),
            link(template, "item", media, templated=True),
        ],
    }
    if credit := layer.crediting(state.mappings).licence.attribution:
        body["attribution"] = credit
    if state.extent is not None:
        if limits := grid.limits(state.extent, grid.levels(layer.tiles.from_, layer.tiles.to)):
            body["tileMatrixSetLimits"] = limits
        west, south, east, north = state.extent.as_list()
        body["boundingBox"] = {"lowerLeft": [west, south], "upperRight": [east, north], "crs": CRS84_URI}
    return body


def vector_tilejson(request: Request, layer: VectorLayer, decision: Decision, state: LayerState) -> dict[str, Any]:
    """TileJSON 3.0 of a vector layer, with the fields the principal may see."""
    steps = zoom_steps(layer, decision)
    carried = dict.fromkeys(name for step in steps for name in step.fields)
    fields = {name: _field(layer, name) for name in carried}
    body = _tilejson(request, layer, state, "vector")
    names = [name for name in (layer.name, label_source_layer(layer)) if name]
    body["vector_layers"] = [
        {"id": name, "fields": fields, "minzoom": layer.tiles.from_, "maxzoom": layer.tiles.to} for name in names
    ]
    # Beyond TileJSON: what features carry changes with the zoom level, and what stays when a tile would be too large.
    body["steps"] = [
        {"minzoom": step.from_, "maxzoom": step.to, "source": step.source, "fields": list(step.fields)}
        for step in steps
    ]
    body["exact"] = layer.exact_from
    order = importance_in_words(layer, vector.tile_attributes(layer, decision))
    body["budget"] = {"bytes": TILE_BYTES, "dropped": DROPPED, "importance": order}
    return body


def _field(layer: VectorLayer, name: str) -> str:
    attribute = layer.attributes.get(name)
    if attribute is None:
        return _FIELDS[name]
    return attribute.title.en if attribute.title else attribute.type


def _tilejson(request: Request, layer: Drawn, state: LayerState, kind: Kind) -> dict[str, Any]:
    return tilejson(request, layer, state, _path(layer, kind), _TILES[kind][1])


def tilejson(request: Request, layer: Drawn, state: LayerState, path: str, ending: str) -> dict[str, Any]:
    """TileJSON 3.0 of tiles of a layer in WebMercatorQuad, below a path and in a format."""
    template = url(request, f"{path}/{WEB_MERCATOR_QUAD}") + "/{z}/{y}/{x}?f=" + ending
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
        west, south, east, north = state.extent.as_list()
        south, north = max(south, -MERCATOR_LATITUDE), min(north, MERCATOR_LATITUDE)
        body["bounds"] = [west, south, east, north]
        body["center"] = [(west + east) / 2, (south + north) / 2, layer.tiles.from_]
    return body


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/tileMatrixSets"), f"{_REL}/tiling-schemes", JSON, "Tile matrix sets")]


BLOCK = Block(
    name="tilesets",
    spec="https://docs.ogc.org/is/20-057/20-057.html",
    maturity="stable",
    conformance=tuple(f"{SPEC}/ogcapi-tiles-1/1.0/conf/{name}" for name in ("tileset", "tilesets-list")),
    router=router,
    links=_links,
)
