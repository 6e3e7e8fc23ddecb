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
from geoservice.routing.areas import ReachQuestion
from geoservice.routing.asked import closure_in, common_of, numbers_in, position_in
from geoservice.routing.facilities import Facilities, facilities_of
from geoservice.routing.ground import Office, ground_of, networks_of
from geoservice.routing.matrix import MatrixQuestion
from geoservice.routing.nearest import NearestQuestion
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
        "compare (false: do not say what the way would be without the closures), alternatives (0 to 3 further ways).",
        examples=_EXAMPLES,
    ),
]
"""Members follow OGC API - Routes (draft 21-000) where it has a word for them."""
NearestBody = Annotated[
    dict[str, Any],
    Body(
        description="place; facilities (a collection of points, or positions), count, direction (to, from), limit "
        "(seconds or metres); and what routes take.",
        examples=[{"place": [105.1, 38.5], "facilities": "hospital", "count": 3, "direction": "from"}],
    ),
]
ReachBody = Annotated[
    dict[str, Any],
    Body(
        description="places (positions, or a collection of points); breaks (seconds or metres), direction (from, to), "
        "shape (areas, lines), width (metres), merge; and what routes take.",
        examples=[{"places": [[105.1, 38.5]], "breaks": [300, 600], "width": 150}],
    ),
]
MatrixBody = Annotated[
    dict[str, Any],
    Body(
        description="sources and targets (positions; the same when targets are left out); and what routes take.",
        examples=[{"sources": [[105.1, 38.5], [105.2, 38.5]], "targets": [[105.3, 38.6]]}],
    ),
]


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
    alternatives: Annotated[int, Query(description="Further ways beside the best one, 0 to 3.")] = 0

    def body(self) -> dict[str, Any]:
        """The parameters as members of a posted question."""
        between = [position_in(part, "via") for part in self.via.split(";")] if self.via else []
        ways = [position_in(self.start, "from"), *between, position_in(self.to, "to")]
        return {"waypoints": ways, "alternatives": self.alternatives}


@dataclass(frozen=True)
class NearestQuery:
    """Query parameters of the nearest facilities."""

    place: Annotated[str, Query(description="longitude,latitude in degrees (CRS84).")]
    facilities: Annotated[str, Query(description="Collection of points.")]
    count: Annotated[int, Query(description="How many.")] = 1
    direction: Annotated[str, Query(description="to the facility, or from it.")] = "to"
    limit: Annotated[float | None, Query(description="Seconds or metres beyond which none counts.")] = None

    def body(self) -> dict[str, Any]:
        """The parameters as members of a posted question."""
        made = {"facilities": self.facilities, "count": self.count, "direction": self.direction}
        limit = {} if self.limit is None else {"limit": self.limit}
        return {"place": position_in(self.place, "place"), **made, **limit}


@dataclass(frozen=True)
class ReachQuery:
    """Query parameters of isochrones."""

    place: Annotated[str, Query(description="longitude,latitude in degrees (CRS84).")]
    breaks: Annotated[str, Query(description="Limits in seconds (fastest) or metres (shortest), separated by commas.")]
    direction: Annotated[str, Query(description="from the place, or to it.")] = "from"
    shape: Annotated[str, Query(description="areas or lines.")] = "areas"
    width: Annotated[float, Query(description="How far areas reach from roads, in metres.")] = 100.0

    def body(self) -> dict[str, Any]:
        """The parameters as members of a posted question."""
        made = {"direction": self.direction, "shape": self.shape, "width": self.width}
        return {"places": [position_in(self.place, "place")], "breaks": numbers_in(self.breaks, "breaks"), **made}


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


@router.get("/nearest", summary="Nearest facilities by the cost of the way")
async def nearest_of(
    request: Request,
    house: Inside,
    asker: Asker,
    asked: Annotated[NearestQuery, together(NearestQuery)],
    common: Annotated[NetworkQuery, together(NetworkQuery)],
) -> Response:
    """The features of a collection of points that are nearest to a place, with the ways."""
    return await _ask(request, house, asker, {**asked.body(), **common.body()}, NearestQuestion.read)


@router.post("/nearest", summary="Nearest facilities, with closures")
async def nearest_posted(request: Request, house: Inside, asker: Asker, body: NearestBody) -> Response:
    """The nearest of a collection's features or of posted positions, around closed and slow zones."""
    return await _ask(request, house, asker, body, NearestQuestion.read)


@router.get("/isochrones", summary="What is reached within a time or distance")
async def isochrones_of(
    request: Request,
    house: Inside,
    asker: Asker,
    asked: Annotated[ReachQuery, together(ReachQuery)],
    common: Annotated[NetworkQuery, together(NetworkQuery)],
) -> Response:
    """Areas around the roads that are reached from a place within each limit."""
    return await _ask(request, house, asker, {**asked.body(), **common.body()}, ReachQuestion.read)


@router.post("/isochrones", summary="Isochrones and service areas, with closures")
async def isochrones_posted(request: Request, house: Inside, asker: Asker, body: ReachBody) -> Response:
    """Areas or lines that are reached from several places, together or each with its own."""
    return await _ask(request, house, asker, body, ReachQuestion.read)


@router.post("/matrix", summary="Costs of the ways between many places")
async def matrix_of(request: Request, house: Inside, asker: Asker, body: MatrixBody) -> Response:
    """Durations or distances from each source to each target."""
    return await _ask(request, house, asker, body, MatrixQuestion.read, JSON)


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
    media: str = GEOJSON,
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
    return _answered(request, {**answer, "network": ground.layer.name}, media, headers)


def _answered(request: Request, body: dict[str, Any], media: str, headers: dict[str, str] | None = None) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return encoded(request, text.encode(), media, {"Cache-Control": "private, no-store", **(headers or {})})


def _links(request: Request) -> list[dict[str, Any]]:
    return [link(url(request, "/routing"), "related", JSON, "Networks for routing")]


BLOCK = Block("routing", "https://docs.ogc.org/DRAFTS/21-000.html", "experimental", (), router, _links)
