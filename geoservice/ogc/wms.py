"""Web Map Service 1.3.0: the address, and which request goes where."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.house import Asker, House, Inside
from geoservice.http.encoding import encoded
from geoservice.http.links import base_url, link, url
from geoservice.http.parameters import FREE_PARAMETERS
from geoservice.http.problems import status_of
from geoservice.maps.legend import legend_of
from geoservice.ogc.block import Block
from geoservice.wms import answers, info
from geoservice.wms.capabilities import Described, capabilities
from geoservice.wms.pairs import Pairs, WmsError
from geoservice.wms.tree import groups
from layers.access import Principal, decide
from layers.errors import GeoError
from web import pages

router = APIRouter(tags=["wms"])
Handler = Callable[[Request, House, Principal, Pairs], Awaitable[Response]]
_PICTURES = frozenset({"getmap", "map", "getlegendgraphic"})
_NEWEST = "1.3.0"
_DIGITS = 18


@router.get("/wms", summary="Web Map Service 1.3.0", openapi_extra=FREE_PARAMETERS, response_class=Response)
async def wms(request: Request, house: Inside, asker: Asker) -> Response:
    """GetCapabilities, GetMap, GetFeatureInfo and GetLegendGraphic, by key-value pairs as OGC 06-042 defines them."""
    pairs = Pairs(request.query_params.multi_items())
    try:
        return await _handler(pairs)(request, house, asker, pairs)
    except GeoError as error:
        return await _refused(request, house, pairs, error)


def _handler(pairs: Pairs) -> Handler:
    service = pairs.get("SERVICE")
    if service is not None and service.upper() != "WMS":
        raise WmsError(f"SERVICE is WMS here; {service[:20]!r} is not.", "InvalidParameterValue")
    name = pairs.need("REQUEST").lower()
    if name not in _HANDLERS:
        raise WmsError(
            "REQUEST is GetCapabilities, GetMap, GetFeatureInfo or GetLegendGraphic.", "OperationNotSupported"
        )
    return _HANDLERS[name]


async def _capabilities(request: Request, house: House, asker: Principal, pairs: Pairs) -> Response:
    found = groups(house, asker)
    states = await house.states(asker, [layer for group in found for layer in group.members])
    sequence = max((state.edition or 0 for state in states.values()), default=0)
    _check_sequence(pairs, sequence)
    legends = {
        layer.name: legend_of(layer, decide(asker, "read", layer).attributes, house.catalog.codelists, "zh").size
        for group in found
        for layer in group.members
    }
    language = pairs.language if pairs.get("LANGUAGE") else None
    most = house.settings.map_max_side
    about = Described(url(request, "/wms"), found, states, language, most, sequence, legends)
    return encoded(request, capabilities(about), answers.XML, _kept(asker))


def _check_sequence(pairs: Pairs, current: int) -> None:
    """Refuse what 06-042, 7.2.3.5 refuses: the current sequence, because nothing is new, and a later one."""
    text = pairs.get("UPDATESEQUENCE")
    if text is None:
        return
    known = int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None
    if known == current:
        raise WmsError("The capabilities have not changed since this update sequence.", "CurrentUpdateSequence")
    if known is None or known > current:
        raise WmsError(f"UPDATESEQUENCE is a number up to {current}.", "InvalidUpdateSequence")


async def _map(request: Request, house: House, asker: Principal, pairs: Pairs) -> Response:
    answer = await answers.get_map(house, asker, pairs)
    return encoded(request, answer.body, answer.media, _kept(asker))


async def _legend(request: Request, house: House, asker: Principal, pairs: Pairs) -> Response:
    answer = await answers.get_legend(house, asker, pairs)
    return encoded(request, answer.body, answer.media, _kept(asker))


async def _info(request: Request, house: House, asker: Principal, pairs: Pairs) -> Response:
    media = pairs.choice("INFO_FORMAT", info.INFO_FORMATS, info.TEXT, "InvalidFormat")
    found = await info.find_info(house, asker, pairs)
    headers = _kept(asker)
    if media == info.HTML:
        page = pages.document_page("featureinfo", found, language=pairs.language, root=base_url(request))
        headers["Content-Security-Policy"] = page.csp
        return encoded(request, page.html.encode(), media, headers)
    if media == info.XML:
        return encoded(request, info.as_xml(found), media, headers)
    if media == info.TEXT:
        return encoded(request, info.as_text(found, pairs.language).encode(), f"{media}; charset=utf-8", headers)
    return encoded(request, json.dumps(found, ensure_ascii=False).encode(), media, headers)


_HANDLERS: dict[str, Handler] = {
    "getcapabilities": _capabilities,
    "capabilities": _capabilities,
    "getmap": _map,
    "map": _map,
    "getfeatureinfo": _info,
    "feature_info": _info,
    "getlegendgraphic": _legend,
}


async def _refused(request: Request, house: House, pairs: Pairs, error: GeoError) -> Response:
    """An exception in the form that was asked for: as XML with its status, or as an image, which has none."""
    headers = {"Cache-Control": "no-store"}
    name = (_quietly(pairs, "REQUEST") or "").lower()
    if name in _PICTURES and answers.exception_form(pairs) != "XML":
        image = await answers.exception_image(house, pairs, error)
        if image is not None:
            return Response(image.body, headers=headers, media_type=image.media)
    status = (404 if error.missing else 400) if isinstance(error, WmsError) else status_of(error)
    version = _quietly(pairs, "VERSION")
    body = answers.exception_report(error, version if version == "1.1.1" else _NEWEST)
    return Response(body, status, headers, answers.XML)


def _quietly(pairs: Pairs, name: str) -> str | None:
    try:
        return pairs.get(name)
    except WmsError:
        return None


def _kept(asker: Principal) -> dict[str, str]:
    return {"Cache-Control": "no-cache" if asker.anonymous else "private, no-cache"}


def _links(request: Request) -> list[dict[str, Any]]:
    address = url(request, "/wms", SERVICE="WMS", VERSION=_NEWEST, REQUEST="GetCapabilities")
    return [link(address, "alternate", answers.XML, "Web Map Service 1.3.0")]


BLOCK = Block("wms", "https://portal.ogc.org/files/?artifact_id=14416", "stable", (), router, _links)
