"""Alerts over HTTP: those in force, one with its history, as CAP, GeoJSON, page and Atom feed; and handing them in."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import JSONResponse, Response

from geoservice.alerts import present, read
from geoservice.alerts.desk import LAYER, Bearer, Taken
from geoservice.alerts.read import Asked, Kept
from geoservice.alerts.zone import zone_of
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document
from geoservice.http.encoding import encoded
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import DOCUMENT, GEOJSON, HTML, JSON, negotiate
from geoservice.http.parameters import parse_limit, together
from geoservice.http.problems import problem_of
from geoservice.jobs.errors import WrongMediaType
from geoservice.ogc.block import Block
from geoservice.ogc.common import Format, Language
from layers.access import ALERT, Principal, RowRule
from layers.alerting import Status
from layers.cap import MEDIA, SEVERITIES
from layers.errors import BadParameter, NotAllowed, NotAuthenticated, UnknownResource
from layers.extent import parse_bbox
from layers.interval import parse_instant

router = APIRouter(prefix="/alerts", tags=["alerts"])
PRIVATE = {"Cache-Control": "private, no-cache"}
LISTS = {"json": JSON, "geojson": GEOJSON, "html": HTML}
ONE = {"json": JSON, "geojson": GEOJSON, "cap": MEDIA, "html": HTML}
BODIES = (MEDIA, "application/xml", "text/xml", present.ATOM, "application/emergency+xml")
PEM = "application/x-pem-file"
STATES = ("active", "all")
MOST = 1_000
_TITLE = {"zh": "预警", "en": "Alerts"}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {media: {"schema": {"type": "string", "description": "CAP 1.1 or 1.2"}} for media in BODIES},
    }
}


@dataclass(frozen=True)
class View:
    """Query parameters of lists of alerts."""

    at: Annotated[str | None, Query(description="RFC 3339 instant: alerts as they stood then. Default: now.")] = None
    status: Annotated[
        str | None, Query(description="Actual (default), Exercise, System, Test or Draft: one of them at a time.")
    ] = None
    severity: Annotated[
        str | None, Query(description="Severities, with commas: Extreme, Severe, Moderate, Minor, Unknown.")
    ] = None
    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees that an area meets.")] = None
    state: Annotated[
        str | None, Query(description="active (default), or all: also what is over, and Cancel, Ack and Error.")
    ] = None
    limit: Annotated[str | None, Query(description="Alerts per page, at least 1; large values are clamped.")] = None
    after: Annotated[str | None, Query(description="Id of an alert after which the page begins; see `next`.")] = None
    f: Format = None
    lang: Language = None


@router.get("", summary="Alerts in force")
async def alerts(request: Request, house: Inside, asker: Asker, view: Annotated[View, together(View)]) -> Response:
    """Alerts that stand now or stood at an instant, the latest first; exercises and tests only when asked for."""
    chosen = negotiate(request, view.f, LISTS)
    address = partial(url, request)
    async with _reading(house, asker) as (connection, rule):
        asked = await _asked(connection, rule, view)
        found = await read.listed(connection, rule, asked)
        page = found[: asked.limit]
        if chosen == "geojson":
            page = await read.with_areas(connection, rule, page)
    query = {name: getattr(view, name) for name in ("at", "status", "severity", "bbox", "state", "limit", "after")}
    links = self_links(request, "/alerts", chosen, LISTS, **query)
    links += [link(url(request, "/alerts/feed.atom"), "alternate", present.ATOM, "Atom feed")]
    if len(found) > asked.limit:
        links.append(link(address("/alerts", **{**query, "after": page[-1].id, "f": chosen}), "next", LISTS[chosen]))
    if chosen == "geojson":
        body = {**present.features(page, asked.at, address), "links": links}
        return encoded(request, _json(body), GEOJSON, PRIVATE)
    body = {
        "title": _TITLE["en"],
        "titles": _TITLE,
        "at": asked.at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "status": asked.statuses[0],
        "numberReturned": len(page),
        "alerts": [present.summary(kept, asked.at, address) for kept in page],
        "links": links,
    }
    return document(request, "alerts", body, chosen, view.lang, headers=PRIVATE)


@router.post("", status_code=201, summary="Hand in alerts", openapi_extra=_BODY)
async def hand_in(request: Request, house: Inside, asker: Asker) -> Response:
    """A document of CAP, Atom or EDXL-DE; tells what became of each message, or why the only one was refused."""
    require_right(asker, ALERT)
    house.open_layer(asker, LAYER)
    named = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if named not in BODIES:
        raise WrongMediaType(f"Alerts are sent as {', '.join(BODIES)}; {named[:60] or 'nothing'!r} is not taken.")
    content = await request.body()
    taken = await run_in_threadpool(house.alerts.take, content, Bearer(asker.id, "api"))
    errors = [one.error for one in taken if one.error is not None]
    if errors and len(errors) == len(taken):
        raise errors[0]
    fresh = any(one.outcome == "new" for one in taken)
    headers = {**PRIVATE, "Location": url(request, f"/alerts/{taken[0].id}")} if len(taken) == 1 else PRIVATE
    return JSONResponse({"alerts": [_became(request, one) for one in taken]}, 201 if fresh else 200, headers)


@router.get("/feed.atom", summary="Alerts as an Atom feed", response_class=Response)
async def feed(request: Request, house: Inside, asker: Asker, view: Annotated[View, together(View)]) -> Response:
    """Alerts in force as RFC 4287; each entry leads to the message in CAP."""
    async with _reading(house, asker) as (connection, rule):
        asked = await _asked(connection, rule, view)
        found = await read.listed(connection, rule, asked)
    mark = present.MARKS.get(asked.statuses[0], {"zh": "", "en": ""})
    title = f"{mark['zh']}{_TITLE['zh']} / {mark['en']}{_TITLE['en']}"
    return encoded(request, present.atom(found[: asked.limit], title, partial(url, request)), present.ATOM, PRIVATE)


@router.get("/certificate.pem", summary="Certificate of this installation", response_class=Response)
async def certificate(request: Request, house: Inside, asker: Asker) -> Response:
    """The certificate with which the alerts of this installation are signed; others register it."""
    from geoservice.alerts.keys import identity  # noqa: PLC0415

    house.open_layer(asker, LAYER)
    sender = house.settings.alert_sender
    if sender is None:
        raise UnknownResource("This installation signs no alerts: it has no name as a sender.")
    found = await run_in_threadpool(identity, house.settings.home, sender)
    return encoded(request, found.certificate, PEM, {"Cache-Control": "no-cache"})


@router.get("/{alert_id}", summary="One alert")
async def alert(
    request: Request, house: Inside, asker: Asker, alert_id: str, f: Format = None, lang: Language = None
) -> Response:
    """What it says, where it warns, what it is worth now, and the messages before and after it; or its bytes as CAP."""
    chosen = negotiate(request, f, ONE)
    now, address = dt.datetime.now(dt.UTC), partial(url, request)
    async with _reading(house, asker) as (connection, rule):
        kept = await _found(connection, rule, alert_id)
        if chosen == "cap":
            xml = await read.content(connection, rule, kept.id)
            return encoded(request, xml or b"", MEDIA, PRIVATE)
        story = await read.history(connection, rule, kept) if chosen != "geojson" else []
    links = self_links(request, f"/alerts/{kept.id}", chosen, ONE)
    links.append(link(address(f"/alerts/{kept.id}/zone"), "related", JSON, "Hazard zone"))
    if chosen == "geojson":
        return encoded(request, _json({**present.features([kept], now, address), "links": links}), GEOJSON, PRIVATE)
    body = {**present.whole(kept, story, now, address), "titles": present.headline(kept), "links": links}
    unknown = [{"sender": n.sender, "identifier": n.identifier} for n in read.referred(kept, story)]
    return document(request, "alert", {**body, "unknown": unknown}, chosen, lang, headers=PRIVATE)


@router.get("/{alert_id}/zone", summary="An alert as a hazard zone")
async def zone(request: Request, house: Inside, asker: Asker, alert_id: str) -> Response:
    """Severity classes that do not overlap, as analyses of impact take them."""
    async with _reading(house, asker) as (connection, rule):
        kept = await _found(connection, rule, alert_id)
    made = await run_in_threadpool(zone_of, kept)
    return encoded(request, made.model_dump_json(exclude_none=True).encode(), JSON, PRIVATE)


def require_right(asker: Principal, *rights: str) -> None:
    """Refuse whoever holds none of some rights.

    Raises:
        NotAuthenticated, NotAllowed: When they hold none.
    """
    if asker.anonymous:
        raise NotAuthenticated("This takes an API key with a right of its own; send it as X-API-Key or bearer token.")
    if not asker.rights.intersection(rights):
        raise NotAllowed(f"This API key lacks the right {' or '.join(rights)}; see `geoservice key allow`.")


@asynccontextmanager
async def _reading(house: House, asker: Principal) -> AsyncIterator[tuple[AsyncConnection, RowRule]]:
    """A connection of the asker's clearance, once the layer of alerts is open to them."""
    _, decision = house.open_layer(asker, LAYER)
    async with house.pools.connection(asker.clearance) as connection:
        yield connection, decision.rule


