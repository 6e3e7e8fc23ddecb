"""What a zone of danger hits, in one call; and what differs between two zones or two times."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from geoservice.api.report_files import FORMATS, REPORT, asked_of, job, report_file
from geoservice.api.routing import office_of
from geoservice.api.zone_limits import most_vertices, require_answerable, too_large
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import language_of
from geoservice.http.encoding import encoded
from geoservice.http.links import link, url
from geoservice.http.negotiation import JSON, negotiate
from geoservice.http.parameters import together
from geoservice.impact.asked import ImpactAsked, impact_asked
from geoservice.impact.compare import compared
from geoservice.impact.run import impact_answer, located
from geoservice.impact.zoned import Zoned
from geoservice.ogc.block import Block
from layers.access import Principal
from layers.errors import BadBody
from layers.impact import ImpactAnswer

router = APIRouter(prefix="/impact", tags=["impact"])

_PAIR = ("first", "second")
_PROCESS = "impact"
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


@dataclass(frozen=True)
class WayOut:
    """Query parameters that say in which form the answer is given."""

    f: Annotated[str | None, Query(description="json, or a signed report: html, pdf, gpkg, xlsx.")] = None
    lang: Annotated[str | None, Query(description="Language of a report: zh or en.")] = None


@router.post("", summary="What a zone of danger hits")
async def impact(
    request: Request, house: Inside, asker: Asker, body: ImpactBody, out: Annotated[WayOut, together(WayOut)]
) -> Response:
    """People, land, roads, buildings and facilities by severity class and division, with low and high figures."""
    chosen = negotiate(request, out.f, FORMATS)
    asked = await question_of(house, asker, body)
    wished = "respond-async" in request.headers.get("prefer", "").lower()
    if wished or (too_large(house, asked) and not asker.anonymous):
        process, inputs = _PROCESS, body
        if chosen != "json":
            process, inputs = REPORT, {"impact": body, "lang": language_of(request, out.lang)}
        return await run_in_threadpool(job, request, house, asker, process, inputs)
    if chosen == "json":
        return _answered(request, _dumped(await _answer(house, asker, asked)))
    if isinstance(asked.zone, Zoned):
        require_answerable(house, asked.zone)
    return await report_file(request, house, asker, asked_of(request, "impact", body, out.lang), chosen)


@router.post("/compare", summary="What differs between two impacts")
async def compare(request: Request, house: Inside, asker: Asker, body: PairBody) -> Response:
    """Both impacts layer by layer, and what the second has more or less."""
    if set(body) != set(_PAIR) or not all(isinstance(body[name], Mapping) for name in _PAIR):
        raise BadBody("The body is a JSON object with first and second, each an impact question.")
    asked = [await question_of(house, asker, {"ways": False, "secondary": False, **body[name]}) for name in _PAIR]
    first, second = [await _answer(house, asker, one) for one in asked]
    zones = {name: _dumped(one)["zone"] for name, one in zip(_PAIR, (first, second), strict=True)}
    return _answered(request, {**zones, "sections": compared(first, second), "method": first.method})


async def question_of(house: House, asker: Principal, body: Mapping[str, Any]) -> ImpactAsked:
    """The question with its zone looked up, so that its size is known before anything is read for it."""
    asked = await run_in_threadpool(impact_asked, body, most_vertices(house, asker))
    return replace(asked, zone=await located(office_of(house, asker), asked, most_vertices(house, asker)))


async def _answer(house: House, asker: Principal, asked: ImpactAsked) -> ImpactAnswer:
    if isinstance(asked.zone, Zoned):
        require_answerable(house, asked.zone)
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
