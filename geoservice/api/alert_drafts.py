"""Drafts of alerts over HTTP: written with the right `alert`, released with the right `release`."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from geoservice.alerts.desk import LAYER
from geoservice.alerts.drafts import Draft
from geoservice.alerts.wording import Wording
from geoservice.api.alerts import require_right
from geoservice.house import Asker, Inside
from geoservice.http.links import link, url
from geoservice.http.negotiation import JSON
from geoservice.http.texts import storable
from geoservice.ogc.block import Block, no_links
from layers.access import ALERT, RELEASE
from layers.errors import UnknownResource

router = APIRouter(prefix="/alerts/drafts", tags=["alert-drafts"])
PRIVATE = {"Cache-Control": "private, no-store"}


class Release(BaseModel):
    """What whoever releases a draft says they have read."""

    model_config = ConfigDict(extra="forbid")

    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="The draft's `digest`, as it was read.")]


@router.post("", status_code=201, summary="Write a draft")
async def create(request: Request, house: Inside, asker: Asker, body: Wording) -> Response:
    """A message that is checked now, and that nobody sees before it is released."""
    require_right(asker, ALERT)
    house.open_layer(asker, LAYER)
    made = await run_in_threadpool(house.drafts.create, asker, body)
    headers = {**PRIVATE, "Location": url(request, f"/alerts/drafts/{made.id}")}
    return JSONResponse(draft_document(request, made), 201, headers)


@router.get("", summary="Drafts")
async def drafts(request: Request, house: Inside, asker: Asker) -> Response:
    """The latest drafts, for whoever may write or release them and may see what they will become."""
    require_right(asker, ALERT, RELEASE)
    found = await run_in_threadpool(house.drafts.listing, asker)
    links = [link(url(request, "/alerts/drafts"), "self", JSON, "Drafts")]
    return JSONResponse({"drafts": [draft_document(request, one) for one in found], "links": links}, headers=PRIVATE)


@router.get("/{draft_id}", summary="One draft")
async def draft(request: Request, house: Inside, asker: Asker, draft_id: str) -> Response:
    """What it says, and the digest that its release asks for."""
    require_right(asker, ALERT, RELEASE)
    found = await run_in_threadpool(house.drafts.find, asker, _number(draft_id))
    return JSONResponse(draft_document(request, found), headers=PRIVATE)


@router.put("/{draft_id}", summary="Write a draft anew")
async def change(request: Request, house: Inside, asker: Asker, draft_id: str, body: Wording) -> Response:
    """Another text in place of the former one."""
    require_right(asker, ALERT)
    made = await run_in_threadpool(house.drafts.change, asker, _number(draft_id), body)
    return JSONResponse(draft_document(request, made), headers=PRIVATE)


@router.delete("/{draft_id}", status_code=204, summary="Give a draft up")
async def withdraw(house: Inside, asker: Asker, draft_id: str) -> Response:
    """It is kept as withdrawn, and never released."""
    require_right(asker, ALERT, RELEASE)
    await run_in_threadpool(house.drafts.withdraw, asker, _number(draft_id))
    return Response(status_code=204, headers=PRIVATE)


@router.post("/{draft_id}/release", status_code=201, summary="Release a draft")
async def release(request: Request, house: Inside, asker: Asker, draft_id: str, body: Release) -> Response:
    """Signs the message and lets it go: from now on it is an alert like any other."""
    require_right(asker, RELEASE)
    let_go = partial(house.drafts.release, asker, _number(draft_id), body.digest)
    taken = await run_in_threadpool(let_go)
    address = url(request, f"/alerts/{taken.id}")
    found = {"id": taken.id, "identifier": taken.identifier, "state": taken.phase, "href": address}
    return JSONResponse(found, 201, {**PRIVATE, "Location": address})


def _number(text: str) -> str:
    if not storable(text):
        raise UnknownResource("There is no such draft.")
    return text


def draft_document(request: Request, found: Draft) -> dict[str, Any]:
    """A draft as those see it who may write or release it."""
    path = f"/alerts/drafts/{found.id}"
    return {
        "id": found.id,
        "state": found.state,
        "author": found.author,
        "changedBy": found.changed_by,
        "created": _time(found.created),
        "changed": _time(found.changed),
        "digest": found.digest,
        "content": found.content,
        **({"alert": url(request, f"/alerts/{found.message}")} if found.message else {}),
        "links": [link(url(request, path), "self", JSON, "This draft")],
    }


def _time(instant: Any) -> str:
    return str(instant.isoformat(timespec="seconds").replace("+00:00", "Z"))


BLOCK = Block("alert-drafts", None, "experimental", (), router, no_links)
