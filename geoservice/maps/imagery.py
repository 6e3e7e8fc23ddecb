"""Rasters on a map: the files of a layer, drawn on the pixels of the map in its CRS, as cells for the renderer."""

from __future__ import annotations

from geoservice.house import House
from layers.access import Decision, Principal
from layers.model import RasterLayer
from tiles.plane import Plane


async def imagery(
    house: House, asker: Principal, plane: Plane, layer: RasterLayer, decision: Decision, ratio: float
) -> dict[str, bytes]:
    """The cells of a raster layer that have data, as PNG by `<layer>/<column>/<row>`.

    Raises:
        AssetUnavailable: When a file that the map needs is missing or damaged.
    """
    return {}
