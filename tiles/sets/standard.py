"""The built-in tile matrix sets: two of the standard's register, CGCS2000Quad, and the Gauss-Krueger zones of CGCS2000.

CGCS2000Quad has the tiles of WorldCRS84Quad in EPSG:4490. Its level n is level n + 1 of Tianditu's set `c`, as level n
of WebMercatorQuad is level n of Tianditu's `w`: both count so that one number means one scale at the equator.

The sets of zones keep the levels of Chinese electronic maps (level n has the cell of WebMercatorQuad at the equator),
so that a level of a layer means one scale in every set. The corners of their tiles are counted from where the central
meridian meets the equator; they begin with the level at which one column holds a zone with its neighbours on both
sides, and reach from the equator to 56.47 degrees north.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import morecantile

from layers.crs import STORAGE_URI
from layers.gauss import FALSE_EASTING, SIX_DEGREE, THREE_DEGREE, Zone
from layers.ladder import WORLD
from layers.model import Text
from tiles.sets.document import read_set
from tiles.sets.model import PIXEL, TILE_PIXELS, MatrixSet

WEB_MERCATOR_QUAD = "WebMercatorQuad"
WORLD_CRS84_QUAD = "WorldCRS84Quad"
CGCS2000_QUAD = "CGCS2000Quad"

ZoneFamily = Literal["zone3", "zone6", "meridian3"]
"""Zones 3 or 6 degrees wide with the zone number in eastings, or 3 degrees wide without it (by central meridian)."""

FIRST_LEVEL, LAST_LEVEL = 5, 22
_HALF = WORLD / 2**FIRST_LEVEL / 2
_ROWS = 5
_TOP = _ROWS * 2 * _HALF
"""Northing of the upper edge: five tiles of the first level above the equator."""
_TITLES = {
    WEB_MERCATOR_QUAD: Text(zh="全球网络墨卡托", en="Web Mercator for the world (Google Maps compatible)"),
    WORLD_CRS84_QUAD: Text(zh="全球经纬度(CRS84)", en="Longitude and latitude for the world (CRS84)"),
    CGCS2000_QUAD: Text(zh="全球经纬度(CGCS2000)", en="Latitude and longitude of CGCS2000 for the world (EPSG:4490)"),
}


def world_ids() -> tuple[str, ...]:
    """Identifiers of the sets of the whole world."""
    return tuple(_TITLES)


def zone_ids(family: ZoneFamily) -> tuple[str, ...]:
    """Identifiers of the sets of zones, from west to east."""
    return tuple(_zone_id(family, zone) for zone in _zones(family))


@lru_cache(maxsize=128)
def built_in(name: str) -> MatrixSet | None:
    """A built-in set by its identifier; None for any other."""
    if name == CGCS2000_QUAD:
        return _cgcs2000()
    if name in _TITLES:
        document = morecantile.tms.get(name).model_dump(mode="json", by_alias=True, exclude_none=True)
        return read_set({**document, "title": _TITLES[name].en}, _TITLES[name], registered=True)
    families: tuple[ZoneFamily, ...] = ("zone3", "zone6", "meridian3")
    return next((_zone_set(f, zone) for f in families for zone in _zones(f) if _zone_id(f, zone) == name), None)


def _cgcs2000() -> MatrixSet:
    """WorldCRS84Quad in EPSG:4490, whose axes are latitude and longitude."""
    like = morecantile.tms.get(WORLD_CRS84_QUAD).model_dump(mode="json", by_alias=True, exclude_none=True)
    document = {
        "id": CGCS2000_QUAD,
        "title": _TITLES[CGCS2000_QUAD].en,
        "crs": STORAGE_URI,
        "orderedAxes": ["Lat", "Lon"],
        "tileMatrices": [
            {**matrix, "pointOfOrigin": list(reversed(matrix["pointOfOrigin"]))} for matrix in like["tileMatrices"]
        ],
    }
    return read_set(document, _TITLES[CGCS2000_QUAD])


def _zones(family: ZoneFamily) -> list[Zone]:
    return [Zone(number) for number in (SIX_DEGREE if family == "zone6" else THREE_DEGREE)]


def _zone_id(family: ZoneFamily, zone: Zone) -> str:
    if family == "meridian3":
        return f"CGCS2000GK3CM{zone.meridian}E"
    return f"CGCS2000GK{zone.width}Zone{zone.number}"


def _zone_set(family: ZoneFamily, zone: Zone) -> MatrixSet:
    prefixed = family != "meridian3"
    west = FALSE_EASTING - _HALF + (zone.prefix if prefixed else 0)
    document = {
        "id": _zone_id(family, zone),
        "title": _zone_title(zone, prefixed=prefixed).en,
        "crs": f"http://www.opengis.net/def/crs/EPSG/0/{zone.code('cgcs2000', prefixed=prefixed)}",
        # The registry calls the axis to the north X. Clients take an X for one to the east, so plain names stand here.
        "orderedAxes": ["N", "E"],
        "tileMatrices": [_zone_level(level, west) for level in range(FIRST_LEVEL, LAST_LEVEL + 1)],
    }
    half = zone.width / 2
    area = (zone.meridian - half, 0.0, zone.meridian + half, 56.0)
    return read_set(document, _zone_title(zone, prefixed=prefixed), area)


def _zone_title(zone: Zone, *, prefixed: bool) -> Text:
    if prefixed:
        return Text(
            zh=f"CGCS2000 高斯-克吕格 {zone.width} 度带第 {zone.number} 带",
            en=f"CGCS2000 Gauss-Krueger, {zone.width}-degree zone {zone.number}",
        )
    return Text(
        zh=f"CGCS2000 高斯-克吕格 3 度带,中央经线 {zone.meridian}°E",
        en=f"CGCS2000 Gauss-Krueger, 3-degree zone of central meridian {zone.meridian}E",
    )


def _zone_level(level: int, west: float) -> dict[str, Any]:
    count = 2 ** (level - FIRST_LEVEL)
    cell = WORLD / TILE_PIXELS / 2**level
    return {
        "id": str(level),
        "scaleDenominator": cell / PIXEL,
        "cellSize": cell,
        "cornerOfOrigin": "topLeft",
        "pointOfOrigin": [_TOP, west],
        "tileWidth": TILE_PIXELS,
        "tileHeight": TILE_PIXELS,
        "matrixWidth": count,
        "matrixHeight": _ROWS * count,
    }
