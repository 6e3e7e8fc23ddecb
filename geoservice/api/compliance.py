"""What a red line overlaps and what follows from that by the rules: drawn, named, or from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from geoservice.analysis.request import find_place, zone_request
from geoservice.api.routing import office_of
from geoservice.features.past import moment_asked
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document
from geoservice.http.links import link, url
from geoservice.http.negotiation import DOCUMENT, JSON, negotiate
from geoservice.http.parameters import together
from geoservice.impact.compliance import compliance_answer
from geoservice.impact.redline import SUFFIXES, TEXT, ZIP, RedLine, Sent, read_redline
from geoservice.jobs.errors import WrongMediaType
from geoservice.ogc.block import Block
from geoservice.routing.ground import Office
from layers.errors import BadBody
from layers.gauss import Datum

router = APIRouter(prefix="/compliance", tags=["compliance"])

_PRIVATE = {"Cache-Control": "private, no-store"}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The red line: JSON with exactly one of zone (GeoJSON polygon, CRS84), bbox, adcode, division, "
        "feature, sheet, and perhaps as_of; a file of boundary points (TXT); or a zipped shapefile.",
        "content": {
            JSON: {
                "schema": {"type": "object"},
                "example": {"bbox": [105.0, 38.4, 105.01, 38.41]},
            },
            TEXT: {"schema": {"type": "string"}},
            ZIP: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@dataclass(frozen=True)
class ComplianceQuery:
    """Query parameters that say how a file is read, and how the answer is written."""

    crs: Annotated[str | None, Query(description="CRS of a file that states none, as `EPSG:n`.")] = None
    datum: Annotated[Datum | None, Query(description="Datum of a file that states none, on Gauss-Krueger grids.")] = (
        None
    )
    as_of: Annotated[str | None, Query(alias="as-of", description="RFC 3339 instant: layers as they were.")] = None
    f: Annotated[str | None, Query(description="json, or html: a page that can be printed.")] = None
    lang: Annotated[str | None, Query(description="Language of the page: zh or en.")] = None


@router.post("", summary="What a red line overlaps, judged by the rules", openapi_extra=_BODY)
async def compliance(
    request: Request, house: Inside, asker: Asker, asked: Annotated[ComplianceQuery, together(ComplianceQuery)]
) -> Response:
    """Overlap by land class, ownership, control lines, planning and approvals in ha and mu, with a verdict per rule."""
    chosen = negotiate(request, asked.f, DOCUMENT)
    content = await request.body()
    media = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    office = office_of(house, asker)
    if media == JSON:
        line, as_of = await _drawn(house, office, content, asked)
    else:
        line, as_of = await _sent(house, content, media, asked), asked.as_of
    answer = await compliance_answer(office, line, moment_asked(as_of))
    body = answer.model_dump(mode="json", exclude_none=True)
    return document(request, "compliance", body, chosen, asked.lang, headers=_PRIVATE)


async def _drawn(house: House, office: Office, content: bytes, asked: ComplianceQuery) -> tuple[RedLine, str | None]:
    """The red line of a JSON body, and the instant that it asks about."""
    try:
        body = json.loads(content or b"null")
    except ValueError:
        raise BadBody("The body is not JSON; files are sent as text/plain or application/zip.") from None
    if not isinstance(body, Mapping):
        raise BadBody("The body is a JSON object with a zone.")
    as_of = body.get("as_of", asked.as_of)
    if not isinstance(as_of, str | None):
        raise BadBody("as_of is an RFC 3339 instant.", where="as_of")
    named = {name: value for name, value in body.items() if name != "as_of"}
    wanted = await run_in_threadpool(zone_request, named, house.settings.max_zone_vertices)
    context = replace(office.context, as_of=moment_asked(as_of))
    async with house.pools.connection(context.principal.clearance) as connection:
        place = await find_place(connection, wanted, context)
    return RedLine(place, 1), as_of


async def _sent(house: House, content: bytes, media: str, asked: ComplianceQuery) -> RedLine:
    if media not in SUFFIXES:
        raise WrongMediaType(f"A red line comes as {JSON}, {TEXT} (boundary points) or {ZIP} (a shapefile).")
    if not content:
        raise BadBody("The body is empty; send the file of the red line.")
    await run_in_threadpool(house.desk.require_confinement)
    sent = Sent(content, media, asked.crs, asked.datum)
    folder, most = house.settings.home / "redlines", house.settings.max_zone_vertices
    return await run_in_threadpool(read_redline, sent, house.catalog.templates, folder, most)


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/api", f="html"), "related", "text/html", "Compliance of a red line")]


BLOCK = Block("compliance", None, "experimental", (), router, _links)
