"""Exports over HTTP: whole collections as files, made by a job and handed out by ranges to whoever asked for them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from geoservice.api.jobs import PRIVATE, STATUS
from geoservice.api.results import alone
from geoservice.exports.desk import Export, ExportDesk, unknown_export
from geoservice.exports.run import RESULT
from geoservice.exports.wish import ExportInputs
from geoservice.features.past import instant_asked
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document, language_of
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import DOCUMENT, JSON, negotiate
from geoservice.http.parameters import MOST_DIGITS, parse_cursor, parse_limit, together
from geoservice.jobs.model import State
from geoservice.ogc.block import Block
from geoservice.ogc.common import Format, Language
from geoservice.ogc.features import open_rows
from layers.errors import UnknownResource
from web.sentences import in_language

router = APIRouter(prefix="/exports", tags=["exports"])
_SENTENCES: dict[State, str] = {
    "queued": "The export waits for its turn.",
    "running": "The export is being written.",
    "done": "The export is ready.",
    "refused": "The export was refused; there is no result.",
    "failed": "The export failed; there is no result.",
    "cancelled": "The export was cancelled or removed; there is no result.",
}
_GONE = "The result is not kept any more; ask for a new export."


@dataclass(frozen=True)
class ExportsQuery:
    """Query parameters of the list."""

    limit: Annotated[str | None, Query(description="Exports per page, at least 1; large values are clamped.")] = None
    cursor: Annotated[str | None, Query(description="Paging token of a next link.")] = None
    f: Format = None
    lang: Language = None


def desk_of(house: House) -> ExportDesk:
    """The desk of the house."""
    return ExportDesk(house.settings, house.catalog, house.desk)


async def own_export(house: Inside, asker: Asker, export_id: str) -> Export:
    """The export of the address.

    Raises:
        UnknownResource: When there is none, or none of this asker; the two look the same.
    """
    if not (export_id.isascii() and export_id.isdigit() and len(export_id) <= MOST_DIGITS):
        raise unknown_export(export_id)
    return await run_in_threadpool(desk_of(house).get, asker, int(export_id))


Found = Annotated[Export, Depends(own_export)]


@router.post("", status_code=201, summary="Ask for an export")
async def make(request: Request, house: Inside, asker: Asker, body: ExportInputs) -> Response:
    """Write the rows of a collection into a file, in the background."""
    layer, decision = open_rows(house, asker, body.collection)
    async with house.pools.raw(asker.clearance) as connection:
        await instant_asked(connection, layer, body.as_of, body.edition)
    made = await run_in_threadpool(desk_of(house).submit, asker, layer, decision, body)
    headers = {**PRIVATE, "Location": url(request, f"/exports/{made.job.id}")}
    return JSONResponse(_shown(request, made), 201, headers)


@router.get("", summary="Your exports")
async def exports(
    request: Request, house: Inside, asker: Asker, asked: Annotated[ExportsQuery, together(ExportsQuery)]
) -> Response:
    """Your exports, newest first; none for the anonymous public."""
    chosen = negotiate(request, asked.f, DOCUMENT)
    size = parse_limit(asked.limit, house.settings.default_limit, house.settings.max_limit)
    found = await run_in_threadpool(desk_of(house).listing, asker, parse_cursor(asked.cursor), size + 1)
    links = self_links(request, "/exports", chosen, DOCUMENT, limit=asked.limit, cursor=asked.cursor)
    if len(found) > size:
        address = url(request, "/exports", limit=asked.limit, cursor=found[size - 1].job.id, f=chosen)
        links.append(link(address, "next", DOCUMENT[chosen], "Next page"))
    entries = [_shown(request, one) for one in found[:size]]
    body = {"exports": entries, "numberReturned": len(entries), "links": links}
    return document(request, "exports", body, chosen, asked.lang, headers=PRIVATE)


@router.get("/{export_id}", summary="An export")
async def export(request: Request, found: Found, f: Format = None, lang: Language = None) -> Response:
    """How an export stands, and where its result is."""
    chosen = negotiate(request, f, DOCUMENT)
    return document(request, "export", _shown(request, found), chosen, lang, headers=PRIVATE)


@router.get("/{export_id}/file", summary="The result of an export", response_class=Response)
async def result(house: Inside, asker: Asker, found: Found) -> Response:
    """The file, whole or by `Range`, as long as it is kept and nothing in it was closed to you."""
    outputs = await run_in_threadpool(house.desk.results, asker, found.job)
    if RESULT not in outputs:
        raise UnknownResource(f"Export {found.job.id} has no result that you may read.")
    response = alone(house, found.job, outputs[RESULT])
    response.headers["Geoservice-Clearance"] = str(outputs[RESULT].facts["clearance"])
    response.headers["Geoservice-Edition"] = str(outputs[RESULT].facts.get("edition", ""))
    return response


@router.delete("/{export_id}", summary="Cancel or remove an export")
async def let_go(request: Request, house: Inside, asker: Asker, found: Found) -> Response:
    """One under way is cancelled, the result of one that is done is removed."""
    left = await run_in_threadpool(house.desk.dismiss, asker, found.job)
    return JSONResponse(_shown(request, Export(left, None)), headers=PRIVATE)


def _shown(request: Request, found: Export) -> dict[str, Any]:
    job, output, language = found.job, found.output, language_of(request, None)
    gone = job.state == "done" and output is None
    asked = job.options["inputs"]
    body: dict[str, Any] = {
        "id": str(job.id),
        "status": STATUS[job.state],
        "message": in_language(_GONE if gone else _SENTENCES[job.state], language),
        "collection": asked.get("collection"),
        "asked": asked,
        "created": _moment(job.created),
        "finished": None if job.finished is None else _moment(job.finished),
        "rows": job.rows if output is None else output.facts["rows"],
        "about": None if output is None else output.facts,
        "links": _links(request, found),
    }
    if job.error is not None:
        detail = in_language(str(job.error.get("detail", "")), language)
        body["exception"] = {"title": str(job.error.get("title", "")), "detail": detail}
    return {name: value for name, value in body.items() if value is not None}


def _links(request: Request, found: Export) -> list[dict[str, Any]]:
    path = f"/exports/{found.job.id}"
    links = [
        link(url(request, path), "self", JSON, "This export"),
        link(url(request, "/exports"), "up", JSON, "Exports"),
        link(url(request, f"/jobs/{found.job.id}"), "monitor", JSON, "Its job"),
    ]
    if found.output is not None:
        length = found.output.facts["length"]
        links.append(link(url(request, f"{path}/file"), "enclosure", found.output.media, length=length))
    return links


def _moment(instant: dt.datetime) -> str:
    return instant.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _landing_links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/exports"), "related", JSON, "Your exports")]


BLOCK = Block("exports", None, "experimental", (), router, _landing_links)
