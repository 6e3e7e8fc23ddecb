"""Which tiles several layers offer together: the limits around those of each (OGC 20-057, req. 6; 17-083r4, 6.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from geoservice.features.state import LayerState
from geoservice.house import House
from layers.access import Principal
from layers.errors import TileOutside
from layers.extent import Extent
from layers.model import VectorLayer
from tiles.sets.model import MatrixSet, Place

Limits = dict[str, str | int]
_LEAST, _MOST = ("minTileRow", "minTileCol"), ("maxTileRow", "maxTileCol")


def shared_extent(states: Iterable[LayerState]) -> Extent | None:
    """The box around the extents of layers; the whole globe around when one of them crosses 180 degrees."""
    whole: Extent | None = None
    for extent in (state.extent for state in states if state.extent is not None):
        plain = extent if extent.west <= extent.east else Extent(-180.0, extent.south, 180.0, extent.north)
        whole = plain if whole is None else whole.union(plain)
    return whole


def shared_limits(grid: MatrixSet, layers: Sequence[VectorLayer], states: Mapping[str, LayerState]) -> list[Limits]:
    """`tileMatrixSetLimits` of a tileset with several layers, by ascending level; empty when none has an extent."""
    return _merged(
        limits
        for layer in layers
        if (extent := states[layer.name].extent) is not None
        for limits in grid.limits(extent, grid.levels(layer.tiles.from_, layer.tiles.to))
    )


async def require_offered_together(house: House, asker: Principal, layers: Sequence[VectorLayer], place: Place) -> None:
    """Make sure that an empty tile of several layers lies within the limits that their tileset states.

    Asked for empty tiles only, as `limits.require_offered` is for one layer. Layers without an extent state none.

    Raises:
        TileOutside: When it lies beyond them; the sentence gives them.
    """
    states = await house.states(asker, layers)
    placed = [layer for layer in layers if states[layer.name].extent is not None]
    if not placed:
        return
    begun = [extent for layer in placed if layer.tiles.from_ <= place.zoom and (extent := states[layer.name].extent)]
    merged = _merged(limits for extent in begun for limits in place.grid.limits(extent, [place.matrix]))
    if not merged:
        raise TileOutside(f"None of these collections has tiles in tile matrix {place.level} of {place.grid.id}.")
    (limits,) = merged
    for name, number, end in (("row", place.row, "TileRow"), ("column", place.col, "TileCol")):
        least, most = int(limits[f"min{end}"]), int(limits[f"max{end}"])
        if not least <= number <= most:
            raise TileOutside(
                f"In this tile matrix there are tiles from {name} {least} to {most}; {number} was asked for.",
                parameter=name,
                minimum=least,
                maximum=most,
            )


def _merged(every: Iterable[Limits]) -> list[Limits]:
    merged: dict[str, Limits] = {}
    for limits in every:
        known = merged.setdefault(str(limits["tileMatrix"]), dict(limits))
        known.update({name: min(int(known[name]), int(limits[name])) for name in _LEAST})
        known.update({name: max(int(known[name]), int(limits[name])) for name in _MOST})
    return [merged[level] for level in sorted(merged, key=int)]
