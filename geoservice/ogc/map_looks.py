"""What a raster offers to those who draw it: bands, formulas, colour maps, algorithms, times, formats."""

from __future__ import annotations

import math
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.features.assets import read_assets
from geoservice.house import Asker, Inside
from geoservice.http.documents import document
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import DOCUMENT, JSON, negotiate
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.common import Format, Language
from geoservice.ogc.tilesets import raster_layer
from layers.asset import Asset
from layers.model import Band, RasterLayer
from tiles import formula
from tiles.colours import colour_map_names
from tiles.contours import usual_intervals
from tiles.grid import WEB_MERCATOR_QUAD
from tiles.image import MEDIA_TYPES
from tiles.view import ALGORITHMS, SIZES, height_bands
from web.texts import text

router = APIRouter(tags=["maps"])
MOST_TIMES = 1000
"""Times that the document lists, the latest first."""


@router.get("/collections/{collection_id}/map/looks", summary="Ways to show a raster")
async def map_looks(
    request: Request, house: Inside, asker: Asker, collection_id: str, f: Format = None, lang: Language = None
) -> Response:
    """The values that the parameters of map tiles take for this collection."""
    chosen = negotiate(request, f, DOCUMENT)
    layer, decision = raster_layer(house, asker, collection_id)
    async with house.pools.raw(asker.clearance) as connection:
        assets = await read_assets(connection, house.reading, layer, decision, house.rasters)
    body = {
        "id": layer.name,
        "title": f"{layer.title.of(lang or 'en')} · {text('maplooks', lang or 'en')}",
        **looks(layer, lang or "en"),
        **_times(layer, assets),
        "links": [
            *self_links(request, f"/collections/{layer.name}/map/looks", chosen, DOCUMENT),
            *_links(request, layer),
        ],
    }
    return document(request, "maplooks", body, chosen, lang)


def looks(layer: RasterLayer, language: str) -> dict[str, Any]:
    """What does not depend on the rasters that are loaded."""
    heights = height_bands(layer)
    return {
        "bands": [_band(number, band, language) for number, band in enumerate(layer.bands, 1)],
        "style": layer.style.model_dump(exclude_none=True, exclude={"mode"}),
        "formats": list(MEDIA_TYPES.values()),
        "sizes": list(SIZES),
        "expression": {
            "functions": {name: count for name, (count, _) in formula.FUNCTIONS.items()},
            "operators": list(formula.OPERATORS),
            "maxLength": formula.LONGEST,
            "maxOperations": formula.MOST_OPERATIONS,
        },
        "colormaps": sorted(colour_map_names()),
        "algorithms": list(ALGORITHMS) if heights else [],
        "contours": [{"fromZoom": z, "interval": metres} for z, metres in usual_intervals()] if heights else [],
        "order": layer.order,
    }


def _band(number: int, band: Band, language: str) -> dict[str, Any]:
    found: dict[str, Any] = {"number": number, "name": band.name}
    if band.title is not None:
        found["title"] = band.title.of(language)
    # JSON has no NaN.
    nodata = "NaN" if band.nodata is not None and math.isnan(band.nodata) else band.nodata
    more = {"unit": band.unit, "verticalDatum": band.vertical_datum, "nodata": nodata, "range": band.range}
    return found | {key: value for key, value in more.items() if value is not None}


def _times(layer: RasterLayer, assets: list[Asset]) -> dict[str, Any]:
    """How many rasters there are, and when they were taken."""
    found: dict[str, Any] = {"rasters": len(assets)}
    if layer.time is not None:
        starts = {asset.taken.start for asset in assets if asset.taken is not None and asset.taken.start is not None}
        latest = sorted(starts, reverse=True)[:MOST_TIMES]
        found["times"] = [start.isoformat().replace("+00:00", "Z") for start in latest]
    return found


def _links(request: Request, layer: RasterLayer) -> list[dict[str, Any]]:
    template = url(request, f"/collections/{layer.name}/map/tiles/{WEB_MERCATOR_QUAD}")
    found = [link(template + "/{tileMatrix}/{tileRow}/{tileCol}", "item", "image/png", "Map tile", templated=True)]
    if height_bands(layer):
        for encoding, algorithm in (("mapbox", "terrainrgb"), ("terrarium", "terrarium")):
            heights = f"{template}/{{z}}/{{y}}/{{x}}?f=png&algorithm={algorithm}"
            found.append(link(heights, "item", "image/png", f"Heights for raster-dem: {encoding}", templated=True))
        found.append(link(url(request, f"/collections/{layer.name}/contours"), "related", JSON, "Contour lines"))
    return found


BLOCK = Block(name="map-looks", spec=None, maturity="stable", conformance=(), router=router, links=no_links)
