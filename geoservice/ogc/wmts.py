"""Web Map Tile Service 1.0.0: key-value pairs and addresses, and which request goes where."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from geoservice.features.state import LayerState
from geoservice.house import Asker, House, Inside
from geoservice.http.encoding import encoded
from geoservice.http.links import link, url
from geoservice.http.negotiation import GEOJSON, JSON, MVT
from geoservice.http.parameters import FREE_PARAMETERS, together
from geoservice.http.problems import status_of
from geoservice.ogc.block import Block
from geoservice.ogc.tiles import TileAddress
from geoservice.ogc.tilesets import grids_of
from geoservice.wmts.asked import VERSION, Asked, WmtsError
from geoservice.wmts.capabilities import XML, Offer, capabilities, report
from geoservice.wmts.info import feature_info
from geoservice.wmts.tile import ANY_FORMAT, STYLE, Drawn, tile, wanted_tile
from layers.access import Principal
from layers.errors import GeoError
from layers.model import RasterLayer, VectorLayer
from tiles.image import MEDIA_TYPES
from tiles.sets.model import MatrixSet
from tiles.sets.tianditu import with_aliases

router = APIRouter(tags=["wmts"])
Handler = Callable[[Request, House, Principal, Asked], Awaitable[Response]]
_TILE = f"/wmts/{VERSION}/{{collection_id}}/{STYLE}/{{tile_matrix_set}}/{{tile_matrix}}/{{tile_row}}/{{tile_col}}"


@dataclass(frozen=True)
class PixelAddress:
    """The end of the path of a pixel, as it was written."""

    pixel_row: Annotated[str, Path(description="Row of the pixel, from the top of the tile.")]
    pixel_col: Annotated[str, Path(description="Column of the pixel, from the left.")]
    ending: Annotated[str, Path(description="json or geojson.")]


Address = Annotated[TileAddress, together(TileAddress)]
Pixel = Annotated[PixelAddress, together(PixelAddress)]
_ENDINGS: Mapping[str, str] = {"mvt": MVT, **dict(MEDIA_TYPES.items())}
_INFO_ENDINGS = {"json": JSON, "geojson": GEOJSON}
_NOT_FOUND = 404


@router.get("/wmts", summary="Web Map Tile Service 1.0.0", openapi_extra=FREE_PARAMETERS, response_class=Response)
async def wmts(request: Request, house: Inside, asker: Asker) -> Response:
    """GetCapabilities, GetTile and GetFeatureInfo by key-value pairs, as OGC 07-057r7 defines them."""
    asked = Asked(request.query_params.multi_items())
    try:
        return await _handler(asked)(request, house, asker, asked)
    except GeoError as error:
        return _refused(error, None)


@router.get(
    f"/wmts/{VERSION}/WMTSCapabilities.xml",
    summary="Description of the tile service",
    openapi_extra=FREE_PARAMETERS,
    response_class=Response,
)
async def wmts_capabilities(request: Request, house: Inside, asker: Asker) -> Response:
    """The capabilities document, which lists what the asker may see."""
    return await _capabilities(request, house, asker, Asked(()))


@router.get(f"{_TILE}.{{ending}}", summary="A tile", openapi_extra=FREE_PARAMETERS, response_class=Response)
async def wmts_tile(
    request: Request, house: Inside, asker: Asker, collection_id: str, address: Address, ending: str
) -> Response:
    """A tile by its address: `png`, `webp` or `jpeg` of a raster, `png` or `mvt` of a vector layer."""
    try:
        asked = _spelt(collection_id, address, _media(ending, _ENDINGS))
        return await _tile(request, house, asker, asked)
    except GeoError as error:
        return _refused(error, _NOT_FOUND)


@router.get(
    f"{_TILE}/{{pixel_row}}/{{pixel_col}}.{{ending}}",
    summary="What lies at a pixel of a tile",
    openapi_extra=FREE_PARAMETERS,
    response_class=Response,
)
async def wmts_feature_info(
    request: Request, house: Inside, asker: Asker, collection_id: str, address: Address, pixel: Pixel
) -> Response:
    """Features or cells at a pixel, as GeoJSON."""
    try:
        more = {"InfoFormat": _media(pixel.ending, _INFO_ENDINGS), "I": pixel.pixel_col, "J": pixel.pixel_row}
        return await _info(request, house, asker, _spelt(collection_id, address, ANY_FORMAT, more))
    except GeoError as error:
        return _refused(error, _NOT_FOUND)


def _spelt(layer: str, address: TileAddress, media: str, more: Mapping[str, str] | None = None) -> Asked:
    """An address as the parameters that it stands for."""
    place = {
        "TileMatrixSet": address.tile_matrix_set,
        "TileMatrix": address.tile_matrix,
        "TileRow": address.tile_row,
        "TileCol": address.tile_col,
    }
    return Asked({"Layer": layer, "Style": STYLE, "Format": media, **place, **(more or {})}.items())


def _media(ending: str, known: Mapping[str, str]) -> str:
    if ending not in known:
        raise WmtsError(
            f"Addresses end with .{', .'.join(known)}; .{ending[:20]} is not offered.",
            "InvalidParameterValue",
            "Format",
        )
    return known[ending]


def _handler(asked: Asked) -> Handler:
    asked.one_of("Service", ("WMTS",))
    name = asked.one_of("Request", _HANDLERS)
    version = asked.get("Version")
    if name != "GetCapabilities" and asked.need("Version") != VERSION:
        raise WmtsError(f"Version is {VERSION}; {version!r} is not.", "InvalidParameterValue", "Version")
    return _HANDLERS[name]


async def _capabilities(request: Request, house: House, asker: Principal, asked: Asked) -> Response:
    accepted = asked.get("AcceptVersions")
    if accepted is not None and VERSION not in accepted.split(","):
        raise WmtsError(
            f"This service speaks version {VERSION}; none of {accepted[:60]!r} is that.", "VersionNegotiationFailed"
        )
    layers = [one for one in house.visible(asker) if isinstance(one, VectorLayer | RasterLayer)]
    states = await house.states(asker, layers)
    address, grids = url(request, "/wmts"), [one.grid for one in with_aliases(house.grids).values()]
    # Limits of every layer in every zone: the first time in a process, PROJ prepares all of them for seconds.
    body = await run_in_threadpool(_described, address, grids, layers, states)
    return encoded(request, body, XML, _kept(private=not asker.anonymous))


def _described(
    address: str, grids: Sequence[MatrixSet], layers: Sequence[Drawn], states: Mapping[str, LayerState]
) -> bytes:
    offers = [Offer(layer, states[layer.name], grids_of(grids, layer, states[layer.name])) for layer in layers]
    return capabilities(address, offers)


async def _tile(request: Request, house: House, asker: Principal, asked: Asked) -> Response:
    found = await tile(house, asker, wanted_tile(house, asker, asked))
    return encoded(request, found.body, found.media, _kept(private=found.private))


async def _info(request: Request, house: House, asker: Principal, asked: Asked) -> Response:
    wanted = wanted_tile(house, asker, asked)
    body, media = await feature_info(house, asker, wanted, asked)
    return encoded(request, body, media, _kept(private=wanted.layer.clearance > 0))


_HANDLERS: dict[str, Handler] = {"GetCapabilities": _capabilities, "GetTile": _tile, "GetFeatureInfo": _info}


def _refused(error: GeoError, status: int | None) -> Response:
    """An exception report; by address what does not exist is missing, by key-value pairs the request is bad."""
    if isinstance(error, WmtsError):
        body, status = report(error.detail, error.code, error.locator), status or status_of(error)
    else:
        body, status = report(error.detail, "NoApplicableCode", None), status_of(error)
    return Response(body, status, {"Cache-Control": "no-store"}, XML)


def _kept(*, private: bool) -> dict[str, str]:
    return {"Cache-Control": "private, no-cache" if private else "no-cache"}


def _links(request: Request) -> list[dict[str, Any]]:
    address = url(request, f"/wmts/{VERSION}/WMTSCapabilities.xml")
    return [link(address, "alternate", XML, f"Web Map Tile Service {VERSION}")]


BLOCK = Block(
    name="wmts",
    spec="https://portal.ogc.org/files/?artifact_id=35326",
    maturity="stable",
    conformance=(),
    router=router,
    links=_links,
)
