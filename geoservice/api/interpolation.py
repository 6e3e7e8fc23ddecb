"""Surfaces between stations over HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.api.played import Exercise, played_of
from geoservice.edr.model import Average
from geoservice.house import Asker, Inside
from geoservice.http.encoding import encoded
from geoservice.http.negotiation import GEOJSON, JSON, negotiate
from geoservice.http.parameters import together
from geoservice.http.texts import storable
from geoservice.interpolation.output import COLOURS, ERROR_COLOURS, Shown, contours, geotiff, picture
from geoservice.interpolation.process import COG
from geoservice.interpolation.request import (
    MOST_CELLS,
    USUAL_WIDTH,
    Drawn,
    SurfaceRequest,
    box_of,
    drawn,
    sampled_for,
)
from geoservice.interpolation.samples import Sampled
from geoservice.interpolation.surface import Method, Variogram
from geoservice.ogc.block import Block, no_links
from layers.errors import BadParameter
from layers.interval import parse_instant

router = APIRouter(tags=["interpolation"])
_FORMATS = {"json": JSON, "geotiff": COG, "png": "image/png", "geojson": GEOJSON}
_PLACES = anyio.CapacityLimiter(1)
"""Surfaces that one process of the service draws at a time."""


@dataclass(frozen=True)
class SurfaceQuery:
    """Which surface is wanted."""

    property: Annotated[str, Query(description="Code of the property.")]
    datetime: Annotated[str, Query(description="RFC 3339 instant: readings of the hour before it count.")]
    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees (CRS84).")] = None
    average: Annotated[Average | None, Query(description="Means of the hour, day or month that holds it.")] = None
    method: Annotated[Method, Query(description="Ordinary kriging, or radial basis functions.")] = "kriging"
    variogram: Annotated[Variogram, Query(description="Model of kriging.")] = "spherical"
    width: Annotated[int, Query(ge=8, le=MOST_CELLS, description="Columns.")] = USUAL_WIDTH
    reach: Annotated[
        float | None, Query(gt=0, le=500, allow_inf_nan=False, description="Kilometres from the nearest station.")
    ] = None
    exercise: Exercise = None

    def asked(self) -> SurfaceRequest:
        """The same for the domain.

        Raises:
            BadParameter: When a parameter is not acceptable.
        """
        if not self.property or not storable(self.property):
            raise BadParameter("property is the code of a property.", parameter="property")
        return SurfaceRequest(
            property=self.property,
            moment=parse_instant(self.datetime, "datetime"),
            box=box_of(self.bbox),
            average=self.average,
            method=self.method,
            variogram=self.variogram,
            width=self.width,
            reach=None if self.reach is None else self.reach * 1000,
            played=played_of(self.exercise),
        )


@router.get("/interpolation", summary="A surface between stations", response_class=Response)
async def interpolation(
    request: Request,
    house: Inside,
    asker: Asker,
    query: Annotated[SurfaceQuery, together(SurfaceQuery)],
    f: Annotated[str | None, Query(description="json, geotiff, png or geojson (contour lines).")] = None,
    show: Annotated[Shown, Query(description="What a picture shows: value or error.")] = "value",
) -> Response:
    """What the surface was made from, or the surface: values with errors, a picture, or lines of equal value."""
    chosen, asked = negotiate(request, f, _FORMATS), query.asked()
    async with house.pools.connection(asker.clearance) as connection:
        sampled = await sampled_for(connection, asker.clearance, asked)
    body, facts = await anyio.to_thread.run_sync(_made, asked, sampled, (chosen, show), limiter=_PLACES)
    headers = {"Cache-Control": "private, no-store", "Geoservice-Bbox": ",".join(map(str, facts["bbox"]))}
    if "exercise" in facts:
        headers["Geoservice-Exercise"] = "true"
    return encoded(request, body, _FORMATS[chosen], headers)


def _made(asked: SurfaceRequest, sampled: Sampled, form: tuple[str, Shown]) -> tuple[bytes, dict[str, Any]]:
    one: Drawn = drawn(asked, sampled)
    chosen, shown = form
    facts = one.facts() | {"colours": {"value": COLOURS, "error": ERROR_COLOURS}}
    if chosen == "geotiff":
        return geotiff(one), facts
    if chosen == "png":
        return picture(one, shown), facts
    told: dict[str, Any] = {name: facts[name] for name in ("exercise", "method") if name in facts}
    body = {**contours(one), **told} if chosen == "geojson" else facts
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), facts


BLOCK = Block("interpolation", None, "experimental", (), router, no_links)
