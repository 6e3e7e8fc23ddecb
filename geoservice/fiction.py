"""Where the fictional sample region lies, so that nobody takes its data for real."""

from __future__ import annotations

import json

import shapely

from geoservice.features.read import read_item
from geoservice.house import House
from ingest.sample import COUNTY_CODE
from layers.access import Principal
from layers.errors import UnknownLayer
from layers.model import RasterLayer
from web.view import Box


async def sample_box(house: House, asker: Principal) -> Box | None:
    """Extent of the fictional sample region, found by its county; None while it is not loaded."""
    try:
        layer, decision = house.open_layer(asker, "division")
    except UnknownLayer:
        return None
    if isinstance(layer, RasterLayer):
        return None
    async with house.pools.raw(asker.clearance) as connection:
        county = await read_item(connection, house.reading, layer, decision, COUNTY_CODE)
    if county is None:
        return None
    west, south, east, north = shapely.bounds(shapely.from_geojson(json.dumps(json.loads(county.feature)["geometry"])))
    return float(west), float(south), float(east), float(north)
