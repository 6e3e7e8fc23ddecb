"""What lies at a pixel of a tile (OGC 07-057r7, 7.3): features and cells that the asker may see."""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.concurrency import run_in_threadpool

from geoservice.features.assets import read_assets
from geoservice.features.query import FeatureQuery
from geoservice.features.read import read_page
from geoservice.house import House
from geoservice.http.negotiation import GEOJSON, JSON
from geoservice.wmts.asked import Asked, WmtsError
from geoservice.wmts.tile import Wanted
from layers.access import Principal
from layers.extent import Extent
from layers.model import RasterLayer
from tiles.raster import point_value

INFO_FORMATS = (GEOJSON, JSON)
MOST = 50
"""Features of one answer at most."""
TOLERANCE = 4.0
"""Pixels around the place within which features are found."""
_NUMBER = re.compile(r"\d{1,4}", re.ASCII)


async def feature_info(house: House, asker: Principal, wanted: Wanted, asked: Asked) -> tuple[bytes, str]:
    """The features and cells at a pixel as GeoJSON, and the media type that was asked for.

    Raises:
        WmtsError: When a parameter is missing or no good.
    """
    media = asked.one_of("InfoFormat", INFO_FORMATS)
    matrix = wanted.place.matrix
    i, j = (_pixel(asked, name, matrix.size) + 0.5 for name in ("I", "J"))
    west, _, _, north = wanted.place.bounds
    x, y = west + i * matrix.cell, north - j * matrix.cell
    if isinstance(wanted.layer, RasterLayer):
        features = await _cells(house, asker, wanted, wanted.layer, (x, y))
    else:
        features = await _features(house, asker, wanted, (x, y))
    body = {"type": "FeatureCollection", "features": features}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), media


def _pixel(asked: Asked, name: str, size: int) -> int:
    text = asked.need(name)
    if not _NUMBER.fullmatch(text) or int(text) >= size:
        raise WmtsError(
            f"{name} is a whole number from 0 to {size - 1}; {text[:30]!r} is not.", "PointIJOutOfRange", name
        )
    return int(text)


async def _features(house: House, asker: Principal, wanted: Wanted, at: tuple[float, float]) -> list[Any]:
    wide = TOLERANCE * wanted.place.matrix.cell
    box = wanted.place.grid.degrees((at[0] - wide, at[1] - wide, at[0] + wide, at[1] + wide))
    query = FeatureQuery(MOST, Extent(*box), None)
    async with house.pools.raw(asker.clearance) as connection:
        page = await read_page(connection, house.reading, wanted.layer, wanted.decision, query)  # type: ignore[arg-type]
    found: list[Any] = json.loads(f"[{page.features}]")
    return found


async def _cells(
    house: House, asker: Principal, wanted: Wanted, layer: RasterLayer, at: tuple[float, float]
) -> list[Any]:
    west, south, east, north = wanted.place.grid.degrees((*at, *at))
    lon, lat = (west + east) / 2, (south + north) / 2
    async with house.pools.raw(asker.clearance) as connection:
        assets = await read_assets(connection, house.reading, layer, wanted.decision, house.rasters)
    found = await run_in_threadpool(point_value, assets, lon, lat)
    if found is None:
        return []
    values = {band.name: value for band, value in zip(layer.bands, found.values, strict=False)}
    return [{"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, lat]}, "properties": values}]
