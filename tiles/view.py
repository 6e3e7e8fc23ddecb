"""How a raster is to be looked at: which bands or formulas, over which values, in which colours."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from layers.errors import BadParameter
from layers.model import RasterLayer
from tiles.colours import colour_map_names
from tiles.formula import Formula, read_formulas
from tiles.relief import Light

Algorithm = Literal["hillshade", "slope", "terrainrgb", "terrarium"]
Range = tuple[float, float]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
SIZES = (256, 512)
"""Pixels along the edge of a tile."""
RGB = 3
STEEPEST: Range = (0.0, 60.0)
"""Degrees over which slopes are coloured unless a request says otherwise."""
_BYTES: Range = (0.0, 255.0)
_GREY = "grey"
_LIGHT = Light()
_LISTED = 200
_NUMBER = re.compile(r"[+-]?(\d{1,20}(\.\d{0,20})?|\.\d{1,20})([eE][+-]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request says about the picture, as it was written; None where it says nothing.

    Attributes:
        bands: Names or numbers of one band or three, with commas between them.
        expression: One formula or three, with semicolons between them.
        rescale: `low,high` of all channels, or a pair per channel.
        colormap: Name of a colour map.
        algorithm: One of `ALGORITHMS`.
        azimuth, altitude, exaggeration: Light of a shaded relief.
        opaque: `true`: packed heights without transparency.
        size: Pixels along the edge of a tile.
    """

    bands: str | None = None
    expression: str | None = None
    rescale: str | None = None
    colormap: str | None = None
    algorithm: str | None = None
    azimuth: str | None = None
    altitude: str | None = None
    exaggeration: str | None = None
    opaque: str | None = None
    size: str | None = None


@dataclass(frozen=True, slots=True)
class View:
    """How cells become colours. Without any member it is the style of the layer.

    Attributes:
        bands: Bands that are read, numbered from 1.
        formulas: What is shown of them, one per channel; empty for the bands themselves.
        ranges: Values of each channel that become the ends of its colours; empty for the style of the layer.
        ramp: Colour map of a single channel; None for the style of the layer, and for three channels.
        algorithm: What is made of heights instead.
        light: Light of a shaded relief.
        opaque: Whether pixels without data are sea level, and not transparent; of packed heights only.
        size: Pixels along the edge of a tile.
    """

    bands: tuple[int, ...]
    formulas: tuple[Formula, ...] = ()
    ranges: tuple[Range, ...] = ()
    ramp: str | None = None
    algorithm: Algorithm | None = None
    light: Light = _LIGHT
    size: int = SIZES[0]
    opaque: bool = False

    @property
    def packed(self) -> bool:
        """Whether colours are numbers that must not change on the way."""
        return self.algorithm in ("terrainrgb", "terrarium")


def plain_view(layer: RasterLayer, size: int = SIZES[0]) -> View:
    """The layer in its own style."""
    return View(layer.style.rgb or (1,), size=size)


def height_bands(layer: RasterLayer) -> tuple[int, ...]:
    """Bands that hold heights in metres, numbered from 1: those that name a vertical datum."""
    return tuple(n for n, band in enumerate(layer.bands, 1) if band.vertical_datum is not None)


def view_of(layer: RasterLayer, wish: Wish) -> View:
    """What a request wants to see of a layer.

    Raises:
        BadParameter: When a parameter cannot be understood, does not fit the layer, or does not fit another one.
    """
    size = _size(wish.size)
    if wish == Wish(size=wish.size):
        return plain_view(layer, size)
    if wish.algorithm is not None:
        return _relief(layer, wish, size)
    _refuse(wish, ("azimuth", "altitude", "exaggeration"), "is for algorithm=hillshade")
    _refuse(wish, ("opaque",), "is for packed heights: algorithm=terrainrgb or terrarium")
    if wish.expression is not None:
        _refuse(wish, ("bands",), "does not go with expression, which names its bands itself")
        formulas = read_formulas(wish.expression, _names(layer), RGB)
        _one_or_three("expression", len(formulas))
        bands = tuple(sorted({band for formula in formulas for band in formula.bands}))
        return _coloured(layer, wish, View(bands, formulas, size=size))
    return _coloured(layer, wish, View(_bands(layer, wish.bands), size=size))


