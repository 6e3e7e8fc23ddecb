"""What lies in a zone: people, land, roads, facilities, with the editions used."""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from geoservice.analysis.context import AnalysisContext
from geoservice.analysis.request import zone_request
from geoservice.analysis.zonal import zonal
from geoservice.analysis.zone import zone_answer
from geoservice.api.query_terms import AsOf
from geoservice.features.past import moment_asked
from geoservice.house import Asker, Inside
from geoservice.http.encoding import encoded
from geoservice.http.links import link, url
from geoservice.http.negotiation import JSON
from geoservice.ogc.block import Block

router = APIRouter(prefix="/analysis", tags=["analysis"])

_EXAMPLES = [
    {"adcode": "990101"},
    {"bbox": [105.0, 38.4, 105.2, 38.6]},
    {"zone": {"type": "Polygon", "coordinates": [[[105, 38.4], [105.2, 38.4], [105.2, 38.6], [105, 38.4]]]}},
    {"feature": {"collection": "division", "id": "990101"}},
]
ZoneBody = Annotated[
    dict[str, Any],
    Body(
        description="Exactly one of zone (GeoJSON polygon, CRS84), bbox, adcode or division, alert, feature, sheet, "
        "postcode.",
        examples=_EXAMPLES,
    ),
]


@router.post("/zone", summary="What lies in a zone")
async def zone(request: Request, house: Inside, asker: Asker, body: ZoneBody, as_of: AsOf = None) -> Response:
    """Sums, classes and lists per exposure layer inside a zone, measured on the ellipsoid; now, or as of an instant."""
    instant = moment_asked(as_of)
    asked = await run_in_threadpool(zone_request, body, house.settings.max_zone_vertices)
    context = AnalysisContext(
        principal=asker,
        catalog=house.catalog,
        rasters=house.rasters,
        seconds=house.settings.analysis_timeout,
        schema=house.reading.schema(asker.clearance),
        raster_sum=partial(zonal, kept=house.exposure.rasters.sums),
        prepare=house.exposure.rasters.prepare,
        as_of=instant,
    )
    async with house.pools.connection(asker.clearance) as connection:
        answer = await zone_answer(connection, asked, context)
    text = json.dumps(answer.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))
    return encoded(request, text.encode(), JSON, {"Cache-Control": "private, no-store"})


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/api", f="html"), "related", "text/html", "Zone analysis")]


BLOCK = Block("analysis", None, "experimental", (), router, _links)
