"""The small map for other pages, shown by one line of HTML there."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from geoservice.features.filtering import WrittenFilter
from geoservice.features.past import moment_asked
from geoservice.house import Asker, House, Inside
from geoservice.http.encoding import passing
from geoservice.http.negotiation import HTML
from geoservice.http.parameters import together
from geoservice.ogc.block import Block, no_links
from geoservice.portal import portal_view
from layers.access import Principal, decide
from layers.errors import BadParameter
from layers.model import VectorLayer
from web.embed import EmbedView, embed_page
from web.view import PortalView

router = APIRouter(tags=["portal"])
_MOST_LAYERS, _MOST_FILTERS, _PARTS = 40, 40, 3
_MOST_ZOOM, _MOST_LAT, _MOST_LON = 24.0, 90.0, 180.0


@dataclass(frozen=True)
class EmbedQuery:
    """What a small map shows, as it was written."""

    layers: Annotated[
        str | None, Query(description="Collections, with commas; default: those that the portal shows at first.")
    ] = None
    map: Annotated[str | None, Query(description="zoom/lat/lon, as in the address of the portal.")] = None
    filter: Annotated[
        list[str] | None, Query(description="collection:condition (CQL2 text); once for each collection.")
    ] = None
    as_of: Annotated[str | None, Query(alias="as-of", description="RFC 3339 instant: the map as it was then.")] = None
    theme: Annotated[Literal["light", "dark"] | None, Query(description="light or dark.")] = None
    lang: Annotated[str | None, Query(description="zh or en.")] = None


@router.get("/embed", summary="A small map for other pages", response_class=Response)
async def embed(
    request: Request, house: Inside, asker: Asker, query: Annotated[EmbedQuery, together(EmbedQuery)]
) -> Response:
    """A map with legend and what a click finds; pages of the origins that a setting names may show it in a frame."""
    moment_asked(query.as_of)
    whole = await portal_view(request, house, asker, query.lang)
    chosen, missing = _chosen(whole, query.layers)
    view = EmbedView(
        portal=replace(whole, layers=chosen.layers, loadable=frozenset()),
        place=_place(query.map),
        filters=_filters(house, asker, query.filter or ()),
        as_of=query.as_of,
        theme=query.theme,
        missing=missing,
        ancestors=house.settings.embed_ancestors,
    )
    page = embed_page(view)
    headers = {
        "Content-Security-Policy": page.csp,
        # A page that may stand in others must not be shut off from them by its opener policy.
        "Cross-Origin-Opener-Policy": "unsafe-none",
    }
    return passing(request, page.html.encode(), HTML, headers)


def _chosen(whole: PortalView, text: str | None) -> tuple[PortalView, int]:
    """The view with the wanted layers alone, and how many of those that were named are not there for the reader."""
    if not text:
        shown = tuple(one for one in whole.layers if one.layer.kind != "table" and one.layer.portal.visible)
        return replace(whole, layers=shown), 0
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if len(names) > _MOST_LAYERS:
        raise BadParameter(f"layers names at most {_MOST_LAYERS} collections.", parameter="layers")
    shown = tuple(one for one in whole.layers if one.layer.kind != "table" and one.layer.name in names)
    return replace(whole, layers=shown), len(names) - len(shown)


def _place(text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    try:
        numbers = [float(part) for part in text.split("/")]
    except ValueError:
        numbers = []
    if len(numbers) == _PARTS and all(map(math.isfinite, numbers)):
        zoom, lat, lon = numbers
        if 0 <= zoom <= _MOST_ZOOM and abs(lat) <= _MOST_LAT and abs(lon) <= _MOST_LON:
            return zoom, lat, lon
    raise BadParameter("map is zoom/lat/lon, such as 12/38.62/105.04.", parameter="map")


def _filters(house: House, asker: Principal, texts: list[str] | tuple[str, ...]) -> dict[str, str]:
    """Conditions by layer; one for a layer that the reader does not see is passed over, as the layer is.

    Raises:
        BadParameter: When one names no layer, or a layer twice.
        BadFilter: When a condition is no good.
    """
    found: dict[str, str] = {}
    seen = {layer.name: layer for layer in house.visible(asker)}
    for text in texts[:_MOST_FILTERS]:
        name, colon, condition = text.partition(":")
        if not colon or not condition or name in found:
            raise BadParameter("filter is collection:condition, once for each collection.", parameter="filter")
        layer = seen.get(name)
        if isinstance(layer, VectorLayer):
            WrittenFilter(condition).understood(layer, decide(asker, "read", layer))
            found[name] = condition
    return found


BLOCK = Block("embedded map", None, "stable", (), router, no_links)
