"""From cells to what is shown of them: the style of the layer, or the colours that a view asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from layers.codelist import CodeList
from layers.colormap import STEPS, UNLISTED, class_colours, range_colours
from layers.model import RasterLayer
from layers.style import RasterStyle
from tiles.colours import colour_map
from tiles.frame import Frame
from tiles.image import Mask, Picture, Pixels
from tiles.relief import MARGIN, gradient, hillshade, mapbox_colours, slope, terrarium_colours
from tiles.view import Range, View

Values = npt.NDArray[Any]
_BYTES: Range = (0.0, 255.0)
_WHITE = 255
_GREY = "grey"
_MOST_CLASSES = 256
_GREYS: Pixels = np.repeat(np.arange(_WHITE + 1, dtype=np.uint8)[:, None], 3, axis=1)


def paint(values: Values, valid: Mask, layer: RasterLayer, codelists: Mapping[str, CodeList]) -> Picture:
    """Cells in the style of the layer.

    Args:
        values: Cells (band, row, column), in the bands that the style draws.
        valid: Pixels that have data.
        layer: Whose style is followed.
        codelists: Code lists by id; the one of a style with classes must be there.

    Raises:
        DefinitionError: When the style and its code list do not fit.
    """
    style = layer.style
    if style.rgb is not None:
        return _three(values, valid, (style.stretch or _BYTES,) * len(values))
    if style.classes is not None:
        return _classed(values[0], valid, class_colours(style, codelists))
    if style.stops is not None:
        return _by_range(values[0], valid, style)
    return Picture(valid, _steps(values[0], style.stretch or _BYTES), colour_map(style.ramp or _GREY))


def paint_view(values: Values, valid: Mask, view: View) -> Picture:
    """Cells in the colours of a view that has ranges.

    Args:
        values: Cells (band, row, column) in the order of the bands of the view.
        valid: Pixels that have data.
        view: Its formulas, ranges and colour map.
    """
    shown: list[Values] = list(values)
    if view.formulas:
        cells = {band: values[place].astype(np.float64) for place, band in enumerate(view.bands)}
        shown = [formula.values(cells) for formula in view.formulas]
        # What cannot be computed has no colour.
        valid = valid & np.logical_and.reduce([np.isfinite(channel) for channel in shown])
    if len(shown) == len("RGB"):
        return _three(np.stack(shown), valid, view.ranges)
    return Picture(valid, _steps(shown[0], view.ranges[0]), colour_map(view.ramp or _GREY))


def paint_heights(values: Values, valid: Mask, view: View, frame: Frame) -> Picture:
    """Shade, slope or packed heights.

    Args:
        values: Heights in metres (one band, row, column); of the frame grown by `MARGIN` for shade and slope.
        valid: Which of them are known.
        view: Its algorithm.
        frame: The frame that is asked for.
    """
    heights = np.where(valid, values[0], 0).astype(np.float64)
    if view.opaque:
        # Browsers lose the colours under transparent pixels, and with them the sea level.
        valid = np.ones_like(valid)
    if view.algorithm == "terrainrgb":
        return Picture(valid, mapbox_colours(heights), exact=True)
    if view.algorithm == "terrarium":
        return Picture(valid, terrarium_colours(heights), exact=True)
    rise = gradient(heights, valid, frame)
    inner = valid[MARGIN:-MARGIN, MARGIN:-MARGIN]
    if view.algorithm == "hillshade":
        return Picture(inner, hillshade(rise, view.light), _GREYS)
    steep = slope((rise[0] * view.light.exaggeration, rise[1] * view.light.exaggeration))
    return Picture(inner, _steps(steep, view.ranges[0]), colour_map(view.ramp or _GREY))


def _steps(values: Values, limits: Range) -> Pixels:
    """Numbers of the colours of a ramp; values beyond its ends take the colours of the ends."""
    low, high = limits
    with np.errstate(over="ignore", invalid="ignore"):
        place = (np.nan_to_num(values.astype(np.float64)) - low) / (high - low) * (STEPS - 1)
    return np.clip(np.rint(np.nan_to_num(place)), 0, STEPS - 1).astype(np.uint8)


def _three(values: Values, valid: Mask, ranges: tuple[Range, ...]) -> Picture:
    if values.dtype == np.uint8 and set(ranges) == {_BYTES}:
        pixels = np.array(values)
    else:
        pixels = np.stack([_steps(channel, limits) for channel, limits in zip(values, ranges, strict=True)])
    if not valid.all():
        pixels[:, ~valid] = 0
    return Picture(valid, pixels)


def _classed(values: Values, valid: Mask, colours: Mapping[int, tuple[int, int, int, int]]) -> Picture:
    found, index = np.unique(values[valid], return_inverse=True)
    listed = [colours[value][:3] if value in colours else UNLISTED for value in found.tolist()]
    palette = np.array(listed or [UNLISTED], dtype=np.uint8)
    if len(palette) <= _MOST_CLASSES:
        cells = np.zeros(values.shape, dtype=np.uint8)
        cells[valid] = index
        return Picture(valid, cells, palette, exact=True)
    pixels = np.zeros((3, *values.shape), dtype=np.uint8)
    pixels[:, valid] = palette[index].T
    return Picture(valid, pixels, exact=True)


def _by_range(values: Values, valid: Mask, style: RasterStyle) -> Picture:
    bounds = [bound for bound, _ in style.stops or ()]
    cells = np.searchsorted(bounds, np.nan_to_num(values), side="right").astype(np.uint8)
    return Picture(valid, cells, np.array(range_colours(style), dtype=np.uint8), exact=True)
