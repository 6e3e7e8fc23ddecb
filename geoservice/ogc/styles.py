"""OGC API Styles: MapLibre styles of the layers that a reader may see, with all that a map needs to be drawn.

Style documents name this service alone: tiles, sprite and glyphs. `map` is the style of the whole map; each collection
has the style `default`, which is listed under the name of the collection too.
"""

from __future__ import annotations

from importlib import resources
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from geoservice.features.state import LayerState
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document, language_of
from geoservice.http.encoding import encoded
from geoservice.http.links import base_url, link, self_links, url
from geoservice.http.negotiation import DOCUMENT, JSON, negotiate
from geoservice.ogc.block import SPEC, Block
from geoservice.ogc.common import Format, Language
from layers.access import Principal, decide
from layers.errors import UnknownLayer, UnknownResource
from layers.maplibre import legend
from layers.model import Layer, RasterLayer, TableLayer
from layers.stylesheet import Drawn, as_seen, images, stylesheet
from tiles.sprite import sheet
from tiles.vector import MERCATOR_LIMIT
from web.assets import STACK

router = APIRouter(tags=["styles"])
WHOLE, DEFAULT = "map", "default"
"""Name of the style of the whole map, and of the one style of a collection."""
MAPBOX = "application/vnd.mapbox.style+json"
GLYPHS = "application/x-protobuf"
PNG = "image/png"
_SHEET = {"mapbox": MAPBOX, "json": JSON, "html": "text/html"}
_SPRITES = {"sprite": 1, "sprite@2x": 2}
_KEPT = {"Cache-Control": "public, max-age=86400"}
_RANGE, _LAST = 256, 65536
_TITLE = {"zh": "全部图层", "en": "All layers"}

StyleName = Annotated[str, Path(description="Style: map, or the name of a collection.")]
SheetFormat = Annotated[str | None, Query(alias="f", description="Format: mapbox, json or html.")]


@router.get("/styles", summary="Styles")
async def styles(request: Request, house: Inside, asker: Asker, f: Format = None, lang: Language = None) -> Response:
    """The styles that the principal may see: one for the whole map, one per collection."""
    chosen = negotiate(request, f, DOCUMENT)
    language = language_of(request, lang)
    titles = {WHOLE: _TITLE[language]} | {one.name: one.title.of(language) for one in _drawable(house, asker)}
    body = {
        "default": WHOLE,
        "styles": [_entry(request, f"/styles/{name}", name, title) for name, title in titles.items()],
        "links": self_links(request, "/styles", chosen, DOCUMENT),
    }
    return document(request, "styles", body, chosen, lang)


@router.get("/styles/{style_id}", summary="A style", response_class=Response)
async def style(
    request: Request, house: Inside, asker: Asker, style_id: StyleName, f: SheetFormat = None, lang: Language = None
) -> Response:
    """The style as a MapLibre style document (version 8) that names this service alone."""
    chosen = negotiate(request, f, _SHEET)
    body = await _sheet(request, house, asker, style_id, language_of(request, lang))
    return document(request, "style", body, chosen, lang, _SHEET[chosen], _private(asker))


@router.get("/styles/{style_id}/metadata", summary="What a style draws")
async def style_metadata(
    request: Request, house: Inside, asker: Asker, style_id: StyleName, f: Format = None, lang: Language = None
) -> Response:
    """Title, layers with their legends, and addresses of a style."""
    chosen = negotiate(request, f, DOCUMENT)
    language = language_of(request, lang)
    shown = _members(house, asker, style_id)
    path = f"/styles/{style_id}"
    body = {
        "id": style_id,
        "title": _TITLE[language] if style_id == WHOLE else shown[0].title.of(language),
        "scope": "style",
        "stylesheets": [{"title": "MapLibre", "version": "8", "native": True, "link": _sheet_link(request, path)}],
        "layers": [_described(house, asker, layer, language) for layer in shown],
        "links": self_links(request, f"{path}/metadata", chosen, DOCUMENT),
    }
    return document(request, "stylemetadata", body, chosen, lang)


@router.get("/styles/{style_id}/{resource}", summary="A sprite of a style", response_class=Response)
async def sprite(
    request: Request,
    house: Inside,
    asker: Asker,
    style_id: StyleName,
    resource: Annotated[str, Path(description="sprite.json, sprite.png, sprite@2x.json or sprite@2x.png.")],
) -> Response:
    """The images that a style asks for, as one picture and its index."""
    name, _, ending = resource.partition(".")
    if name not in _SPRITES or ending not in ("json", "png"):
        raise UnknownResource("A style has sprite.json, sprite.png, sprite@2x.json and sprite@2x.png.")
    shown = [_seen(asker, layer) for layer in _members(house, asker, style_id)]
    names = images(stylesheet([Drawn(one, "") for one in shown], house.catalog.codelists, "", {})["layers"])
    made = sheet(names, _SPRITES[name])
    if ending == "png":
        return encoded(request, made.picture, PNG, _private(asker))
    return encoded(request, made.index_text, JSON, _private(asker))


@router.get("/collections/{collection_id}/styles", summary="Styles of a collection")
async def collection_styles(
    request: Request, house: Inside, asker: Asker, collection_id: str, f: Format = None, lang: Language = None
) -> Response:
    """The styles of a collection: one, which follows from its definition."""
    layer = _drawn_layer(house, asker, collection_id)
    chosen = negotiate(request, f, DOCUMENT)
    path = f"/collections/{layer.name}/styles"
    title = layer.title.of(language_of(request, lang))
    entries = [_entry(request, f"{path}/{DEFAULT}", DEFAULT, title)]
    body = {"default": DEFAULT, "styles": entries, "links": self_links(request, path, chosen, DOCUMENT)}
    return document(request, "styles", body, chosen, lang)


