"""What part of the ground a WMS request means, in which CRS and axis order, on how many pixels."""

from __future__ import annotations

import math

from geoservice.maps.renderer import MOST_PIXELS
from geoservice.wms.pairs import Pairs, WmsError
from layers.errors import CrsRefused
from tiles.plane import MapCrs, Plane, map_crs

_SIDES = 4


def plane_of(pairs: Pairs, most: int) -> Plane:
    """The image of a request.

    In version 1.3.0 a box is written in the axis order of its CRS: EPSG:4326, EPSG:4490 and the Gauss-Krueger zones
    have the north axis first, EPSG:3857 and CRS:84 the east axis (06-042, 6.7.2). In 1.1.1 east is always first.

    Args:
        pairs: The parameters.
        most: Pixels that a side may have.

    Raises:
        WmsError: When CRS, box or size are missing or no good.
    """
    old = pairs.version == "1.1.1"
    crs = _crs(pairs.need("SRS" if old else "CRS"), old)
    width, height = pairs.number("WIDTH", 1, most), pairs.number("HEIGHT", 1, most)
    if width * height > MOST_PIXELS:
        raise WmsError(
            f"A map has at most {MOST_PIXELS} pixels; {width} x {height} are {width * height}.", "InvalidParameterValue"
        )
    numbers = _numbers(pairs.need("BBOX"))
    if crs.swapped and not old:
        numbers = [numbers[1], numbers[0], numbers[3], numbers[2]]
    left, bottom, right, top = numbers
    if left >= right or bottom >= top:
        raise WmsError(
            "BBOX is minx,miny,maxx,maxy in the axis order of the CRS, with each minimum below its maximum.",
            "InvalidParameterValue",
        )
    return Plane(crs, (left, bottom, right, top), width, height)


def _crs(name: str, old: bool) -> MapCrs:
    try:
        return map_crs(name)
    except CrsRefused as error:
        raise WmsError(error.detail, "InvalidSRS" if old else "InvalidCRS") from None


def _numbers(text: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != _SIDES or not all(map(math.isfinite, numbers)):
        raise WmsError(f"BBOX is four numbers, separated by commas; {text[:60]!r} is not.", "InvalidParameterValue")
    return numbers
