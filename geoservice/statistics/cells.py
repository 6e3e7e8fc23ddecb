"""Cells of rasters by division: what they add up to, or the areas of their classes. It blocks: call it in a thread."""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal
from typing import cast, get_args

from geoservice.analysis.raster_sums import RasterSums
from geoservice.analysis.zonal import ZonalResult, zonal
from geoservice.impact.divisions import Divisions
from geoservice.statistics.parted import Keys
from geoservice.statistics.tally import Held, Tally, exact
from geoservice.statistics.wish import DIVISION, Grouping, Kind, Measure, Wish
from layers.asset import Asset
from layers.errors import BadParameter, QueryTimeout
from layers.model import RasterLayer

_PLAIN, _OF_BAND = ("area", "share"), ("sum", "mean", "min", "max")


def parse_cells(group_by: str | None, measures: str | None, layer: RasterLayer) -> Wish:
    """Read `group-by` and `measures` for a raster; what is told is its first band.

    Raises:
        BadParameter: When they do not fit a raster, or cells are to be added up that do not add up.
    """
    band = layer.bands[0].name
    names = [] if group_by is None else group_by.split(",")
    known = [DIVISION, *([band] if layer.list is not None else [])]
    if len(set(names)) < len(names) or not set(names) <= set(known):
        raise BadParameter(f"group-by of this raster takes {' and '.join(known)}, each once.", parameter="group-by")
    groups = tuple(Grouping(None if name == DIVISION else name) for name in names)
    texts = (measures or ("area" if layer.list is not None else f"mean:{band}")).split(",")
    return Wish(groups, tuple(dict.fromkeys(_measure(text, layer, band) for text in texts)))


def _measure(text: str, layer: RasterLayer, band: str) -> Measure:
    offered = [*_PLAIN, *(f"{kind}:{band}" for kind in _OF_BAND if layer.list is None)]
    kind, _, attribute = text.partition(":")
    if text not in offered or kind not in get_args(Kind):
        raise BadParameter(
            f"measures of this raster are {', '.join(offered)}; {text[:60]!r} is none.", parameter="measures"
        )
    if kind == "sum" and (layer.exposure is None or layer.exposure.measure != "sum"):
        raise BadParameter(f"Cells of {layer.name} do not add up; ask for mean:{band}.", parameter="measures")
    return Measure(cast(Kind, kind), attribute or None)


def cells_by_division(
    assets: Sequence[Asset], divisions: Divisions, wish: Wish, kept: RasterSums | None, deadline: float
) -> dict[tuple[int, Keys], Tally]:
    """What cells say, by place of the division and class; a division without any cell that has data is not there.

    Args:
        assets: COGs of the layer, the newest first.
        divisions: The divisions.
        wish: What is asked.
        kept: Sums that are kept beside the rasters; they change no figure.
        deadline: When to give up, on the monotonic clock.

    Raises:
        AssetUnavailable: When a file is missing or damaged.
        QueryTimeout: When the time is over.
    """
    found: dict[tuple[int, Keys], Tally] = {}
    classed = any(group.attribute is not None for group in wish.groups)
    for place, shape in enumerate(divisions.shapes.tolist()):
        if time.monotonic() > deadline:
            raise QueryTimeout("Adding up the cells takes longer than this service allows; ask for fewer divisions.")
        result = zonal(assets, shape, classed=classed, kept=kept)
        if result.sum is None:
            continue
        if classed:
            found |= {(place, (str(code),)): _sized(area) for code, area in result.class_areas.items()}
        else:
            found[place, ()] = _told(result, wish)
    return found


def _sized(area: float) -> Tally:
    return Tally(area=exact(area))


def _told(result: ZonalResult, wish: Wish) -> Tally:
    tally = _sized(result.valid_area)
    for name in wish.attributes:
        cells = Held(Decimal(repr(result.count)), exact(result.sum or 0.0), result.minimum, result.maximum)
        tally.held[name] = cells
    return tally
