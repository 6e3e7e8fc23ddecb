"""Contour lines of a raster of heights, as vector tiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from layers.asset import Asset
from layers.errors import BadParameter
from layers.model import RasterLayer
from tiles.contour import contour
from tiles.frame import Frame
from tiles.mosaic import stack
from tiles.mvt import EXTENT, LineFeature, line_tile
from tiles.sets.model import Place
from tiles.view import height_band, number_within

LAYER = "contour"
"""Name of the layer in the tiles."""
INDEX = 5
"""Every so manieth line is an index line, drawn thicker and labelled."""
MOST_LEVELS = 120
"""Heights at which a tile can have lines."""
MARGIN = 4
_PLACES = 256
_UNIT = EXTENT / _PLACES
_SMOOTH = 1.0
_INTERVALS = ((8, 500.0), (10, 200.0), (11, 100.0), (12, 50.0), (13, 20.0))
_CLOSEST = 10.0
_LIMITS = (0.1, 10_000.0)


@dataclass(frozen=True, slots=True)
class ContourView:
    """Which lines are drawn.

    Attributes:
        band: The band of heights.
        interval: Distance of heights in metres.
        usual: Whether that is the usual one of the zoom level, which is widened where the ground is too steep for it.
    """

    band: int
    interval: float
    usual: bool = False


def contour_view(layer: RasterLayer, z: int, bands: str | None, interval: str | None) -> ContourView:
    """What a request wants to see of a layer.

    Raises:
        BadParameter: When the layer has no such heights, or the interval is no distance from 0.1 to 10,000 m.
    """
    usual = next((metres for below, metres in _INTERVALS if z <= below), _CLOSEST)
    distance = number_within(interval, "interval", _LIMITS, usual)
    return ContourView(height_band(layer, bands), distance, usual=interval is None)


def frame_of(place: Place) -> Frame:
    """The frame of places whose heights a tile of any set needs."""
    return Frame.of_place(place, _PLACES).grown(MARGIN)


def contour_tile(assets: Sequence[Asset], layer: RasterLayer, place: Place, view: ContourView) -> bytes:
    """Lines of equal height as a Mapbox Vector Tile 2.1; empty when there are none.

    Lines reach 1/64 of the tile beyond its border, and meet those of the neighbours there, because both are drawn from
    the same places.

    Args:
        assets: COGs of the layer; the first lies on top.
        layer: The layer.
        place: The tile, of any set.
        view: Which lines.

    Raises:
        AssetUnavailable: When a file that the tile needs is missing or damaged.
        BadParameter: When the tile has heights at more than `MOST_LEVELS` lines.
    """
    found = stack(assets, layer, frame_of(place), (view.band,))
    if found is None:
        return b""
    heights, valid = found[0][0].astype(np.float64), found[1] & np.isfinite(found[0][0])
    if not valid.any():
        return b""
    interval, numbers = _numbers(view, float(heights[valid].min()), float(heights[valid].max()))
    features = []
    for number in numbers:
        level = number * interval
        lines = shapely.transform(contour(heights, valid, level), lambda places: (places + 0.5 - MARGIN) * _UNIT)
        features.append(LineFeature(list(shapely.simplify(lines, _SMOOTH)), _properties(number, level)))
    return line_tile(LAYER, features)


def _numbers(view: ContourView, lowest: float, highest: float) -> tuple[float, range]:
    """Distance of the heights of the lines, and which multiples of it they are."""
    interval = view.interval
    while True:
        numbers = range(math.ceil(lowest / interval), math.floor(highest / interval) + 1)
        if len(numbers) <= MOST_LEVELS:
            return interval, numbers
        if not view.usual:
            raise BadParameter(
                f"interval={interval:g} gives more than {MOST_LEVELS} heights in this tile; a larger one is needed.",
                parameter="interval",
            )
        interval *= INDEX


def _properties(number: int, level: float) -> dict[str, bool | int | float]:
    whole = round(level, 6)
    return {"height": int(whole) if whole.is_integer() else whole, "index": number % INDEX == 0}


def usual_intervals() -> tuple[tuple[int, float], ...]:
    """Lowest zoom level and distance of heights (m) of the lines that are drawn unless a request says otherwise."""
    begins = [0, *(below + 1 for below, _ in _INTERVALS)]
    return tuple(zip(begins, [*(metres for _, metres in _INTERVALS), _CLOSEST], strict=True))