def _coloured(layer: RasterLayer, wish: Wish, view: View) -> View:
    """The view with its colour map and its range of values."""
    channels = len(view.formulas or view.bands)
    if channels == RGB:
        _refuse(wish, ("colormap",), "colours one channel; three are red, green and blue")
        ranges = _ranges(wish.rescale, channels) or _own_ranges(layer, view)
        return View(view.bands, view.formulas, ranges, size=view.size)
    own = not view.formulas and view.bands == plain_view(layer).bands
    if own and wish.rescale is None and wish.colormap is None:
        return plain_view(layer, view.size)
    ramp = _colour_map(wish.colormap) or layer.style.ramp or _GREY
    return View(view.bands, view.formulas, _ranges(wish.rescale, 1) or _own_ranges(layer, view), ramp, size=view.size)


def _relief(layer: RasterLayer, wish: Wish, size: int) -> View:
    """Shade, slope or packed heights."""
    algorithm = next((known for known in ALGORITHMS if known == wish.algorithm), None)
    if algorithm is None:
        raise BadParameter(
            f"algorithm is one of {', '.join(ALGORITHMS)}; {str(wish.algorithm)[:30]!r} is not.", parameter="algorithm"
        )
    _refuse(wish, ("expression",), f"does not go with algorithm={algorithm}")
    if algorithm != "hillshade":
        _refuse(wish, ("azimuth", "altitude"), "is for algorithm=hillshade")
    if algorithm in ("hillshade", "slope"):
        _refuse(wish, ("opaque",), "is for packed heights: algorithm=terrainrgb or terrarium")
    else:
        _refuse(wish, ("exaggeration",), "is for algorithm=hillshade and slope")
    if algorithm != "slope":
        _refuse(wish, ("rescale", "colormap"), f"does not go with algorithm={algorithm}")
    band = height_band(layer, wish.bands)
    light = Light(
        number_within(wish.azimuth, "azimuth", (0.0, 360.0), _LIGHT.azimuth),
        number_within(wish.altitude, "altitude", (0.0, 90.0), _LIGHT.altitude),
        number_within(wish.exaggeration, "exaggeration", (0.01, 100.0), _LIGHT.exaggeration),
    )
    if algorithm != "slope":
        return View((band,), algorithm=algorithm, light=light, size=size, opaque=_opaque(wish.opaque))
    ranges = _ranges(wish.rescale, 1) or (STEEPEST,)
    return View((band,), (), ranges, _colour_map(wish.colormap) or _GREY, algorithm, light, size)


def height_band(layer: RasterLayer, asked: str | None = None) -> int:
    """The band of heights that is asked for, or the first one.

    Raises:
        BadParameter: When the layer has no heights, or not in that band.
    """
    heights = height_bands(layer)
    if not heights:
        raise BadParameter(
            f"Collection {layer.name} holds no heights: none of its bands names a vertical datum.",
            parameter="algorithm",
        )
    if asked is None:
        return heights[0]
    wanted = _bands(layer, asked)
    if len(wanted) != 1 or wanted[0] not in heights:
        names = ", ".join(layer.bands[n - 1].name for n in heights)
        raise BadParameter(f"bands is one band of heights here: {names}.", parameter="bands")
    return wanted[0]


def _names(layer: RasterLayer) -> list[str]:
    return [band.name for band in layer.bands]


