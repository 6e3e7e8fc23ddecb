"""What a red line overlaps and what follows from that by the rules: drawn, named, or from a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import shapely
from fastapi import APIRouter, Body, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from geoservice.analysis.request import find_place, zone_request
from geoservice.api.report_files import FORMATS, asked_of, report_file
from geoservice.api.routing import office_of
from geoservice.features.past import moment_asked
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document
from geoservice.http.links import link, url
from geoservice.http.negotiation import DOCUMENT, negotiate
from geoservice.http.parameters import together
from geoservice.impact.redline import SUFFIXES, TEXT, ZIP, RedLine, Sent, outline, read_redline
from geoservice.jobs.errors import WrongMediaType
from geoservice.ogc.block import Block
from geoservice.reports.answer import compliance_asked, judged
from geoservice.routing.ground import Office
from layers.errors import BadBody
from layers.gauss import Datum

router = APIRouter(prefix="/compliance", tags=["compliance"])

_PRIVATE = {"Cache-Control": "private, no-store"}
_FORMATS = {**FORMATS, **DOCUMENT}
_FILES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A file of boundary points (TXT) as land offices exchange them, or a zipped shapefile.",
        "content": {
            TEXT: {"schema": {"type": "string"}},
            ZIP: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
RedLineBody = Annotated[
    dict[str, Any],
    Body(
        description="Exactly one of zone (GeoJSON polygon, CRS84), bbox, adcode or division, alert, feature, sheet, "
        "postcode; and perhaps as_of (RFC 3339 instant: layers as they were).",
        examples=[{"bbox": [105.0, 38.4, 105.01, 38.41]}],
    ),
]


@dataclass(frozen=True)
class PageQuery:
    """Query parameters that say how the answer is written."""

    f: Annotated[str | None, Query(description="json; html: a page; or a signed report: pdf, gpkg, xlsx.")] = None
    lang: Annotated[str | None, Query(description="Language of the page or report: zh or en.")] = None


@dataclass(frozen=True)
class FileQuery:
    """Query parameters that say how a file is read, and what it is compared with."""

    crs: Annotated[str | None, Query(description="CRS of a file that states none, as `EPSG:n`.")] = None
    datum: Annotated[Datum | None, Query(description="Datum of a file on Gauss-Krueger grids that states none.")] = None
    as_of: Annotated[str | None, Query(alias="as-of", description="RFC 3339 instant: layers as they were.")] = None


@router.post("", summary="What a red line overlaps, judged by the rules")
async def compliance(
    request: Request, house: Inside, asker: Asker, body: RedLineBody, page: Annotated[PageQuery, together(PageQuery)]
) -> Response:
    """Overlap by land class, ownership, control lines, planning and approvals in ha and mu, with a verdict per rule."""
    chosen = negotiate(request, page.f, _FORMATS)
    as_of, named = compliance_asked(body)
    wanted = await run_in_threadpool(zone_request, named, house.settings.max_zone_vertices)
    office = office_of(house, asker)
    context = replace(office.context, as_of=moment_asked(as_of))
    async with house.pools.connection(asker.clearance) as connection:
        place = await find_place(connection, wanted, context)
    return await _judged(request, (house, office), RedLine(place, 1), body, (chosen, page.lang))


@router.post("/file", summary="What the red line of a file overlaps, judged by the rules", openapi_extra=_FILES)
async def compliance_of_file(
    request: Request,
    house: Inside,
    asker: Asker,
    asked: Annotated[FileQuery, together(FileQuery)],
    page: Annotated[PageQuery, together(PageQuery)],
) -> Response:
    """The same for a red line that comes as a file, which is read in the confined reader."""
    chosen = negotiate(request, page.f, _FORMATS)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in SUFFIXES:
        raise WrongMediaType(f"The file of a red line is {TEXT} (boundary points) or {ZIP} (a shapefile).")
    content = await request.body()
    if not content:
        raise BadBody("The body is empty; send the file of the red line.")
    await run_in_threadpool(house.desk.require_confinement)
    sent = Sent(content, media, asked.crs, asked.datum)
    folder, most = house.settings.home / "redlines", house.settings.max_zone_vertices
    line = await run_in_threadpool(read_redline, sent, house.catalog.templates, folder, most)
    question: dict[str, Any] = {"zone": shapely.geometry.mapping(line.place.geometry)}
    question |= {} if asked.as_of is None else {"as_of": asked.as_of}
    return await _judged(request, (house, office_of(house, asker)), line, question, (chosen, page.lang), drawn=True)


async def _judged(
    request: Request,
    inside: tuple[House, Office],
    line: RedLine,
    body: dict[str, Any],
    look: tuple[str, str | None],
    *,
    drawn: bool = False,
) -> Response:
    house, office = inside
    chosen, language = look
    found = await judged(office, line, moment_asked(body.get("as_of")))
    if chosen not in DOCUMENT:
        asked = asked_of(request, "compliance", body, language)
        return await report_file(request, house, office.context.principal, asked, chosen, found)
    drawn = drawn or chosen == "html"
    body = {**found.answer, "outline": outline(line.place.geometry)} if drawn else found.answer
    return await run_in_threadpool(document, request, "compliance", body, chosen, language, headers=_PRIVATE)


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/api", f="html"), "related", "text/html", "Compliance of a red line")]


BLOCK = Block("compliance", None, "experimental", (), router, _links)
