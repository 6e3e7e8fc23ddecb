"""Which tiles a layer offers: beyond its limits a tile is missing, within them it may be empty (OGC 20-057, req. 6)."""

from __future__ import annotations

from geoservice.house import House
from layers.access import Principal
from layers.errors import TileOutside
from layers.model import RasterLayer, VectorLayer
from tiles.sets.model import Place


async def require_offered(house: House, asker: Principal, layer: VectorLayer | RasterLayer, place: Place) -> None:
    """Make sure that an empty tile lies within the limits that the tileset states.

    It is asked for empty tiles only: what is drawn is offered, also where a buffer reaches over the limits, and full
    tiles do not pay for the question. Above the highest zoom level of the layer its extent alone counts, because
    clients may zoom on.

    Args:
        house: The running service.
        asker: Whose limits count: the extent is that of the rows he may see.
        layer: The layer.
        place: The tile.

    Raises:
        TileOutside: When the tile lies beyond the limits; the sentence gives them.
    """
    if place.zoom < layer.tiles.from_:
        levels = place.grid.levels(layer.tiles.from_, max(layer.tiles.to, place.grid.matrices[place.grid.last].zoom))
        least = levels[0].level if levels else place.grid.last
        raise TileOutside(
            f"Tiles of {layer.name} begin with tile matrix {least}; {place.level} was asked for.",
            parameter="tile matrix",
            minimum=least,
        )
    state = (await house.states(asker, [layer]))[layer.name]
    if state.extent is None:
        return
    found = place.grid.limits(state.extent, [place.matrix])
    if not found:
        raise TileOutside(f"{layer.name} has no tiles in {place.grid.id}: its extent lies elsewhere.")
    for limits in found:
        _require("row", place.row, int(limits["minTileRow"]), int(limits["maxTileRow"]), layer.name)
        _require("column", place.col, int(limits["minTileCol"]), int(limits["maxTileCol"]), layer.name)


def _require(name: str, number: int, minimum: int, maximum: int, layer: str) -> None:
    if not minimum <= number <= maximum:
        raise TileOutside(
            f"In this tile matrix {layer} has tiles from {name} {minimum} to {maximum}; {number} was asked for.",
            parameter=name,
            minimum=minimum,
            maximum=maximum,
        )