@router.get(
    "/collections/{collection_id}/styles/{style_id}", summary="A style of a collection", response_class=Response
)
async def collection_style(
    request: Request,
    house: Inside,
    asker: Asker,
    collection_id: str,
    style_id: Annotated[str, Path(description="Style: default.")],
    f: SheetFormat = None,
    lang: Language = None,
) -> Response:
    """The style of a collection as a MapLibre style document."""
    layer = _drawn_layer(house, asker, collection_id)
    if style_id != DEFAULT:
        raise UnknownResource(f"Collection {layer.name} has the style {DEFAULT}; there is no {style_id[:60]!r}.")
    chosen = negotiate(request, f, _SHEET)
    body = await _sheet(request, house, asker, layer.name, language_of(request, lang))
    return document(request, "style", body, chosen, lang, _SHEET[chosen], _private(asker))


@router.get("/fonts/{stack}/{file}", summary="Glyphs of a font", response_class=Response)
async def glyphs(
    request: Request,
    stack: Annotated[str, Path(description="Font stack, such as Noto Sans Regular.")],
    file: Annotated[str, Path(description="Range of 256 characters, such as 0-255.pbf.")],
) -> Response:
    """Label glyphs of 256 characters, Chinese included, as signed distance fields."""
    first, dash, rest = file.partition("-")
    start = int(first) if first.isascii() and first.isdigit() and len(first) <= len(str(_LAST)) else -1
    known = start % _RANGE == 0 and start < _LAST and f"{dash}{rest}" == f"-{start + _RANGE - 1}.pbf"
    if STACK not in (name.strip() for name in stack.split(",")) or not known:
        raise UnknownResource(f"There are glyphs of {STACK}, in ranges 0-255.pbf, 256-511.pbf and so on.")
    body = resources.files("web").joinpath("static", "vendor", "glyphs", STACK, file).read_bytes()
    return encoded(request, body, GLYPHS, _KEPT)


async def _sheet(request: Request, house: House, asker: Principal, style_id: str, language: str) -> dict[str, Any]:
    members = _members(house, asker, style_id)
    states = await house.states(asker, members)
    whole = style_id == WHOLE
    drawn = [_drawn(request, asker, layer, states[layer.name], whole) for layer in members]
    name = _TITLE[language] if whole else members[0].title.of(language)
    addresses = {
        "glyphs": f"{base_url(request)}/fonts/{{fontstack}}/{{range}}.pbf",
        "sprite": url(request, f"/styles/{style_id}/sprite"),
    }
    body = stylesheet(drawn, house.catalog.codelists, name, addresses, language)
    if not images(body["layers"]):
        del body["sprite"]
    return body


def _drawn(request: Request, asker: Principal, layer: Layer, state: LayerState, whole: bool) -> Drawn:
    way = "map/tiles" if isinstance(layer, RasterLayer) else "tiles"
    tiles = url(request, f"/collections/{layer.name}/{way}/WebMercatorQuad") + "/{z}/{y}/{x}"
    bounds = None
    if state.extent is not None and state.extent.west <= state.extent.east:
        west, south, east, north = state.extent.as_list()
        bounds = (west, max(south, -MERCATOR_LIMIT), east, min(north, MERCATOR_LIMIT))
    visible = not whole or (layer.portal.visible and state.edition is not None)
    return Drawn(_seen(asker, layer.crediting(state.mappings)), tiles, bounds, visible)


def _seen(asker: Principal, layer: Layer) -> Layer:
    return as_seen(layer, decide(asker, "read", layer).attributes)


def _members(house: House, asker: Principal, style_id: str) -> tuple[Layer, ...]:
    """The layers of a style, as far as the principal may see them.

    Raises:
        UnknownResource: When there is no such style, or none that the principal may see.
    """
    drawable = _drawable(house, asker)
    found = drawable if style_id == WHOLE else tuple(layer for layer in drawable if layer.name == style_id)
    if not found and style_id != WHOLE:
        raise UnknownResource(f"There is no style {style_id[:60]!r}; /styles lists those there are.")
    return found


def _drawable(house: House, asker: Principal) -> tuple[Layer, ...]:
    return tuple(layer for layer in house.visible(asker) if not isinstance(layer, TableLayer))


def _drawn_layer(house: House, asker: Principal, name: str) -> Layer:
    layer, _ = house.open_layer(asker, name)
    if isinstance(layer, TableLayer):
        raise UnknownLayer(f"Collection {layer.name} is a table: it has no geometry and no style.")
    return layer


def _described(house: House, asker: Principal, layer: Layer, language: str) -> dict[str, Any]:
    kind = "raster" if isinstance(layer, RasterLayer) else "vector"
    classes = [one.as_dict() for one in legend(_seen(asker, layer), house.catalog.codelists)]
    return {"id": layer.name, "title": layer.title.of(language), "type": kind, "legend": classes}


def _entry(request: Request, path: str, name: str, title: str) -> dict[str, Any]:
    return {"id": name, "title": title, "links": [_sheet_link(request, path)]}


def _sheet_link(request: Request, path: str) -> dict[str, Any]:
    return link(url(request, path, f="mapbox"), "stylesheet", MAPBOX, "MapLibre")


def _private(asker: Principal) -> dict[str, str]:
    return {"Cache-Control": "no-cache" if asker.anonymous else "private, no-cache"}


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/styles"), "http://www.opengis.net/def/rel/ogc/1.0/styles", JSON, "Styles")]


BLOCK = Block(
    name="styles",
    spec="https://docs.ogc.org/DRAFTS/20-009.html",
    maturity="draft",
    conformance=tuple(f"{SPEC}/ogcapi-styles-1/0.0/conf/{name}" for name in ("core", "mapbox-style")),
    router=router,
    links=_links,
)
