"""The board of active events by region."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.alerts.present import marked
from geoservice.analysis.context import AnalysisContext
from geoservice.api.situation_scope import PRIVATE, Exercise, looking
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import document
from geoservice.http.links import link, self_links, url
from geoservice.http.negotiation import DOCUMENT, GEOJSON, JSON, negotiate
from geoservice.http.parameters import together
from geoservice.ogc.block import Block
from geoservice.ogc.common import Format, Language
from geoservice.situation.board import Shown, Wish
from geoservice.situation.event import KINDS, SEVERITIES, Event, Kind, worst
from geoservice.situation.regions import Region
from geoservice.situation.sources import View
from layers.access import Principal
from layers.errors import BadParameter
from layers.extent import parse_bbox

router = APIRouter(prefix="/situation", tags=["situation"])
_TITLE = {"zh": "态势", "en": "Situation"}
_ELSEWHERE = {"zh": "不在已知区划内", "en": "In no known division"}


@dataclass(frozen=True)
class Asked:
    """Query parameters of the board."""

    exercise: Exercise = None
    kinds: Annotated[str | None, Query(description=f"Kinds, with commas: {', '.join(KINDS)}. Default: all.")] = None
    severity: Annotated[str | None, Query(description=f"The least severity: {', '.join(SEVERITIES)}.")] = None
    division: Annotated[str | None, Query(description="Code of a division that events touch.")] = None
    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees that events meet.")] = None
    level: Annotated[
        str | None, Query(description="Level of the divisions to group by: province, city, county (default), township.")
    ] = None

    def wish(self) -> Wish:
        """The same for the domain.

        Raises:
            BadParameter: When a parameter is not acceptable.
        """
        named = KINDS if self.kinds is None else tuple(dict.fromkeys(self.kinds.split(",")))
        stranger = next((one for one in named if one not in KINDS), None)
        if stranger is not None:
            raise BadParameter(f"kinds are among {', '.join(KINDS)}; {stranger[:40]!r} is not.", parameter="kinds")
        extent = None if self.bbox is None else parse_bbox(self.bbox)
        return Wish(cast("tuple[Kind, ...]", named), self.division, extent, self.level, self.severity)


@asynccontextmanager
async def viewing(house: House, asker: Principal, exercise: str | None) -> AsyncIterator[View]:
    """What the sources of the board need, for one asker."""
    schema = house.reading.schema(asker.clearance)
    context = AnalysisContext(asker, house.catalog, house.rasters, schema=schema)
    async with looking(house, asker, exercise) as (connection, scope):
        translated = await connection.execution_options(schema_translate_map=schema) if schema else connection
        yield View(translated, context, scope)


@router.get("", summary="Board of active events")
async def board(
    request: Request,
    house: Inside,
    asker: Asker,
    asked: Annotated[Asked, together(Asked)],
    f: Format = None,
    lang: Language = None,
) -> Response:
    """Alerts in force, kept zones, earthquakes, fires and exceedances by division, the worst first."""
    chosen, wish = negotiate(request, f, DOCUMENT), asked.wish()
    async with viewing(house, asker, asked.exercise) as view:
        shown = await house.board.shown(view, wish)
    exercise = None if view.scope.exercise is None else view.scope.exercise.reference()
    body = board_document(request, shown, exercise)
    body["links"] = self_links(request, "/situation", chosen, DOCUMENT, **vars(asked)) + _related(
        request, asked.exercise
    )
    return document(request, "situation", body, chosen, lang, headers=PRIVATE)


def board_document(request: Request, shown: Shown, exercise: dict[str, Any] | None) -> dict[str, Any]:
    """The board as a document, without links to other forms of it."""
    head: dict[str, Any] = {"title": _TITLE["en"], "titles": _TITLE}
    if exercise is not None:
        titles = marked(exercise["title"], "Exercise")
        head = {"exercise": exercise, "title": titles["en"], "titles": titles}
    return {
        **head,
        "numberReturned": len(shown.events),
        "regions": [_region(region, events) for region, events in shown.grouped()],
        "events": [event_document(request, one, shown, exercise) for one in shown.events],
    }


def event_document(request: Request, event: Event, shown: Shown, exercise: dict[str, Any] | None) -> dict[str, Any]:
    """An event with the divisions that it touches; one of an exercise says so."""
    found = event.document(partial(url, request))
    found["regions"] = [region.code for region in shown.regions.get(event.id, ())]
    return found if exercise is None else {"exercise": exercise, **found}


def _region(region: Region | None, events: list[Event]) -> dict[str, Any]:
    head: dict[str, Any] = {"code": None, "title": _ELSEWHERE}
    if region is not None:
        head = {"code": region.code, "level": region.level, "title": dict(region.title)}
    return {**head, "worst": worst(one.severity for one in events), "events": [one.id for one in events]}


def _related(request: Request, exercise: str | None) -> list[dict[str, Any]]:
    paths = {"units": "Units", "marks": "Marks"}
    found = [
        link(url(request, f"/situation/{path}", exercise=exercise), "related", GEOJSON, title)
        for path, title in paths.items()
    ]
    stream = url(request, "/situation/stream", exercise=exercise)
    return [*found, link(stream, "monitor", "text/event-stream", "Changes as they happen")]


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/situation"), "related", JSON, "Situation: active events by region")]


BLOCK = Block("situation", None, "experimental", (), router, _links)
