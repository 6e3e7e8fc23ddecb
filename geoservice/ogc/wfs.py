"""Web Feature Service 2.0: the address, and which request goes where."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.house import Asker, House, Inside
from geoservice.http.encoding import encoded
from geoservice.http.links import link, url
from geoservice.http.parameters import FREE_PARAMETERS
from geoservice.http.problems import status_of
from geoservice.ogc.block import Block
from geoservice.wfs import describe
from geoservice.wfs.answers import get_feature
from geoservice.wfs.asked import Asked, by_pairs, by_xml
from geoservice.wfs.capabilities import Described, capabilities
from geoservice.wfs.find import feature_types, layer_named
from geoservice.wfs.words import GML_FORMAT, XML, WfsError
from layers.access import Principal, decide
from layers.errors import GeoError

router = APIRouter(tags=["wfs"])
Handler = Callable[[Request, House, Principal, Asked], Awaitable[Response]]
_SUMMARY = "Web Feature Service 2.0"
_NOT_FOUND = 404


@router.get("/wfs", summary=_SUMMARY, openapi_extra=FREE_PARAMETERS, response_class=Response)
async def wfs(request: Request, house: Inside, asker: Asker) -> Response:
    """GetCapabilities, DescribeFeatureType, GetFeature, GetPropertyValue and stored queries (OGC 09-025r2)."""
    items = request.query_params.multi_items()
    return await _answered(request, house, asker, lambda: by_pairs(items))


@router.post("/wfs", summary=f"{_SUMMARY} (XML)", openapi_extra=FREE_PARAMETERS, response_class=Response)
async def wfs_by_xml(request: Request, house: Inside, asker: Asker) -> Response:
    """The same requests as XML."""
    content = await request.body()
    return await _answered(request, house, asker, lambda: by_xml(content))


async def _answered(request: Request, house: House, asker: Principal, read: Callable[[], Asked]) -> Response:
    try:
        asked = read()
        return await _HANDLERS[asked.operation](request, house, asker, asked)
    except GeoError as error:
        missing = isinstance(error, WfsError) and error.code == "NotFound"
        status = _NOT_FOUND if missing else status_of(error)
        return Response(describe.exception_report(error), status, {"Cache-Control": "no-store"}, XML)


async def _capabilities(request: Request, house: House, asker: Principal, asked: Asked) -> Response:
    layers = feature_types(house, asker)
    states = await house.states(asker, layers)
    about = Described(url(request, "/wfs"), layers, states, house.settings.max_limit)
    return encoded(request, capabilities(about), XML, _kept(asker))


async def _schema(request: Request, house: House, asker: Principal, asked: Asked) -> Response:
    named = [layer_named(house, asker, name) for name in asked.types] or feature_types(house, asker)
    pairs = [(layer, decide(asker, "read", layer)) for layer in named]
    return encoded(request, describe.schema(pairs), GML_FORMAT, _kept(asker))


async def _feature(request: Request, house: House, asker: Principal, asked: Asked) -> Response:
    answer = await get_feature(house, asker, asked, url(request, "/wfs"))
    headers = {**_kept(asker), "Geoservice-Edition": str(answer.edition or "")}
    return encoded(request, answer.body, answer.media, headers)


async def _stored(request: Request, house: House, asker: Principal, asked: Asked) -> Response:
    return encoded(request, describe.stored_queries(feature_types(house, asker)), XML, _kept(asker))


async def _described(request: Request, house: House, asker: Principal, asked: Asked) -> Response:
    body = describe.described_queries(asked.stored, feature_types(house, asker))
    return encoded(request, body, XML, _kept(asker))


_HANDLERS: dict[str, Handler] = {
    "GetCapabilities": _capabilities,
    "DescribeFeatureType": _schema,
    "GetFeature": _feature,
    "GetPropertyValue": _feature,
    "ListStoredQueries": _stored,
    "DescribeStoredQueries": _described,
}


def _kept(asker: Principal) -> dict[str, str]:
    return {"Cache-Control": "no-cache" if asker.anonymous else "private, no-cache"}


def _links(request: Request) -> list[dict[str, Any]]:
    address = url(request, "/wfs", SERVICE="WFS", VERSION="2.0.0", REQUEST="GetCapabilities")
    return [link(address, "alternate", XML, _SUMMARY)]


BLOCK = Block("wfs", "https://docs.ogc.org/is/09-025r2/09-025r2.html", "stable", (), router, _links)
