"""Map tiles of rasters: the style of the collection, or bands, formulas, colours and relief as a request asks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.features.assets import Which, around, read_assets
from geoservice.features.past import instant_asked
from geoservice.house import Asker, House, Inside
from geoservice.http.encoding import encoded
from geoservice.http.negotiation import negotiate
from geoservice.http.parameters import together
from geoservice.http.tile_answer import answer, as_response, wish_of_request
from geoservice.http.waiting import while_connected
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.tiles import Address
from geoservice.ogc.tilesets import raster_layer
from geoservice.tiles.images import ImageRequest, kept_image
from geoservice.tiles.path import IMAGE_PATH
from layers.access import Decision, Principal
from layers.asset import Asset
from layers.errors import BadParameter
from layers.interval import parse_datetime
from layers.model import RasterLayer
from tiles.frame import Frame
from tiles.image import MEDIA_TYPES, image_format
from tiles.raster import RasterTiles
from tiles.view import ALGORITHMS, SIZES, Wish, view_of

router = APIRouter(tags=["maps"])
_IMAGES: dict[str, str] = dict(MEDIA_TYPES.items())


@dataclass(frozen=True)
class Times:
    """The query parameters that say which rasters of a collection are shown."""

    datetime: Annotated[
        str | None, Query(description="RFC 3339 instant, date or interval start/end: rasters that were taken then.")
    ] = None
    as_of: Annotated[str | None, Query(alias="as-of", description="RFC 3339 instant: the rasters there were then.")] = (
        None
    )
    edition: Annotated[str | None, Query(description="Number of an edition: the rasters that it left.")] = None


@dataclass(frozen=True)
class Looks:
    """The query parameters that say how a raster is drawn."""

    bands: Annotated[
        str | None, Query(description="One band, or three for red, green, blue: names or numbers from 1, with commas.")
    ] = None
    expression: Annotated[
        str | None,
        Query(
            description="One formula over bands, or three with semicolons between them, such as (nir-red)/(nir+red): "
            "numbers, bands, + - * / **, comparisons and functions; needs rescale."
        ),
    ] = None
    rescale: Annotated[
        str | None,
        Query(description="low,high: the values that take the ends of the colours; also a pair per channel."),
    ] = None
    colormap: Annotated[str | None, Query(description="Colour map of one channel, by name.")] = None
    algorithm: Annotated[str | None, Query(description=f"What is made of heights: {', '.join(ALGORITHMS)}.")] = None
    azimuth: Annotated[
        str | None,
        Query(description="Hillshade: where the light comes from, degrees clockwise from north; default 315."),
    ] = None
    altitude: Annotated[
        str | None, Query(description="Hillshade: degrees of the light above the horizon; default 45.")
    ] = None
    exaggeration: Annotated[str | None, Query(description="Hillshade and slope: factor of the heights; default 1.")] = (
        None
    )
    opaque: Annotated[
        str | None,
        Query(description="Packed heights: true for sea level instead of transparency where there are no data."),
    ] = None
    size: Annotated[str | None, Query(description=f"Pixels along an edge: {' or '.join(map(str, SIZES))}.")] = None

    def wish(self) -> Wish:
        """The same as a value that knows no HTTP."""
        return Wish(**{field.name: getattr(self, field.name) for field in fields(Wish)})


@dataclass(frozen=True)
class MapQuery(Looks, Times):
    """All query parameters of a map tile but its format."""


@router.get(
    IMAGE_PATH, summary="A map tile of a raster", response_class=Response, operation_id="tiles.collection.map.getTile"
)
async def map_tile(
    request: Request,
    house: Inside,
    asker: Asker,
    collection_id: str,
    address: Address,
    query: Annotated[MapQuery, together(MapQuery)],
    f: Annotated[str | None, Query(description="Format: png, webp or jpeg.")] = None,
) -> Response:
    """An image tile, in the style of the collection unless the request says otherwise; transparent without data."""
    fmt = image_format(negotiate(request, f, _IMAGES))
    layer, decision = raster_layer(house, asker, collection_id)
    place = address.place(house.grids)
    if query == MapQuery():
        asked = ImageRequest(layer, decision, place, fmt)
        entry = await while_connected(request, kept_image(house, asker, asked))
        return as_response(answer(entry, wish_of_request(request.headers), private=layer.clearance > 0))
    view = view_of(layer, query.wish())
    assets = await assets_asked(house, asker, (layer, decision), Frame.of_place(place, view.size), query)
    source = RasterTiles(assets, layer, house.catalog.codelists, fmt, view=view)
    body = await while_connected(request, house.easels.draw(lambda: source.at(place)))
    headers = {"Cache-Control": "no-cache" if layer.clearance == 0 else "private, no-cache"}
    return encoded(request, body, MEDIA_TYPES[fmt], headers)


async def assets_asked(
    house: House, asker: Principal, opened: tuple[RasterLayer, Decision], frame: Frame, when: Times
) -> list[Asset]:
    """The rasters that a frame needs, of the times that a request names, the topmost first.

    Raises:
        BadParameter: When a time is malformed, has not come yet, or the rasters of the collection state none.
    """
    layer, decision = opened
    if when.datetime is not None and layer.time is None:
        raise BadParameter(f"The rasters of {layer.name} do not say when they were taken.", parameter="datetime")
    interval = None if when.datetime is None else parse_datetime(when.datetime)
    async with house.pools.raw(asker.clearance) as connection:
        instant = await instant_asked(connection, layer, when.as_of, when.edition)
        which = Which(around(frame.degrees()), interval, instant)
        return await read_assets(connection, house.reading, layer, decision, house.rasters, which)


BLOCK = Block(
    name="maps",
    spec=None,
    maturity="stable",
    conformance=(),
    router=router,
    links=no_links,
)
