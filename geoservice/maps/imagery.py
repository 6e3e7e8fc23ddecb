"""Rasters on a map: the files of a layer, drawn on the pixels of the map in its CRS, as cells for the renderer."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from geoservice.features.assets import ALL, Which, read_assets
from geoservice.house import House
from layers.access import Decision, Principal
from layers.asset import Asset
from layers.codelist import CodeList
from layers.model import RasterLayer
from tiles.frame import Frame
from tiles.image import Picture, encode
from tiles.plane import CELL, Plane, window
from tiles.raster import picture
from tiles.view import plain_view


async def imagery(
    house: House, asker: Principal, plane: Plane, seen: tuple[RasterLayer, Decision], ratio: float, which: Which = ALL
) -> dict[str, bytes]:
    """The cells of a raster layer that have data, as PNG by `<layer>/<column>/<row>`.

    Args:
        house: The service.
        asker: Who asks.
        plane: The map.
        seen: The layer, and what the asker may see of it.
        ratio: Pixels per point.
        which: Which of its rasters are meant.

    Raises:
        AssetUnavailable: When a file that the map needs is missing or damaged.
    """
    layer, decision = seen
    async with house.pools.raw(asker.clearance) as connection:
        assets = await read_assets(connection, house.reading, layer, decision, house.rasters, which)
    near = window(plane.crs, plane.box)
    if near is None or not any(asset.meets(near) for asset in assets):
        return {}
    return await asyncio.to_thread(cells, plane, layer, assets, house.catalog.codelists, ratio)


def cells(
    plane: Plane, layer: RasterLayer, assets: Sequence[Asset], lists: Mapping[str, CodeList], ratio: float
) -> dict[str, bytes]:
    """The same of given files, which are read once for the whole map, so that its cells join without a seam."""
    side = round(CELL * ratio)
    across, down = (math.ceil(points / CELL) * side for points in (plane.width, plane.height))
    steps = plane.steps[0] / ratio, plane.steps[1] / ratio
    left, _, _, top = plane.box
    reach = plane.crs.reach
    columns = _within(across, (reach[0] - left) / steps[0], (reach[2] - left) / steps[0])
    rows = _within(down, (top - reach[3]) / steps[1], (top - reach[1]) / steps[1])
    box = (
        left + columns.start * steps[0],
        top - rows.stop * steps[1],
        left + columns.stop * steps[0],
        top - rows.start * steps[1],
    )
    frame = Frame(plane.crs.srid, box, columns.stop - columns.start, rows.stop - rows.start)
    if frame.width < 1 or frame.height < 1:
        return {}
    drawn = picture(assets, layer, lists, frame, plain_view(layer))
    if drawn is None:
        return {}
    shown = _spread(drawn, (down, across), rows, columns)
    found: dict[str, bytes] = {}
    for cell in plane.cells():
        part = _part(shown, cell.column * side, cell.row * side, side)
        if part.valid.any():
            column, row = plane.address(cell)
            found[f"{layer.name}/{column}/{row}"] = encode(part, "png")
    return found


def _within(count: int, first: float, last: float) -> slice:
    """The pixels of a row that lie where the CRS reaches."""
    return slice(max(0, math.ceil(min(first, count))), min(count, math.floor(max(last, 0.0))))


def _spread(shown: Picture, shape: tuple[int, int], rows: slice, columns: slice) -> Picture:
    """A picture with nothing around it."""
    if shown.valid.shape == shape:
        return shown
    valid = np.zeros(shape, dtype=np.bool_)
    cells = np.zeros((*shown.cells.shape[:-2], *shape), dtype=np.uint8)
    valid[rows, columns], cells[..., rows, columns] = shown.valid, shown.cells
    return replace(shown, valid=valid, cells=cells)


def _part(shown: Picture, column: int, row: int, side: int) -> Picture:
    rows, columns = slice(row, row + side), slice(column, column + side)
    return replace(shown, valid=shown.valid[rows, columns], cells=shown.cells[..., rows, columns])
