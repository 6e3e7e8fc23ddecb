"""From an impact to the draft of an alert: written with the right `alert`, released by nobody here."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import shapely
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from geoservice.alerts.desk import LAYER
from geoservice.alerts.drafts import Draft
from geoservice.alerts.errors import AlertRefused
from geoservice.alerts.reply import Reply, wording_of
from geoservice.alerts.wording import Wording
from geoservice.api.alert_drafts import PRIVATE, draft_document
from geoservice.api.alerts import require_right
from geoservice.api.routing import office_of
from geoservice.api.zone_limits import most_vertices, require_answerable
from geoservice.house import Asker, House, Inside
from geoservice.http.links import url
from geoservice.impact.asked import ImpactAsked, impact_asked
from geoservice.impact.run import impact_answer, located
from geoservice.impact.zoned import Zoned
from geoservice.ogc.block import Block, no_links
from layers.access import ALERT, ANONYMOUS, Principal
from layers.errors import BadGeometry, UnknownFeature, UnknownResource

router = APIRouter(prefix="/impact", tags=["impact"])


class ReplyBody(BaseModel):
    """An impact question, and what an alert about it says beyond the figures."""

    model_config = ConfigDict(extra="forbid")

    impact: dict[str, Any] = Field(description="An impact question, as for POST /impact.")
    alert: Reply = Field(description="What is added: status, category, event, urgency, severity, certainty, and more.")


@router.post("/alert-drafts", status_code=201, summary="Draft an alert from an impact")
async def draft(request: Request, house: Inside, asker: Asker, body: ReplyBody) -> Response:
    """A draft with the zone's classes and the key figures that the public may see; a person has to release it."""
    require_right(asker, ALERT)
    house.open_layer(asker, LAYER)
    asked = await run_in_threadpool(impact_asked, body.impact, most_vertices(house, asker))
    wording = await public_wording(house, asker, asked, body.alert)
    return told(request, await run_in_threadpool(house.drafts.create, asker, wording))


async def public_wording(house: House, asker: Principal, asked: ImpactAsked, reply: Reply) -> Wording:
    """What an alert about an impact says.

    Args:
        house: The service.
        asker: Who writes it; a zone that they may not see does not exist.
        asked: The question.
        reply: What is added.

    Raises:
        TooLarge, AlertRefused: When the zone is too large, is not for everybody, is not meant as the alert would be,
            or nothing in it is in danger.
    """
    zoned = await _open_zone(house, asker, asked)
    if not zoned.best:
        raise AlertRefused(
            "By the best estimate nothing lies in danger in this zone, so that there is nothing to warn of. Send the "
            "area that the alert is to warn as `zone`, should it be warned nevertheless."
        )
    require_answerable(house, zoned)
    # An alert goes to everybody, so that it says what everybody may see and nothing of what only the asker may.
    seen = replace(asked, zone=zoned, explain=False)
    answer = await impact_answer(office_of(house, ANONYMOUS), house.exposure, seen)
    zone = zoned.hazard or json.loads(shapely.to_geojson(zoned.whole()))
    return wording_of(answer, zone, reply)


async def _open_zone(house: House, asker: Principal, asked: ImpactAsked) -> Zoned:
    """The zone as everybody may see it, where that is the one that the asker means."""
    most = most_vertices(house, asker)
    meant = await located(office_of(house, asker), asked, most)
    try:
        shown = await located(office_of(house, ANONYMOUS), asked, most)
    except (UnknownFeature, UnknownResource, BadGeometry):
        shown = None
    if shown is None or not await asyncio.to_thread(_alike, meant, shown):
        raise AlertRefused(
            f"The public may not see {meant.origin[:80]!r} as you do, and the draft would show where it lies. Name one "
            "that the public may see, or send the area that the alert is to warn as `zone`."
        )
    return shown


def _alike(one: Zoned, other: Zoned) -> bool:
    pairs = zip(one.best, other.best, strict=False)
    return len(one.best) == len(other.best) and all(a.code == b.code and a.shape == b.shape for a, b in pairs)


def told(request: Request, made: Draft) -> Response:
    """A draft that was just written."""
    headers = {**PRIVATE, "Location": url(request, f"/alerts/drafts/{made.id}")}
    return JSONResponse(draft_document(request, made), 201, headers)


BLOCK = Block("impact-drafts", None, "experimental", (), router, no_links)
