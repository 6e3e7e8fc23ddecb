"""Maps as images, for reports and messages: no client, no JavaScript, one address per map."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.house import Asker, Inside
from geoservice.http.documents import language_of
from geoservice.http.encoding import encoded
from geoservice.http.negotiation import negotiate
from geoservice.http.parameters import together
from geoservice.maps.encode import JPEG, PNG, WEBP, encoded_map
from geoservice.maps.renderer import MOST_PIXELS
from geoservice.maps.static import StaticMap, plane_around, plane_at, static_map
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.common import Language
from layers.errors import BadParameter, TooLarge
from layers.extent import MAX_LAT, MAX_LON, parse_bbox
from tiles.plane import MOST_DETAILED, Plane, map_crs

router = APIRouter(tags=["static map"])
_FORMATS = {"png": PNG, "jpeg": JPEG, "webp": WEBP}
_RATIOS = (1, 2)
_LEAST_SIDE, _MOST_LAYERS, _DIGITS = 16, 40, 6
_Text = str | None


@dataclass(frozen=True)
class Wish:
    """The query parameters of a map, as they were written."""

    layers: Annotated[_Text, Query(description="Collections, with commas; default: those the portal shows.")] = None
    bbox: Annotated[_Text, Query(description="west,south,east,north in degrees: what the map shows.")] = None
    center: Annotated[_Text, Query(description="lon,lat in degrees of the middle, together with zoom.")] = None
    zoom: Annotated[_Text, Query(description="Zoom level (of tiles of 512 points), 0 to 24.")] = None
    width: Annotated[_Text, Query(description="Width in points; default 800.")] = None
    height: Annotated[_Text, Query(description="Height in points; default 600.")] = None
    ratio: Annotated[_Text, Query(description="Pixels per point: 1 or 2.")] = None
    crs: Annotated[_Text, Query(description="CRS of the map, such as EPSG:4490; default EPSG:3857.")] = None
    furniture: Annotated[_Text, Query(description="yes or no: scale bar and credits; default yes.")] = None

    def chosen(self, language: str, most: int) -> StaticMap:
        """The map that is meant.

        Raises:
            BadParameter: When a parameter is no good, or neither bbox nor center and zoom are given.
            TooLarge: When the image would be too large.
            CrsRefused: When maps are not drawn in the CRS.
        """
        ratio = _whole("ratio", self.ratio or "1", *_RATIOS)
        width = _whole("width", self.width or "800", _LEAST_SIDE, most // ratio)
        height = _whole("height", self.height or "600", _LEAST_SIDE, most // ratio)
        if width * height * ratio * ratio > MOST_PIXELS:
            raise TooLarge(f"A map has at most {MOST_PIXELS} pixels.", maximum=MOST_PIXELS)
        names = tuple(name.strip() for name in self.layers.split(",")) if self.layers else ()
        if len(names) > _MOST_LAYERS:
            raise BadParameter(f"layers names at most {_MOST_LAYERS} collections.", parameter="layers")
        if self.furniture not in (None, "yes", "no"):
            raise BadParameter("furniture is yes or no.", parameter="furniture")
        return StaticMap(self._plane(width, height), names, language, ratio, self.furniture != "no")

    def _plane(self, width: int, height: int) -> Plane:
        crs = map_crs(self.crs or "EPSG:3857")
        if (self.bbox is None) == (self.center is None) or (self.center is None) != (self.zoom is None):
            raise BadParameter("The place is given as bbox, or as center together with zoom.", parameter="bbox")
        if self.bbox is not None:
            box = parse_bbox(self.bbox)
            if box.west > box.east:
                raise BadParameter("The bbox of a map does not cross 180 degrees.", parameter="bbox")
            return plane_around(crs, (box.west, box.south, box.east, box.north), width, height)
        lon, lat = _numbers("center", self.center or "", 2)
        (zoom,) = _numbers("zoom", self.zoom or "", 1)
        if abs(lon) > MAX_LON or abs(lat) >= MAX_LAT or not 0 <= zoom <= MOST_DETAILED:
            raise BadParameter("center is lon,lat in degrees, zoom a number from 0 to 24.", parameter="center")
        return plane_at(crs, (lon, lat), zoom, (width, height))


@router.get("/maps/static", summary="A map as an image", response_class=Response)
async def static(
    request: Request,
    house: Inside,
    asker: Asker,
    wish: Annotated[Wish, together(Wish)],
    f: Annotated[_Text, Query(description="Format: png, jpeg or webp.")] = None,
    lang: Language = None,
) -> Response:
    """The layers you may see as the portal draws them, with a scale bar and credits."""
    media = _FORMATS[negotiate(request, f, _FORMATS)]
    wanted = wish.chosen(language_of(request, lang), house.settings.map_max_side)
    picture = await static_map(house, asker, wanted)
    body = await asyncio.to_thread(encoded_map, picture, media)
    headers = {"Cache-Control": "no-cache" if asker.anonymous else "private, no-cache"}
    return encoded(request, body, media, headers)


def _whole(name: str, text: str, lowest: int, highest: int) -> int:
    good = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    if not good or not lowest <= int(text) <= highest:
        raise BadParameter(
            f"{name} is a whole number from {lowest} to {highest}; {text[:30]!r} is not.", parameter=name
        )
    return int(text)


def _numbers(name: str, text: str, count: int) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise BadParameter(f"{name} is {count} finite number(s); {text[:40]!r} is not.", parameter=name)
    return numbers


BLOCK = Block("static map", None, "stable", (), router, no_links)
