"""Finished maps for reports: layers as the portal draws them, with a scale bar and credits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from geoservice.house import House
from geoservice.maps.paper import Paper, text_width
from geoservice.maps.picture import MapRequest, Overlay, Shown, draw_map
from layers.access import Principal, decide
from layers.errors import BadParameter
from layers.ladder import WORLD
from layers.model import Layer, TableLayer
from layers.stylesheet import GROUND
from tiles.plane import CELL, Box, MapCrs, Plane, place_in, window

MARGIN, BAR, SIZE = 10.0, 110.0, 11.0
_BED = {"fill-color": "#ffffff", "fill-opacity": 0.75}
_INK = {"line-color": "#333333", "line-width": 1.4}
_KILOMETRE = 1000.0
_SLIM = 1.001
_SEPARATOR = " · "
_ELLIPSIS = "…"


@dataclass(frozen=True)
class StaticMap:
    """A map for a report.

    Attributes:
        plane: The image and the ground that it shows.
        layers: Names of the layers; empty for those that the portal shows at first.
        language: `zh` or `en`.
        ratio: Pixels per point.
        furniture: Whether a scale bar and credits are drawn.
    """

    plane: Plane
    layers: tuple[str, ...] = ()
    language: str = "zh"
    ratio: float = 1.0
    furniture: bool = True


async def static_map(house: House, asker: Principal, wanted: StaticMap) -> bytes:
    """Draw a map for a report as a PNG.

    Raises:
        UnknownLayer: When there is no layer of a name, or none that the principal may see.
        BadParameter: When a layer is a table.
        MapUnavailable: When the map cannot be drawn.
    """
    layers = _named(house, asker, wanted.layers) if wanted.layers else usual(house, asker)
    states = await house.states(asker, layers)
    if not wanted.layers:
        layers = [layer for layer in layers if states[layer.name].edition is not None]
    shown = [Shown(one, decide(asker, "read", one)) for one in layers if not isinstance(one, TableLayer)]
    credits = [layer.crediting(states[layer.name].mappings).licence.attribution for layer in layers]
    paper = Paper("furniture")
    if wanted.furniture:
        draw_scale(paper, wanted.plane, wanted.language)
        draw_credits(paper, wanted.plane, list(dict.fromkeys(c for c in credits if c)))
    overlay = Overlay(paper.sources(), tuple(paper.layers)) if paper.layers else Overlay()
    request = MapRequest(wanted.plane, shown, GROUND, wanted.language, wanted.ratio, mixed=True, overlay=overlay)
    return await draw_map(house, asker, request)


def _named(house: House, asker: Principal, names: Sequence[str]) -> list[Layer]:
    found = [house.open_layer(asker, name)[0] for name in dict.fromkeys(names)]
    for layer in found:
        if isinstance(layer, TableLayer):
            raise BadParameter(f"layers names what can be drawn; {layer.name} is a table.", parameter="layers")
    return found


def usual(house: House, asker: Principal) -> list[Layer]:
    """The layers that the portal shows a principal at first."""
    return [one for one in house.visible(asker) if not isinstance(one, TableLayer) and one.portal.visible]


def scale_length(ground: float, points: float = BAR) -> float:
    """The longest length (m) of 1, 2 or 5 times a power of ten whose bar is no longer than some points.

    Args:
        ground: Metres per point.
        points: Room for the bar.
    """
    most = ground * points
    power = 10.0 ** math.floor(math.log10(most))
    return max((n * power for n in (1, 2, 5) if n * power <= most * _SLIM), default=power)


def length_words(metres: float, language: str) -> str:
    """A length in words, such as `2 km`."""
    kilometre, metre = ("公里", "米") if language == "zh" else ("km", "m")
    return f"{metres / _KILOMETRE:g} {kilometre}" if metres >= _KILOMETRE else f"{metres:g} {metre}"


def draw_scale(paper: Paper, plane: Plane, language: str) -> None:
    """Draw a scale bar into the lower left corner, true at the centre of the map; not where it has no room."""
    length = scale_length(plane.ground, min(BAR, plane.width / 3))
    wide, bottom = length / plane.ground, plane.height - MARGIN
    if plane.height < 4 * SIZE or wide < SIZE:
        return
    words = length_words(length, language)
    room = max(wide, text_width(words, SIZE)) + 10
    paper.box((MARGIN - 5, bottom - SIZE - 12), (room, SIZE + 17), dict(_BED))
    ends = [(MARGIN, bottom - 6), (MARGIN, bottom), (MARGIN + wide, bottom), (MARGIN + wide, bottom - 6)]
    paper.line(ends, dict(_INK))
    paper.text((MARGIN + 3, bottom - 8), words, SIZE, "bottom-left")


def draw_credits(paper: Paper, plane: Plane, credits: Sequence[str]) -> None:
    """Write who is to be credited into the lower right corner; what has no room is cut off with an ellipsis."""
    room = plane.width / 2 - 2 * MARGIN
    words = _SEPARATOR.join(credits)
    if text_width(words, SIZE) > room:
        while words and text_width(words + _ELLIPSIS, SIZE) > room:
            words = words[:-1]
        words = f"{words}{_ELLIPSIS}" if words else ""
    if not words or plane.height < 4 * SIZE:
        return
    wide = text_width(words, SIZE) + 8
    corner = (plane.width - wide, plane.height - SIZE - 8)
    paper.box(corner, (wide, SIZE + 8), dict(_BED))
    paper.text((plane.width - 4.0, plane.height - 4.0), words, SIZE, "bottom-right")


def plane_around(crs: MapCrs, degrees: Box, width: int, height: int) -> Plane:
    """The image that shows a box (west, south, east, north in degrees) as large as it fits, with equal steps.

    Raises:
        BadParameter: When the CRS does not reach there, or the box is a single point.
    """
    west, south, east, north = degrees
    corners = [place_in(crs, lon, lat) for lon in (west, (west + east) / 2, east) for lat in (south, north)]
    known = [(x, y) for x, y in corners if math.isfinite(x) and math.isfinite(y)]
    box = None
    if len(known) == len(corners):
        xs, ys = [x for x, _ in known], [y for _, y in known]
        box = (min(xs), min(ys), max(xs), max(ys))
    if box is None or window(crs, box) is None:
        raise BadParameter(f"{crs.name} does not reach the box that was asked for.", parameter="bbox")
    step = max((box[2] - box[0]) / width, (box[3] - box[1]) / height)
    if not step > 0:
        raise BadParameter("bbox has a width and a height; this one is a point. Use center and zoom.", parameter="bbox")
    return _centred(crs, ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), step, (width, height))


def plane_at(crs: MapCrs, centre: tuple[float, float], zoom: float, size: tuple[int, int]) -> Plane:
    """The image around a place (degrees), at the scale on the ground that a zoom level of 512 points has there.

    Raises:
        BadParameter: When the CRS does not reach there.
    """
    x, y = place_in(crs, *centre)
    if not (math.isfinite(x) and math.isfinite(y)):
        raise BadParameter(f"{crs.name} does not reach the centre that was asked for.", parameter="center")
    one = _centred(crs, (x, y), 1.0, size)
    mercator = WORLD / CELL / 2**zoom * math.cos(math.radians(centre[1]))
    return _centred(crs, (x, y), mercator / one.ground, size)


def _centred(crs: MapCrs, centre: tuple[float, float], step: float, size: tuple[int, int]) -> Plane:
    (x, y), (width, height) = centre, size
    half = width / 2 * step, height / 2 * step
    return Plane(crs, (x - half[0], y - half[1], x + half[0], y + half[1]), width, height)
