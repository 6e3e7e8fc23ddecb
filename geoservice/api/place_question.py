"""A question about a place, asked in two ways: by GET about a place with a name, by POST about one that is drawn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Body, Query, Request
from starlette.responses import Response

from geoservice.api.query_terms import point_of
from geoservice.house import Asker, House, Inside
from geoservice.http.parameters import together
from layers.access import Principal
from layers.errors import BadParameter
from layers.extent import parse_bbox

Json = dict[str, Any]


@dataclass(frozen=True)
class PlaceQuery:
    """Query parameters that say where: exactly one way of them."""

    lon: Annotated[float | None, Query(description="Longitude of a point in degrees, with `lat`.")] = None
    lat: Annotated[float | None, Query(description="Latitude of a point in degrees, with `lon`.")] = None
    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees.")] = None
    adcode: Annotated[str | None, Query(description="Code of a division.")] = None
    division: Annotated[str | None, Query(description="Code of a division, as `adcode`.")] = None
    alert: Annotated[str | None, Query(description="Public id of an alert.")] = None
    feature: Annotated[str | None, Query(description="Any feature with an area: `collection/id`.")] = None
    zone: Annotated[str | None, Query(description="Id of a kept hazard zone, or the same as `feature`.")] = None
    sheet: Annotated[str | None, Query(description="Number of a map sheet (GB/T 13989), of today or before 1992.")] = (
        None
    )
    postcode: Annotated[str | None, Query(description="A postcode: the divisions that its offices serve.")] = None

    def body(self) -> Json:
        """The place as a posted body has it.

        Raises:
            BadParameter: When it is not said in exactly one way.
        """
        given = [name for name, value in asdict(self).items() if value is not None]
        if given == ["lon", "lat"]:
            x, y = point_of(float(self.lon or 0), float(self.lat or 0), None)
            return {"geometry": {"type": "Point", "coordinates": [x, y]}}
        if len(given) != 1 or given[0] in ("lon", "lat"):
            raise BadParameter(
                "A place is given by lon and lat, or by one of bbox, adcode, division, alert, feature, zone, sheet or "
                f"postcode; this request has {', '.join(given) or 'none'}.",
                parameter=given[0] if given else "lon",
            )
        if self.bbox is not None:
            return {"bbox": parse_bbox(self.bbox).as_list()}
        if self.zone is not None and "/" in self.zone:
            return {"feature": self.zone}
        return {given[0]: getattr(self, given[0])}


PlaceBody: TypeAlias = Annotated[
    dict[str, Any],
    Body(
        description="Exactly one of geometry (GeoJSON of any kind, CRS84), bbox, adcode or division (a code), alert, "
        "feature (collection and id), zone (id of a kept one), sheet, postcode.",
        examples=[
            {"geometry": {"type": "Point", "coordinates": [105.1, 38.4]}},
            {"adcode": "990101"},
            {"sheet": "J48E005010"},
        ],
    ),
]


@dataclass(frozen=True)
class PlaceQuestion:
    """What is asked about a place.

    Attributes:
        name: Last part of its path.
        summaries: What it is called when the place is named, and when it is drawn.
        told: What is answered.
        parameters: A class of its query parameters, beside those that say where.
        answer: Answers: the request, the service, who asks, the place as a body has it, the parameters.
    """

    name: str
    summaries: tuple[str, str]
    told: str
    parameters: type[Any]
    answer: Callable[[Request, House, Principal, Json, Any], Awaitable[Response]]


def add_routes(router: APIRouter, question: PlaceQuestion) -> None:
    """Add both routes of a question to a router."""

    async def named(request: Request, house: Inside, asker: Asker, place: PlaceQuery, asked: Any) -> Response:
        return await question.answer(request, house, asker, place.body(), asked)

    async def drawn(request: Request, house: Inside, asker: Asker, body: Json, asked: Any) -> Response:
        return await question.answer(request, house, asker, body, asked)

    parameters = Annotated[question.parameters, together(question.parameters)]  # type: ignore[name-defined]
    named.__annotations__ |= {"place": Annotated[PlaceQuery, together(PlaceQuery)], "asked": parameters}
    drawn.__annotations__ |= {"body": PlaceBody, "asked": parameters}
    ways: tuple[tuple[str, str, Callable[..., Any]], ...] = (("GET", "named", named), ("POST", "drawn", drawn))
    for (method, way, endpoint), summary in zip(ways, question.summaries, strict=True):
        router.add_api_route(
            f"/{question.name}",
            endpoint,
            methods=[method],
            name=f"{question.name}_{way}",
            summary=summary,
            description=question.told,
        )
