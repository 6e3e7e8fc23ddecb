"""The portal: hands the visible layers to the page builder."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.features.state import LayerState
from geoservice.house import Asker, Inside
from geoservice.http.documents import language_of
from geoservice.http.links import base_url
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.common import Language
from layers.access import decide
from layers.model import Layer
from web.pages import portal_page
from web.view import EditionInfo, PortalView, UrlPatterns, VisibleLayer

router = APIRouter(tags=["portal"])


@router.get("/portal", summary="Map portal")
async def portal(request: Request, house: Inside, asker: Asker, lang: Language = None) -> Response:
    """The map portal, with the layers that the principal may see."""
    layers = house.visible(asker)
    states = await house.states(asker, layers)
    view = PortalView(
        language=language_of(request, lang),
        layers=tuple(
            VisibleLayer(layer, decide(asker, "read", layer).attributes, _edition(layer, states[layer.name])) for layer in layers
        ),
        codelists=house.catalog.codelists,
        principal=None if asker.anonymous else asker.id,
        clearance=asker.clearance,
        urls=UrlPatterns(root=base_url(request)),
    )
    page = portal_page(view)
    headers = {"Content-Security-Policy": page.csp, "Cache-Control": "no-store"}
    return Response(page.html, headers=headers, media_type="text/html; charset=utf-8")


def _edition(_: Layer, state: LayerState) -> EditionInfo | None:
    if state.edition is None or state.committed is None or state.source is None:
        return None
    bbox = None if state.extent is None else (state.extent.west, state.extent.south, state.extent.east, state.extent.north)
    return EditionInfo(state.edition, state.committed, state.source, state.rows, bbox)


BLOCK = Block("portal", None, "stable", (), router, no_links)
