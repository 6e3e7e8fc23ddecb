"""The colour map of a raster style: which colour a cell value has. Pure; used by tiles, legend and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from layers.codelist import CodeList
from layers.errors import DefinitionError
from layers.style import RAMPS, RasterStyle

Rgb = tuple[int, int, int]
Rgba = tuple[int, int, int, int]
STEPS = 256
OPAQUE = 255
UNLISTED: Rgb = (0x9A, 0x9A, 0x9A)
"""Grey of a class that the code list does not know: visible, and unlike any listed colour."""


def rgb(colour: str) -> Rgb:
    """Red, green, blue (0-255) of `#rrggbb`."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def ramp_stops(style: RasterStyle) -> tuple[tuple[float, str], ...]:
    """Values and colours between which a ramp is interpolated linearly; empty for other styles."""
    if style.ramp is None or style.stretch is None:
        return ()
    colours = RAMPS[style.ramp]
    low, high = style.stretch
    step = (high - low) / (len(colours) - 1)
    return tuple((low + i * step, colour) for i, colour in enumerate(colours))


def ramp_table(style: RasterStyle) -> tuple[Rgb, ...]:
    """256 colours from the low to the high end of the stretch; values beyond take the end colours.

    Raises:
        DefinitionError: When the style has no ramp.
    """
    stops = ramp_stops(style)
    if not stops:
        raise DefinitionError("Only a style with a ramp has a colour table.")
    return blended([colour for _, colour in stops])


def blended(colours: Sequence[str]) -> tuple[Rgb, ...]:
    """256 colours from the first to the last of at least two (`#rrggbb`), the others evenly between them."""
    anchors = [rgb(colour) for colour in colours]
    return tuple(_between(anchors, i / (STEPS - 1) * (len(anchors) - 1)) for i in range(STEPS))


def _between(anchors: list[Rgb], place: float) -> Rgb:
    index = min(int(place), len(anchors) - 2)
    share = place - index
    mixed = [round(a + (b - a) * share) for a, b in zip(anchors[index], anchors[index + 1], strict=True)]
    return mixed[0], mixed[1], mixed[2]


def class_colours(style: RasterStyle, codelists: Mapping[str, CodeList]) -> dict[int, Rgba]:
    """Colour by class value, in the order of the code list; classes without a colour are grey.

    Raises:
        DefinitionError: When the style has no classes, the list is missing, or a code is not a whole number.
    """
    if style.classes is None:
        raise DefinitionError("Only a style with classes has class colours.")
    if style.classes not in codelists:
        raise DefinitionError(f"There is no code list {style.classes!r}.", list=style.classes)
    codes = codelists[style.classes].codes
    return {class_value(code): (*(rgb(c.colour) if c.colour else UNLISTED), OPAQUE) for code, c in codes.items()}


def range_colours(style: RasterStyle) -> tuple[Rgb, ...]:
    """Grey for values below the first stop, then the colour of each stop.

    Raises:
        DefinitionError: When the style has no stops.
    """
    if style.stops is None:
        raise DefinitionError("Only a style with stops has colours by range.")
    return (UNLISTED, *(rgb(colour) for _, colour in style.stops))


def class_value(code: str) -> int:
    """The cell value of a class code.

    Raises:
        DefinitionError: When the code is not a whole number, so that no cell can hold it.
    """
    try:
        return int(code)
    except ValueError:
        raise DefinitionError(f"Class code {code!r} of a raster is not a whole number.", code=code) from None


def colour_of(style: RasterStyle, value: float) -> str:
    """The ramp colour of one value as `#rrggbb`, by the same rounding as the tiles.

    Raises:
        DefinitionError: When the style has no ramp.
    """
    table = ramp_table(style)
    low, high = style.stretch or (0.0, 1.0)
    place = (value - low) / (high - low) * (STEPS - 1)
    red, green, blue = table[max(0, min(STEPS - 1, round(place)))]
    return f"#{red:02x}{green:02x}{blue:02x}"
