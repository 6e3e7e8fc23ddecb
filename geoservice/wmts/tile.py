"""One tile of one layer, as a WMTS request names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from geoservice.house import House
from geoservice.http.negotiation import MVT
from geoservice.maps.encode import PNG
from geoservice.tiles.drawing import TileRequest, draw
from geoservice.tiles.entry import IDENTITY
from geoservice.tiles.images import ImageRequest, kept_image
from geoservice.tiles.limits import require_offered
from geoservice.wmts.asked import Asked, WmtsError
from geoservice.wmts.picture import crs_of, picture
from layers.access import Decision, Principal
from layers.errors import TileOutside, UnknownLayer
from layers.model import RasterLayer, VectorLayer
from tiles.image import MEDIA_TYPES, ImageFormat, empty_image
from tiles.raster import TILE_SIZE
from tiles.sets.model import Place
from tiles.sets.tianditu import with_aliases

STYLE = "default"
ANY_FORMAT = "tiles"
"""What clients of Tianditu ask for; it stands for the first format of a layer."""
_LOCATORS = {"tile matrix": "TileMatrix", "row": "TileRow", "column": "TileCol"}
Drawn = VectorLayer | RasterLayer


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tile that exists, of a layer that the asker may see."""

    layer: Drawn
    decision: Decision
    media: str
    place: Place


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile; `private` says that its layer is above the public."""

    body: bytes
    media: str
    private: bool


def formats_of(layer: Drawn) -> tuple[str, ...]:
    """Media types in which tiles of a layer come, the one that is meant by `tiles` first."""
    # What Tianditu calls "tiles" are images.
    return (PNG, MVT) if isinstance(layer, VectorLayer) else tuple(MEDIA_TYPES.values())


def endings_of(layer: Drawn) -> dict[str, str]:
    """Media types by the ending of an address."""
    if isinstance(layer, VectorLayer):
        return {"png": PNG, "mvt": MVT}
    return dict(MEDIA_TYPES.items())


def wanted_tile(house: House, asker: Principal, asked: Asked) -> Wanted:
    """The tile that a request names.

    Raises:
        WmtsError: When a parameter is missing, or names nothing that there is for this asker.
    """
    layer, decision = _layer(house, asker, asked.need("Layer"))
    asked.one_of("Style", (STYLE,))
    formats = formats_of(layer)
    media = asked.one_of("Format", (*formats, ANY_FORMAT))
    return Wanted(layer, decision, formats[0] if media == ANY_FORMAT else media, _place(house, asked))


def _layer(house: House, asker: Principal, name: str) -> tuple[Drawn, Decision]:
    """A layer that has tiles; one that the asker may not see looks like one that does not exist."""
    with suppress(UnknownLayer):
        layer, decision = house.open_layer(asker, name)
        if isinstance(layer, VectorLayer | RasterLayer):
            return layer, decision
    raise WmtsError(
        f"There is no layer {name[:60]!r}; GetCapabilities lists those there are.", "InvalidParameterValue", "Layer"
    )


def _place(house: House, asked: Asked) -> Place:
    name = asked.need("TileMatrixSet")
    grids = with_aliases(house.grids)
    if name not in grids:
        raise WmtsError(
            f"There is no tile matrix set {name[:60]!r}; GetCapabilities lists those there are.",
            "InvalidParameterValue",
            "TileMatrixSet",
        )
    address = [asked.need(part) for part in ("TileMatrix", "TileRow", "TileCol")]
    with _named():
        return grids[name].place(address[0], address[1], address[2])


@contextmanager
def _named() -> Iterator[None]:
    """Say of a tile that does not exist which parameter is at fault."""
    try:
        yield
    except TileOutside as error:
        locator = _LOCATORS.get(str(error.facts.get("parameter")), "TileRow")
        code = "InvalidParameterValue" if locator == "TileMatrix" else "TileOutOfRange"
        raise WmtsError(error.detail, code, locator) from None


async def tile(house: House, asker: Principal, wanted: Wanted) -> Tile:
    """Draw a tile. One without anything is an empty vector tile or a transparent image.

    Raises:
        WmtsError: When it lies beyond the limits that the description states, or a set has no images of rows.
        MapUnavailable: When the image of a vector layer takes too long.
    """
    layer = wanted.layer
    if isinstance(layer, RasterLayer):
        body, empty = await _image(house, asker, wanted, layer)
    elif wanted.media == PNG:
        crs = crs_of(wanted.place.grid)
        if crs is None:
            raise WmtsError(
                f"Images are not drawn in {wanted.place.grid.id}; ask for {MVT}.", "InvalidParameterValue", "Format"
            )
        body, empty = await picture(house, asker, (layer, wanted.decision), wanted.place, crs)
    else:
        body = await _vector(house, asker, wanted, layer)
        empty = not body
    if empty:
        with _named():
            await require_offered(house, asker, layer, wanted.place)
    return Tile(body, wanted.media, private=layer.clearance > 0)


async def _vector(house: House, asker: Principal, wanted: Wanted, layer: VectorLayer) -> bytes:
    place = wanted.place
    request = TileRequest(layer, wanted.decision, place.level, place.row, place.col, grid=place.grid)
    return (await draw(house, asker, request)).body


async def _image(house: House, asker: Principal, wanted: Wanted, layer: RasterLayer) -> tuple[bytes, bool]:
    fmt: ImageFormat = next(name for name, media in MEDIA_TYPES.items() if media == wanted.media)
    entry = await kept_image(house, asker, ImageRequest(layer, wanted.decision, wanted.place, fmt))
    body = entry.body(IDENTITY)
    return body, body == empty_image(fmt, TILE_SIZE)