def _bands(layer: RasterLayer, asked: str | None) -> tuple[int, ...]:
    if asked is None:
        return plain_view(layer).bands
    parts = asked.split(",") if len(asked) <= _LISTED else []
    _one_or_three("bands", len(parts))
    names = _names(layer)
    known = {str(number): number for number in range(1, len(names) + 1)}
    known |= {name: number for number, name in enumerate(names, 1)}
    for part in parts:
        if part not in known:
            raise BadParameter(
                f"bands names bands of the collection, or their numbers from 1 to {len(names)}: "
                f"{', '.join(names[:RGB])}{' …' if len(names) > RGB else ''}; {part[:30]!r} is none.",
                parameter="bands",
            )
    return tuple(known[part] for part in parts)


def _one_or_three(parameter: str, number: int) -> None:
    if number not in (1, RGB):
        raise BadParameter(
            f"{parameter} gives one channel, or three for red, green and blue; not another number.", parameter=parameter
        )


def _ranges(text: str | None, channels: int) -> tuple[Range, ...]:
    if text is None:
        return ()
    numbers = _numbers(text) if len(text) <= _LISTED else []
    if len(numbers) not in (2, 2 * channels):
        raise _bad_range(channels)
    pairs: Sequence[Range] = list(zip(numbers[::2], numbers[1::2], strict=True))
    if any(not low < high or not math.isfinite(high - low) for low, high in pairs):
        raise _bad_range(channels)
    return tuple(pairs) if len(pairs) == channels else tuple(pairs) * channels


def _bad_range(channels: int) -> BadParameter:
    also = f", or {channels} such pairs" if channels > 1 else ""
    return BadParameter(
        f"rescale is low,high: two numbers with low below high{also}, such as 0,3000.", parameter="rescale"
    )


def _numbers(text: str) -> list[float]:
    parts = text.split(",")
    return [float(part) for part in parts] if all(_NUMBER.fullmatch(part) for part in parts) else []


def _own_ranges(layer: RasterLayer, view: View) -> tuple[Range, ...]:
    """The stretch of the style, or the plausible values of each band."""
    if view.formulas:
        raise BadParameter("An expression needs rescale=low,high, the values of its end colours.", parameter="rescale")
    if layer.style.stretch is not None:
        return (layer.style.stretch,) * len(view.bands)
    if layer.style.rgb is not None:
        return (_BYTES,) * len(view.bands)
    found: list[Range] = []
    for number in view.bands:
        low, high = layer.bands[number - 1].range or (None, None)
        if low is None or high is None:
            raise BadParameter(
                f"Band {layer.bands[number - 1].name} has no range of its own: give rescale=low,high.",
                parameter="rescale",
            )
        found.append((low, high))
    return tuple(found)


def _colour_map(name: str | None) -> str | None:
    if name is None or name in colour_map_names():
        return name
    raise BadParameter(
        f"There is no colour map {name[:30]!r}; the rendering options of the collection list all there are.",
        parameter="colormap",
    )


def number_within(text: str | None, parameter: str, limits: Range, default: float) -> float:
    """The number that a parameter gives, or a default where it is not given.

    Raises:
        BadParameter: When it is no number within the limits.
    """
    if text is None:
        return default
    low, high = limits
    found = _numbers(text[:_LISTED])
    if len(found) != 1 or not low <= found[0] <= high:
        raise BadParameter(f"{parameter} is a number from {low:g} to {high:g}.", parameter=parameter)
    return found[0]


def _opaque(text: str | None) -> bool:
    if text not in (None, "true", "false"):
        raise BadParameter(f"opaque is true or false; {str(text)[:30]!r} is neither.", parameter="opaque")
    return text == "true"


def _size(text: str | None) -> int:
    if text is None:
        return SIZES[0]
    for known in SIZES:
        if text == str(known):
            return known
    raise BadParameter(
        f"size is {' or '.join(map(str, SIZES))} pixels; {text[:30]!r} is not offered.", parameter="size"
    )


def _refuse(wish: Wish, names: tuple[str, ...], why: str) -> None:
    for name in names:
        if getattr(wish, name) is not None:
            raise BadParameter(f"The parameter {name} {why}.", parameter=name)
