"""Tile matrix sets: which there are, which tiles they have, where a tile lies (OGC 17-083r4, Tile Matrix Set 2.0).

A tile is addressed as tile matrix (zoom level `z`), `row` counted from the top and `col` counted from the left.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import morecantile

from layers.errors import TileOutside, UnknownResource
from layers.extent import Extent

WEB_MERCATOR_QUAD = "WebMercatorQuad"
TILE_MATRIX_SETS: tuple[str, ...] = (WEB_MERCATOR_QUAD,)
"""Ids of the tile matrix sets that are offered. Another one is offered by adding its id (see `tile_matrix_set`)."""

MERCATOR_LATITUDE = 85.0511287798066
"""Latitude (degrees) at which the square of Web Mercator ends: atan(sinh(pi))."""

_DIGITS = re.compile(r"\d{1,9}", re.ASCII)


@lru_cache(maxsize=16)
def tile_matrix_set(tms_id: str) -> morecantile.TileMatrixSet:
    """The definition of an offered tile matrix set.

    Raises:
        UnknownResource: When the id is not one of `TILE_MATRIX_SETS`.
    """
    if tms_id not in TILE_MATRIX_SETS:
        offered = ", ".join(TILE_MATRIX_SETS)
        raise UnknownResource(
            f"There is no tile matrix set {tms_id[:60]!r}; offered: {offered}.", tileMatrixSetId=tms_id[:60]
        )
    return morecantile.tms.get(tms_id)


def check_tile(tms_id: str, z: int | str, row: int | str, col: int | str) -> tuple[int, int, int]:
    """Make sure that a tile exists in its tile matrix set.

    Args:
        tms_id: Tile matrix set.
        z: Tile matrix (zoom level), as number or as written in an address.
        row: Row, counted from the top.
        col: Column, counted from the left.

    Returns:
        Zoom level, row and column as numbers.

    Raises:
        UnknownResource: When the tile matrix set is not offered.
        TileOutside: When the matrix or the tile does not exist; the sentence gives the allowed range.
    """
    grid = tile_matrix_set(tms_id)
    level = _number("tile matrix", z, range(grid.minzoom, grid.maxzoom + 1), tms_id)
    matrix = grid.matrix(level)
    place = f"tile matrix {level} of {tms_id}"
    return (
        level,
        _number("row", row, range(matrix.matrixHeight), place),
        _number("column", col, range(matrix.matrixWidth), place),
    )


def _number(name: str, written: int | str, allowed: range, place: str) -> int:
    text = str(written)
    if _DIGITS.fullmatch(text) and int(text) in allowed:
        return int(text)
    raise TileOutside(
        f"In {place} a {name} is a whole number from {allowed[0]} to {allowed[-1]}; there is no {text[:30]!r}.",
        parameter=name,
        minimum=allowed[0],
        maximum=allowed[-1],
    )


def bounds_mercator(z: int, row: int, col: int) -> tuple[float, float, float, float]:
    """Bounds of a WebMercatorQuad tile as (xmin, ymin, xmax, ymax) in metres of EPSG:3857."""
    box = tile_matrix_set(WEB_MERCATOR_QUAD).xy_bounds(morecantile.Tile(x=col, y=row, z=z))
    return box.left, box.bottom, box.right, box.top


def bounds_degrees(z: int, row: int, col: int) -> tuple[float, float, float, float]:
    """Bounds of a WebMercatorQuad tile as (west, south, east, north) in degrees of longitude and latitude."""
    box = tile_matrix_set(WEB_MERCATOR_QUAD).bounds(morecantile.Tile(x=col, y=row, z=z))
    return box.left, box.bottom, box.right, box.top


def uri(tms_id: str) -> str:
    """URI under which the tile matrix set is registered.

    Raises:
        UnknownResource: When the tile matrix set is not offered.
    """
    return str(tile_matrix_set(tms_id).uri)


def crs_uri(tms_id: str) -> str:
    """URI of the CRS of the tile matrix set.

    Raises:
        UnknownResource: When the tile matrix set is not offered.
    """
    return str(tile_matrix_set_json(tms_id)["crs"])


def tile_matrix_set_json(tms_id: str) -> dict[str, Any]:
    """The definition as JSON (OGC 17-083r4, requirements class json-tilematrixset).

    The CRS is written as its URI, the short form that the schema allows.

    Raises:
        UnknownResource: When the tile matrix set is not offered.
    """
    text: dict[str, Any] = tile_matrix_set(tms_id).model_dump(mode="json", by_alias=True, exclude_none=True)
    crs = text.get("crs")
    return {**text, "crs": crs["uri"]} if isinstance(crs, Mapping) and set(crs) == {"uri"} else text


def limits(tms_id: str, extent: Extent, from_: int, to: int) -> list[dict[str, str | int]]:
    """The tiles that an extent (degrees) meets, per zoom level: `tileMatrixSetLimits` of OGC 17-083r4.

    An extent across 180 degrees gets the columns of the whole row, because limits know no gap. Levels that the set
    does not have are left out.

    Args:
        tms_id: Tile matrix set.
        extent: Extent of the data.
        from_: Lowest zoom level.
        to: Highest zoom level, included.

    Raises:
        UnknownResource: When the tile matrix set is not offered.
    """
    grid = tile_matrix_set(tms_id)
    west, east = (extent.west, extent.east) if extent.west <= extent.east else (-180.0, 180.0)
    box = Extent(west, _clamp(extent.south), east, _clamp(extent.north))
    return [_limits(grid, box, z) for z in range(max(from_, grid.minzoom), min(to, grid.maxzoom) + 1)]


def _clamp(latitude: float) -> float:
    return max(-MERCATOR_LATITUDE, min(MERCATOR_LATITUDE, latitude))


def _limits(grid: morecantile.TileMatrixSet, box: Extent, z: int) -> dict[str, str | int]:
    matrix = grid.matrix(z)
    first = grid.tile(box.west, box.north, z)
    last = grid.tile(box.east, box.south, z)
    last_row, last_col = matrix.matrixHeight - 1, matrix.matrixWidth - 1
    return {
        "tileMatrix": str(z),
        "minTileRow": max(0, min(first.y, last_row)),
        "maxTileRow": max(0, min(last.y, last_row)),
        "minTileCol": max(0, min(first.x, last_col)),
        "maxTileCol": max(0, min(last.x, last_col)),
    }
