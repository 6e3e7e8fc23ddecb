"""OGC API Tiles Part 1, dataset tilesets: the tilesets of several collections together, and their metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.features.state import LayerState
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import DOCUMENT, JSON, MVT, negotiate
from geoservice.ogc.block import SPEC, Block
from geoservice.ogc.common import Format, Language
from geoservice.ogc.dataset_tiles import Collections
from geoservice.ogc.tilesets import TileMatrixSet, grids_of, uri_of
from geoservice.tiles.several import chosen_layers
from geoservice.tiles.shared_limits import shared_extent, shared_limits
from layers.access import Principal
from layers.crs import CRS84_URI
from layers.model import Text, VectorLayer
from tiles.sets.model import MatrixSet
from tiles.sets.standard import world_ids

router = APIRouter(tags=["tiles"])
_REL = "http://www.opengis.net/def/rel/ogc/1.0"
_TITLE = Text(zh="全部数据", en="All data")


@dataclass(frozen=True)
class Together:
    """Collections that are tiled together.

    Attributes:
        layers: Their layers, in the order of the tile.
        states: What the asker may know of each.
        written: How they were asked for; None for those that the portal shows at first.
        language: `zh` or `en`.
    """

    layers: tuple[VectorLayer, ...]
    states: Mapping[str, LayerState]
    written: str | None
    language: str

    def grids(self, house: House) -> list[MatrixSet]:
        """The sets in which one of them is offered; those of the world in any case."""
        found = {grid.id for one in self.layers for grid in grids_of(house.grids, one, self.states[one.name])}
        return [grid for grid in house.grids if grid.id in found | set(world_ids())]

    def title(self, grid: MatrixSet) -> str:
        """Title of their tileset in a set."""
        names = [one.title.of(self.language) for one in self.layers] if self.written else [_TITLE.of(self.language)]
        return f"{', '.join(names)}: {grid.title.of(self.language)}"


async def _together(house: House, asker: Principal, written: str | None, lang: str | None) -> Together:
    layers = tuple(one.layer for one in chosen_layers(house, asker, written))
    return Together(layers, await house.states(asker, layers), written, lang or "en")


@router.get("/tiles", summary="Vector tilesets of the data set", operation_id="tiles.dataset.vector.getTileSetsList")
async def dataset_tilesets(
    request: Request,
    house: Inside,
    asker: Asker,
    collections: Collections = None,
    f: Format = None,
    lang: Language = None,
) -> Response:
    """The tilesets of several collections together, one per tile matrix set that one of them meets."""
    chosen = negotiate(request, f, DOCUMENT)
    about = await _together(house, asker, collections, lang)
    entries = []
    for grid in about.grids(house):
        own = link(url(request, f"/tiles/{grid.id}", collections=collections), "self", JSON)
        entries.append({**_described(request, about, grid), "links": [own, _scheme(request, grid)]})
    links = self_links(request, "/tiles", chosen, DOCUMENT, collections=collections)
    return document(request, "tilesets", {"tilesets": entries, "links": links}, chosen, lang)


@router.get(
    "/tiles/{tile_matrix_set}",
    summary="A vector tileset of the data set",
    operation_id="tiles.dataset.vector.getTileSet",
)
async def dataset_tileset(
    request: Request,
    house: Inside,
    asker: Asker,
    tile_matrix_set: TileMatrixSet,
    collections: Collections = None,
    f: Format = None,
    lang: Language = None,
) -> Response:
    """Metadata of the tileset of several collections: its limits, and the levels of each."""
    chosen = negotiate(request, f, DOCUMENT)
    grid = house.grids.get(tile_matrix_set)
    about = await _together(house, asker, collections, lang)
    path = f"/tiles/{grid.id}"
    template = url(request, path) + "/{tileMatrix}/{tileRow}/{tileCol}?f=mvt"
    template += f"&{url(request, '', collections=collections).partition('?')[2]}" if collections else ""
    links = self_links(request, path, chosen, DOCUMENT, collections=collections)
    links += [_scheme(request, grid), link(template, "item", MVT, templated=True)]
    body = {**_described(request, about, grid), **_measured(about, grid), "links": links}
    return document(request, "tileset", body, chosen, lang)


def _scheme(request: Request, grid: MatrixSet) -> dict[str, Any]:
    return link(url(request, f"/tileMatrixSets/{grid.id}"), f"{_REL}/tiling-scheme", JSON)


def _described(request: Request, about: Together, grid: MatrixSet) -> dict[str, Any]:
    return {
        "title": about.title(grid),
        "dataType": "vector",
        "crs": grid.crs_uri,
        "tileMatrixSetURI": uri_of(request, grid),
    }


def _measured(about: Together, grid: MatrixSet) -> dict[str, Any]:
    """Layers, credits, box and limits: what clients need before they ask for tiles (OGC 17-083r4, 6.3)."""
    body: dict[str, Any] = {"layers": [_layer(one, grid, about.language) for one in about.layers]}
    credits_ = [one.crediting(about.states[one.name].mappings).licence.attribution for one in about.layers]
    if told := list(dict.fromkeys(credit for credit in credits_ if credit)):
        body["attribution"] = "; ".join(told)
    if limits := shared_limits(grid, about.layers, about.states):
        body["tileMatrixSetLimits"] = limits
    if (extent := shared_extent(about.states.values())) is not None:
        west, south, east, north = extent.as_list()
        body["boundingBox"] = {"lowerLeft": [west, south], "upperRight": [east, north], "crs": CRS84_URI}
    return body


def _layer(layer: VectorLayer, grid: MatrixSet, language: str) -> dict[str, Any]:
    levels = grid.levels(layer.tiles.from_, layer.tiles.to)
    body = {"id": layer.name, "title": layer.title.of(language), "dataType": "vector"}
    return {**body, "minTileMatrix": str(levels[0].level), "maxTileMatrix": str(levels[-1].level)} if levels else body


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/tiles"), f"{_REL}/tilesets-vector", JSON, "Vector tiles of several collections")]


BLOCK = Block(
    name="dataset-tilesets",
    spec="https://docs.ogc.org/is/20-057/20-057.html",
    maturity="stable",
    conformance=(f"{SPEC}/ogcapi-tiles-1/1.0/conf/dataset-tilesets",),
    router=router,
    links=_links,
)
