"""Signed reports that are kept, and links to them for those who hold no key."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from geoservice.alerts.drafts import Draft
from geoservice.api.alert_drafts import draft_document
from geoservice.api.impact import question_of
from geoservice.api.report_drafts import AnswerBody, answer_body, reply_to, require_drafting
from geoservice.api.report_files import FORMATS, PRIVATE, REPORT, ZIP, file_response, job
from geoservice.api.routing import office_of
from geoservice.api.zone_limits import most_vertices, too_large
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import language_of
from geoservice.http.links import link, url
from geoservice.http.negotiation import JSON, negotiate
from geoservice.ogc.block import Block
from geoservice.reports.answer import answered
from geoservice.reports.asked import ReportAsked, report_asked
from geoservice.reports.desk import Kept, ReportDesk, Share
from geoservice.reports.field import field_package
from geoservice.reports.made import ALL
from geoservice.reports.make import make_report
from layers.access import Clearance, Principal
from layers.errors import BadBody, BadParameter, NotAuthenticated, TooLarge

router = APIRouter(tags=["reports"])
_CREATED, _NO_CONTENT = 201, 204
_KEPT_FORMATS = {**FORMATS, "zip": ZIP}
_SHARED_FORMATS = {"html": FORMATS["html"], **_KEPT_FORMATS}
Format = Annotated[str | None, Query(description="json, html, pdf, gpkg, xlsx, or zip (a package for the field).")]
Language = Annotated[str | None, Query(description="Language of the report where the body names none: zh or en.")]
ReportBody = Annotated[
    dict[str, Any],
    Body(
        description="Exactly one of impact and compliance (the body of POST /impact or POST /compliance), and perhaps "
        "title, note, lang (zh, en), reply (the body of POST /reports/{report_id}/alert-draft).",
        examples=[{"impact": {"adcode": "990101"}, "title": "Situation at 03:00", "lang": "en"}],
    ),
]
ShareBody = Annotated[
    dict[str, Any],
    Body(
        description="expires (RFC 3339 instant), and perhaps clearance: up to which level the readers of the link see; "
        "public when absent, never above that of the report.",
        examples=[{"expires": "2026-12-31T00:00:00Z"}],
    ),
]


@router.post("/reports", summary="Make and keep a signed report")
async def make(request: Request, house: Inside, asker: Asker, body: ReportBody, lang: Language = None) -> Response:
    """Answers the question and keeps it as page, PDF, GeoPackage, workbook and JSON, with one signature over all."""
    _require_key(asker)
    reply = None if body.get("reply") is None else answer_body(body["reply"])
    if reply is not None:
        require_drafting(house, asker)
    body = {name: value for name, value in body.items() if name != "reply"}
    asked = report_asked(body, "zh" if language_of(request, lang) == "zh" else "en")
    await run_in_threadpool(house.reports.require_room, asker)
    wished = reply is None and "respond-async" in request.headers.get("prefer", "").lower()
    large = not wished and await _too_large(house, asker, asked)
    if reply is None and (wished or large):
        return await run_in_threadpool(job, request, house, asker, REPORT, {**body, "lang": asked.language})
    if large:
        most = house.settings.impact_max_km2
        raise TooLarge("A report with a reply is made at once, and this zone is too large for that.", limit=most)
    kept = await _made(house, asker, asked, None)
    told = _told(request, kept)
    if reply is not None:
        told["draft"] = draft_document(request, await _replied(house, asker, kept, reply))
    return JSONResponse(told, _CREATED, {**PRIVATE, "Location": url(request, f"/reports/{kept.id}")})


async def _replied(house: House, asker: Principal, kept: Kept, reply: AnswerBody) -> Draft:
    try:
        return await reply_to(house, asker, kept, reply)
    except Exception:
        # Both are there in the end, or neither.
        await run_in_threadpool(house.reports.delete, asker, kept.id)
        raise


@router.get("/reports", summary="Your reports")
async def listing(request: Request, house: Inside, asker: Asker) -> Response:
    """Reports that your key keeps, the latest first."""
    _require_key(asker)
    found = await run_in_threadpool(house.reports.listing, asker)
    links = [link(url(request, "/reports"), "self", JSON, "Your reports")]
    return JSONResponse({"reports": [_told(request, one) for one in found], "links": links}, headers=PRIVATE)


@router.get("/reports/{report_id}", summary="A kept report")
async def one(request: Request, house: Inside, asker: Asker, report_id: str, f: Format = None) -> Response:
    """A report in one of its forms; the JSON holds the answer, the manifest, the signature and the certificate."""
    _require_key(asker)
    chosen = negotiate(request, f, _KEPT_FORMATS)
    kept = await run_in_threadpool(house.reports.find, asker, report_id)
    return await _file(request, house, kept, chosen)


@router.delete("/reports/{report_id}", summary="Delete a report", status_code=_NO_CONTENT)
async def delete(house: Inside, asker: Asker, report_id: str) -> Response:
    """The report, its files and all links to it are gone."""
    _require_key(asker)
    await run_in_threadpool(house.reports.delete, asker, report_id)
    return Response(status_code=_NO_CONTENT)


@router.post("/reports/{report_id}/shares", summary="Make a link to a report")
async def share(request: Request, house: Inside, asker: Asker, report_id: str, body: ShareBody) -> Response:
    """A link for those who hold no key. For a lower clearance than that of the report the answer is computed anew."""
    _require_key(asker)
    if strangers := sorted(set(body) - {"expires", "clearance"}):
        raise BadBody(f"The body has the unknown member {strangers[0][:40]}; known are expires and clearance.")
    expires = house.reports.until(body.get("expires"))  # type: ignore[arg-type]
    kept = await run_in_threadpool(house.reports.require_share, asker, report_id)
    level = _level(body.get("clearance", Clearance.PUBLIC.label), kept)
    shown = kept if level == kept.clearance else await _lowered(house, asker, kept, level)
    made, token = await run_in_threadpool(house.reports.share, asker, report_id, shown, expires)
    told = {**_share(made), "url": url(request, f"/shared/{token}")}
    place = url(request, f"/reports/{report_id}/shares/{made.id}")
    return JSONResponse(told, _CREATED, {**PRIVATE, "Location": place})


@router.get("/reports/{report_id}/shares", summary="Links to a report")
async def shares(house: Inside, asker: Asker, report_id: str) -> Response:
    """The links in force, without their tokens, which are told once."""
    _require_key(asker)
    found = await run_in_threadpool(house.reports.shares, asker, report_id)
    return JSONResponse({"shares": [_share(one) for one in found]}, headers=PRIVATE)


@router.delete("/reports/{report_id}/shares/{share_id}", summary="Revoke a link", status_code=_NO_CONTENT)
async def revoke(house: Inside, asker: Asker, report_id: str, share_id: str) -> Response:
    """From now on the link shows nothing."""
    _require_key(asker)
    await run_in_threadpool(house.reports.revoke, asker, report_id, share_id)
    return Response(status_code=_NO_CONTENT)


@router.get("/shared/{token}", summary="A report by its link")
async def shared(request: Request, house: Inside, token: str, f: Format = None) -> Response:
    """What a link shows; links that have expired, were revoked or never were look the same."""
    chosen = negotiate(request, f, _SHARED_FORMATS)
    kept = await run_in_threadpool(house.reports.shared, token)
    return await _file(request, house, kept, chosen)


async def _made(house: House, asker: Principal, asked: ReportAsked, origin: str | None) -> Kept:
    found = await answered(office_of(house, asker), house.exposure, asked, most_vertices(house, asker, asked.kind))
    made = await make_report(house, asker, asked, found, ALL)
    return await run_in_threadpool(house.reports.keep, asker, made, origin)


async def _lowered(house: House, asker: Principal, kept: Kept, level: Clearance) -> Kept:
    """The report for readers of a lower clearance: the same question as of the same instant, asked as one of them."""
    manifest = kept.manifest
    question = {"as_of": manifest.moment.isoformat(), **manifest.question[manifest.kind]}
    asked = ReportAsked(manifest.kind, question, manifest.title, manifest.note, manifest.language)
    lower = replace(asker, clearance=level, rights=frozenset())
    if await _too_large(house, lower, asked):
        most = house.settings.impact_max_km2
        raise TooLarge(
            f"The zone of this report is larger than {most:,.0f} km2, so that it is not answered anew for readers up "
            f"to {level.label}. Make a link for readers up to {kept.clearance.label}, or links to reports of parts.",
            limit=most,
        )
    return await _made(house, lower, asked, kept.id)


async def _file(request: Request, house: House, kept: Kept, chosen: str) -> Response:
    desk: ReportDesk = house.reports
    if chosen == "zip":
        pack = partial(field_package, house.settings, house.catalog, kept.id)
        body = await house.packing.package(kept.id, pack)
    else:
        body = await run_in_threadpool(desk.file, kept, chosen)
    return file_response(request, body, chosen, kept.id)


async def _too_large(house: House, asker: Principal, asked: ReportAsked) -> bool:
    limits = house.settings.impact_max_km2, house.settings.impact_max_vertices
    if asked.kind != "impact" or limits == (None, None):
        return False
    return too_large(house, await question_of(house, asker, asked.question))


def _require_key(asker: Principal) -> None:
    if asker.anonymous:
        raise NotAuthenticated("Reports are kept for holders of an API key; send it as X-API-Key or bearer token.")


def _level(wanted: object, kept: Kept) -> Clearance:
    try:
        level = Clearance.parse(str(wanted)[:40])
    except ValueError as error:
        raise BadParameter(f"{error}.", parameter="clearance") from None
    if level > kept.clearance:
        raise BadParameter(
            f"This report was made for readers up to {kept.clearance.label}; a link cannot show more.",
            parameter="clearance",
        )
    return level


def _told(request: Request, kept: Kept) -> dict[str, Any]:
    place = f"/reports/{kept.id}"
    links = [link(url(request, place), "self", JSON, "The report")]
    links += [
        link(url(request, place, f=name), "alternate", media, name.upper()) for name, media in _KEPT_FORMATS.items()
    ]
    return {
        "id": kept.id,
        "created": _instant(kept.manifest.created),
        "kind": kept.kind,
        "title": kept.title,
        "clearance": kept.clearance.label,
        "digest": kept.manifest.answer,
        "signature": kept.signature,
        "links": links,
    }


def _share(one: Share) -> dict[str, Any]:
    return {"id": one.id, "clearance": one.clearance.label, "expires": _instant(one.expires)}


def _instant(moment: Any) -> str:
    return str(moment.isoformat()).replace("+00:00", "Z")


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/api", f="html"), "related", "text/html", "Signed reports")]


BLOCK = Block("reports", None, "experimental", (), router, _links)
