"""Ways over the road network: routes, nearest facilities, reach, matrices; closures by zones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from geoservice.analysis.context import AnalysisContext
from geoservice.house import Asker, House, Inside
from geoservice.http.encoding import encoded
from geoservice.http.links import link, url
from geoservice.http.negotiation import GEOJSON, JSON
from geoservice.http.parameters import together
from geoservice.ogc.block import Block
from geoservice.routing.asked import closure_in, common_of, position_in
from geoservice.routing.facilities import Facilities, facilities_of
from geoservice.routing.ground import Office, ground_of, networks_of
from geoservice.routing.questions import Question, RouteQuestion
from layers.access import Principal

router = APIRouter(prefix="/routing", tags=["routing"])

_EXAMPLES = [
    {"waypoints": [[105.1, 38.5], [105.3, 38.6]]},
    {
        "waypoints": {"type": "MultiPoint", "coordinates": [[105.1, 38.5], [105.2, 38.5], [105.3, 38.6]]},
        "preference": "shortest",
        "closures": [{"bbox": [105.15, 38.5, 105.2, 38.55]}, {"adcode": "990101", "factor": 2}],
    },
]
RouteBody = Annotated[
    dict[str, Any],
    Body(
        description="waypoints (positions or a MultiPoint); network, mode, preference (fastest, shortest), closures "
        "(zone, bbox, adcode, alert or feature; factor where roads are slow), obstacles (a MultiPolygon), as_of, "
        "compare (false: do not say what the way would be without the closures).",
        examples=_EXAMPLES,
    ),
]
"""Members follow OGC API - Routes (draft 21-000) where it has a word for them."""


@dataclass(frozen=True)
class NetworkQuery:
    """Query parameters that say on which network, how, and around what one travels."""

    network: Annotated[str | None, Query(description="Collection of the network.")] = None
    mode: Annotated[str | None, Query(description="Who travels, such as car or foot.")] = None
    preference: Annotated[str | None, Query(description="fastest or shortest.")] = None
    avoid: Annotated[
        str | None, Query(description="A closed zone: alert:ID, adcode:CODE, bbox:W,S,E,N or feature:COLLECTION/ID.")
    ] = None
    as_of: Annotated[str | None, Query(alias="as-of", description="RFC 3339 instant: the network as it was.")] = None

    def body(self) -> dict[str, Any]:
        """The parameters as members of a posted question."""
        given = {"network": self.network, "mode": self.mode, "preference": self.preference, "as_of": self.as_of}
        made: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        return made if self.avoid is None else {**made, "closures": [closure_in(self.avoid)]}


@dataclass(frozen=True)
class WayQuery:
    """Query parameters of a way."""

    start: Annotated[str, Query(alias="from", description="longitude,latitude in degrees (CRS84).")]
    to: Annotated[str, Query(description="longitude,latitude in degrees (CRS84).")]
    via: Annotated[str | None, Query(description="Places in between, separated by semicolons.")] = None

    def body(self) -> dict[str, Any]:
        """The parameters as members of a posted question."""
        between = [position_in(part, "via") for part in self.via.split(";")] if self.via else []
        return {"waypoints": [position_in(self.start, "from"), *between, position_in(self.to, "to")]}


@router.get("", summary="Networks that can be routed on")
async def networks(request: Request, house: Inside, asker: Asker) -> Response:
    """The networks that the asker may see, with modes, speeds and what a route needs to know of them."""
    found = networks_of(office_of(house, asker).context)
    states = await house.states(asker, [layer for layer, _, _ in found])
    listed = [
        {
            "network": layer.name,
            "title": layer.title.model_dump(),
            "edition": states[layer.name].edition,
            "modes": {name: mode.model_dump() for name, mode in network.modes.items()},
            "noding": network.noding,
            "tolerance_m": network.tolerance,
            "reach_m": network.reach,
            "links": [link(url(request, f"/collections/{layer.name}"), "collection", JSON, layer.title.en)],
        }
        for layer, network, _ in found
    ]
    return _answered(request, {"networks": listed}, JSON)


@router.get("/routes", summary="Best way between two places")
async def route(
    request: Request,
    house: Inside,
    asker: Asker,
    asked: Annotated[WayQuery, together(WayQuery)],
    common: Annotated[NetworkQuery, together(NetworkQuery)],
) -> Response:
    """The best way as GeoJSON; one closed zone can be named, POST takes several and drawn ones."""
    return await _ask(request, house, asker, {**asked.body(), **common.body()}, RouteQuestion.read)


@router.post("/routes", summary="Best way by several places, with closures")
async def routes(request: Request, house: Inside, asker: Asker, body: RouteBody) -> Response:
    """The best way by the places in their order, around closed zones and with regard to slow ones."""
    return await _ask(request, house, asker, body, RouteQuestion.read)


def office_of(house: House, asker: Principal) -> Office:
    """What a question of this asker is answered with."""
    context = AnalysisContext(
        principal=asker,
        catalog=house.catalog,
        rasters=house.rasters,
        seconds=house.settings.analysis_timeout,
        schema=house.reading.schema(asker.clearance),
    )
    return Office(context, house.pools, house.reading, house.networks)


async def _ask(
    request: Request,
    house: House,
    asker: Principal,
    body: dict[str, Any],
    read: Callable[[dict[str, Any]], Question],
) -> Response:
    """Read a question, find its ground, and answer it in a thread."""
    question = await run_in_threadpool(read, body)
    common = await run_in_threadpool(common_of, body, question.MEMBERS, house.settings.max_zone_vertices)
    office = office_of(house, asker)
    ground = await ground_of(office, common)
    facilities = Facilities()
    if question.collection is not None:
        async with house.pools.connection(asker.clearance) as connection:
            facilities = await facilities_of(connection, question.collection, office.context)
    answer = await run_in_threadpool(question.answer, ground, facilities)
    headers = {"Geoservice-Edition": str(ground.travel.graph.edition)}
    return _answered(request, {**answer, "network": ground.layer.name}, GEOJSON, headers)


def _answered(request: Request, body: dict[str, Any], media: str, headers: dict[str, str] | None = None) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return encoded(request, text.encode(), media, {"Cache-Control": "private, no-store", **(headers or {})})


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/routing"), "related", JSON, "Networks for routing")]


BLOCK = Block("routing", "https://docs.ogc.org/DRAFTS/21-000.html", "experimental", (), router, _links)
