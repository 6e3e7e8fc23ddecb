"""Files of reports as responses, reports that are made for one answer and not kept, and jobs that make them."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from starlette.responses import JSONResponse, Response

from geoservice.api.routing import office_of
from geoservice.api.zone_limits import most_vertices
from geoservice.formats.known import XLSX
from geoservice.house import House
from geoservice.http.documents import language_of
from geoservice.http.encoding import encoded
from geoservice.http.links import link, url
from geoservice.http.negotiation import HTML, JSON
from geoservice.reports.answer import Answered, answered
from geoservice.reports.asked import ReportAsked
from geoservice.reports.made import NAMES
from geoservice.reports.make import make_report
from geoservice.reports.manifest import Kind
from layers.access import Principal
from layers.errors import NotAuthenticated
from web.report import report_policy

PDF, GEOPACKAGE, ZIP = "application/pdf", "application/geopackage+sqlite3", "application/zip"
MEDIA = {"html": HTML, "pdf": PDF, "gpkg": GEOPACKAGE, "xlsx": XLSX}
"""Media types of the files by format."""
FORMATS = {"json": JSON, **MEDIA}
PRIVATE = {
    "Cache-Control": "private, no-store",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "no-referrer",
}
REPORT = "report"
"""The process that makes and keeps a report."""
_ACCEPTED = 202
_PACKED = frozenset({"pdf", "gpkg", "xlsx", "zip"})


async def report_file(
    request: Request, house: House, asker: Principal, asked: ReportAsked, chosen: str, found: Answered | None = None
) -> Response:
    """One file of a report that is not kept; the seal in it holds the digest of that file alone.

    Args:
        request: The request.
        house: The service.
        asker: Who asks.
        asked: What is asked.
        chosen: `html`, `pdf`, `gpkg` or `xlsx`.
        found: The answer, where it is there already.
    """
    if found is None:
        found = await answered(office_of(house, asker), house.exposure, asked, most_vertices(house, asker, asked.kind))
    made = await make_report(house, asker, asked, found, frozenset({chosen}))
    return file_response(request, made.files[chosen], chosen, made.sealed.manifest.id)


def file_response(request: Request, body: bytes, chosen: str, report: str) -> Response:
    """A file of a report; no shared cache keeps it, and no search engine lists it."""
    name = NAMES.get(chosen, f"report.{chosen}").replace("report", f"report-{report[:12]}")
    place = "inline" if chosen in ("html", "pdf", "json") else "attachment"
    headers = {**PRIVATE, "Content-Disposition": f'{place}; filename="{name}"'}
    if chosen == "html":
        headers["Content-Security-Policy"] = report_policy()
    media = {**FORMATS, "zip": ZIP}[chosen]
    if chosen in _PACKED:
        return Response(body, media_type=media, headers=headers)
    return encoded(request, body, media, headers)


def asked_of(request: Request, kind: Kind, question: dict[str, object], lang: str | None) -> ReportAsked:
    """What a request asks for that names no title of its own."""
    language = language_of(request, lang)
    return ReportAsked(kind, question, language="zh" if language == "zh" else "en")


def job(request: Request, house: House, asker: Principal, process: str, inputs: dict[str, Any]) -> Response:
    """A job that asks the same question; what is wrong with it is said at once.

    Raises:
        NotAuthenticated: When whoever asks has no key.
    """
    if asker.anonymous:
        raise NotAuthenticated("A job takes an API key, so that its answer belongs to somebody.")
    made = house.desk.execute(asker, process, inputs, {})
    place = url(request, f"/jobs/{made.id}")
    told = {"id": made.id, "state": made.state, "links": [link(place, "monitor", JSON, "The job")]}
    return JSONResponse(told, _ACCEPTED, {**PRIVATE, "Location": place})