async def _found(connection: AsyncConnection, rule: RowRule, alert_id: str) -> Kept:
    kept = await read.one(connection, rule, alert_id.replace("\x00", ""))
    if kept is None:
        raise UnknownResource(f"There is no alert {alert_id[:40]!r}.")
    return kept


async def _asked(connection: AsyncConnection, rule: RowRule, view: View) -> Asked:
    after = None
    if view.after is not None:
        after = await read.number_of(connection, rule, view.after.replace("\x00", ""))
        if after is None:
            raise BadParameter("after is taken from a next link as it is; this one is not.", parameter="after")
    return Asked(
        at=dt.datetime.now(dt.UTC) if view.at is None else parse_instant(view.at, "at"),
        statuses=(_one_of("status", view.status or "Actual", get_args(Status)),),
        severities=tuple(_one_of("severity", s, SEVERITIES) for s in (view.severity or "").split(",") if s),
        extent=None if view.bbox is None else parse_bbox(view.bbox),
        everything=_one_of("state", view.state or "active", STATES) == "all",
        limit=parse_limit(view.limit, 100, MOST),
        after=after,
    )


def _one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise BadParameter(f"{name} is one of {', '.join(known)}; {value[:40]!r} is not.", parameter=name)
    return value


def _became(request: Request, taken: Taken) -> dict[str, Any]:
    found: dict[str, Any] = {"outcome": taken.outcome, "id": taken.id, "identifier": taken.identifier}
    found |= {"state": taken.phase, "signature": taken.signature, "findings": list(taken.findings)}
    if taken.error is not None:
        found["problem"] = problem_of(taken.error)
    elif taken.id is not None:
        found["href"] = url(request, f"/alerts/{taken.id}")
    return {name: value for name, value in found.items() if value is not None}


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _links(request: Request) -> list[dict[str, Any]]:
    if LAYER not in request.app.state.house.catalog.layers:
        return []
    return [
        link(url(request, "/alerts"), "related", DOCUMENT["json"], "Alerts in force"),
        link(url(request, "/alerts/feed.atom"), "alternate", present.ATOM, "Alerts as an Atom feed"),
    ]


BLOCK = Block(
    "alerts",
    "http://docs.oasis-open.org/emergency/cap/v1.2/CAP-v1.2-os.html",
    "experimental",
    (),
    router,
    _links,
)
