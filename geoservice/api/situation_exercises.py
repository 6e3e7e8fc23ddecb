"""Exercises: begun and stopped by officers; what belongs to one is in no answer that does not ask for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from geoservice.api.situation_scope import PRIVATE, answered, looking, plain, require_officer
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import DOCUMENT, HTML, JSON, negotiate
from geoservice.http.parameters import parse_limit
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.common import Format, Language
from geoservice.situation import exercises, read
from geoservice.situation.model import NewExercise
from layers.access import Principal

router = APIRouter(prefix="/situation/exercises", tags=["situation exercises"])
MOST = 1_000
_CREATED = 201
_TITLE = {"zh": "演练", "en": "Exercises"}


@router.get("", summary="Exercises")
async def listing(
    request: Request,
    house: Inside,
    asker: Asker,
    limit: Annotated[str | None, Query(description="Most exercises; large values are clamped.")] = None,
    f: Format = None,
    lang: Language = None,
) -> Response:
    """Exercises that you may see, the latest first."""
    chosen, most = negotiate(request, f, DOCUMENT), parse_limit(limit, 100, MOST)
    async with house.pools.connection(asker.clearance) as connection:
        found = await read.exercises(connection, asker.clearance, most)
    body = {
        "title": _TITLE["en"],
        "titles": _TITLE,
        "exercises": [{**each.document(), "href": url(request, f"/situation/exercises/{each.id}")} for each in found],
        "links": self_links(request, "/situation/exercises", chosen, DOCUMENT, limit=limit),
    }
    return document(request, "exercises", body, chosen, lang, headers=PRIVATE)


@router.post("", status_code=201, summary="Begin an exercise")
async def start(request: Request, house: Inside, asker: Asker, body: NewExercise) -> Response:
    """From now on alerts, zones, units and marks can belong to it."""
    require_officer(asker)
    number = await run_in_threadpool(_written, house, lambda c: exercises.start(c, asker, body))
    return await _shown(request, house, asker, number, _CREATED)


@router.get("/{exercise_id}", summary="One exercise")
async def one(
    request: Request, house: Inside, asker: Asker, exercise_id: str, f: Format = None, lang: Language = None
) -> Response:
    """An exercise, and the alerts and zones that belong to it."""
    chosen = negotiate(request, f, DOCUMENT)
    body = await _document(request, house, asker, plain(exercise_id))
    body["links"] = self_links(request, f"/situation/exercises/{body['id']}", chosen, DOCUMENT) + body["links"]
    return document(request, "exercise", body, chosen, lang, headers=PRIVATE)


@router.post("/{exercise_id}/stop", summary="Stop an exercise")
async def stop(request: Request, house: Inside, asker: Asker, exercise_id: str) -> Response:
    """Nothing more is written into it."""
    require_officer(asker)
    number = plain(exercise_id)
    await run_in_threadpool(_written, house, lambda c: exercises.stop(c, asker, number))
    return await _shown(request, house, asker, number)


@router.put("/{exercise_id}/{kind}/{object_id}", status_code=204, summary="Make an alert or zone part of an exercise")
async def join(
    house: Inside, asker: Asker, exercise_id: str, kind: Literal["alerts", "zones"], object_id: str
) -> Response:
    """Only alerts of the status Exercise and kept zones of the status exercise can belong to one."""
    require_officer(asker)
    number, name = plain(exercise_id), plain(object_id)
    what: exercises.Kind = "alert" if kind == "alerts" else "zone"
    await run_in_threadpool(_written, house, lambda c: exercises.join(c, asker, number, what, name))
    return Response(status_code=204)


def _written(house: House, what: Callable[[sa.Connection], Any]) -> Any:
    with house.writer.transaction() as connection:
        return what(connection)


async def _document(request: Request, house: House, asker: Principal, number: str) -> dict[str, Any]:
    async with looking(house, asker, number) as (connection, scope):
        found = await read.members(connection, scope)
    if scope.exercise is None:
        raise AssertionError("an exercise was asked for")
    paths = {"alert": "/alerts/", "zone": "/hazards/zones/"}
    belong = [{**one, "href": url(request, f"{paths[one['kind']]}{one['id']}")} for one in found]
    board = url(request, "/situation", exercise=number)
    return {
        **scope.exercise.document(),
        "titles": dict(scope.exercise.title),
        "members": belong,
        "links": [link(f"{board}&f=html", "related", HTML, "Board"), link(board, "related", JSON, "Board")],
    }


async def _shown(request: Request, house: House, asker: Principal, number: str, status: int = 200) -> Response:
    body = await _document(request, house, asker, number)
    place = url(request, f"/situation/exercises/{number}")
    return answered(request, body, JSON, status, {"Location": place} if status == _CREATED else None)


BLOCK = Block("situation exercises", None, "experimental", (), router, no_links)
