"""What a zone of danger hits, in one call; and what differs between two zones or two times."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from geoservice.api.routing import office_of
from geoservice.house import Asker, House, Inside
from geoservice.http.encoding import encoded
from geoservice.http.links import link, url
from geoservice.http.negotiation import JSON
from geoservice.impact.asked import impact_asked
from geoservice.impact.compare import compared
from geoservice.impact.run import impact_answer
from geoservice.ogc.block import Block
from layers.access import Principal
from layers.errors import BadBody, NotAuthenticated
from layers.impact import ImpactAnswer

router = APIRouter(prefix="/impact", tags=["impact"])

_PAIR = ("first", "second")
_PROCESS = "impact"
_ACCEPTED = 202
_SQUARE = [[[105, 38.4], [105.2, 38.4], [105.2, 38.6], [105, 38.6], [105, 38.4]]]
_EXAMPLES: list[dict[str, Any]] = [
    {"adcode": "990101"},
    {"zone": {"type": "Polygon", "coordinates": _SQUARE}, "layers": ["population", "landuse_patch"], "explain": True},
]
ImpactBody = Annotated[
    dict[str, Any],
    Body(
        description="Exactly one of hazard (a hazard zone with severity classes), zone (GeoJSON polygon, CRS84), bbox, "
        "adcode or division, alert, feature, sheet, postcode; layers (ids; all exposure layers when absent), as_of, at "
        "(repeated in the answer), explain, divisions, ways, needs (true or false), facilities (ids of layers).",
        examples=_EXAMPLES,
    ),
]
PairBody = Annotated[
    dict[str, Any],
    Body(
        description="first and second: two impact questions, of two zones or two times.",
        examples=[{"first": {"adcode": "990101", "as_of": "2026-01-01T00:00:00Z"}, "second": {"adcode": "990101"}}],
    ),
]


@router.post("", summary="What a zone of danger hits")
async def impact(request: Request, house: Inside, asker: Asker, body: ImpactBody) -> Response:
    """People, land, roads, buildings and facilities by severity class and division, with low and high figures."""
    if "respond-async" in request.headers.get("prefer", "").lower():
        return await run_in_threadpool(_job, request, house, asker, body)
    return _answered(request, _dumped(await _answer(house, asker, body)))


@router.post("/compare", summary="What differs between two impacts")
async def compare(request: Request, house: Inside, asker: Asker, body: PairBody) -> Response:
    """Both impacts layer by layer, and what the second has more or less."""
    if set(body) != set(_PAIR) or not all(isinstance(body[name], Mapping) for name in _PAIR):
        raise BadBody("The body is a JSON object with first and second, each an impact question.")
    first, second = [await _answer(house, asker, {"ways": False, **body[name]}) for name in _PAIR]
    zones = {name: _dumped(one)["zone"] for name, one in zip(_PAIR, (first, second), strict=True)}
    return _answered(request, {**zones, "sections": compared(first, second), "method": first.method})


def _job(request: Request, house: House, asker: Principal, body: dict[str, Any]) -> Response:
    """A job that asks the same question; what is wrong with it is said at once."""
    if asker.anonymous:
        raise NotAuthenticated("A job takes an API key, so that its answer belongs to somebody.")
    impact_asked(body, house.settings.max_zone_vertices)
    job = house.desk.execute(asker, _PROCESS, body, {})
    place = url(request, f"/jobs/{job.id}")
    made = {"id": job.id, "state": job.state, "links": [link(place, "monitor", JSON, "The job")]}
    return JSONResponse(made, _ACCEPTED, {"Location": place, "Cache-Control": "private, no-store"})


async def _answer(house: House, asker: Principal, body: Mapping[str, Any]) -> ImpactAnswer:
    asked = await run_in_threadpool(impact_asked, body, house.settings.max_zone_vertices)
    return await impact_answer(office_of(house, asker), house.exposure, asked)


def _dumped(answer: ImpactAnswer) -> dict[str, Any]:
    # What is not there is left out: a section without data has no total, and no zero either.
    return answer.model_dump(mode="json", exclude_none=True)


def _answered(request: Request, body: dict[str, Any]) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return encoded(request, text.encode(), JSON, {"Cache-Control": "private, no-store"})


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/api", f="html"), "related", "text/html", "Impact of a zone")]


BLOCK = Block("impact", None, "experimental", (), router, _links)
