"""The portal: hands the visible layers to the page builder."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from starlette.responses import Response

from geoservice.features.state import LayerState
from geoservice.fiction import sample_box
from geoservice.house import Asker, House, Inside
from geoservice.http.documents import language_of
from geoservice.http.encoding import passing
from geoservice.http.links import base_url
from geoservice.http.negotiation import HTML
from geoservice.ogc.block import Block, no_links
from geoservice.ogc.common import Language
from layers.access import Principal, decide
from web.pages import portal_page
from web.sheet.letters import plain
from web.view import EditionInfo, PortalView, Reader, UrlPatterns, VisibleLayer

router = APIRouter(tags=["portal"])
_MOST_NAME = 80


@router.get("/portal", summary="Map portal")
async def portal(request: Request, house: Inside, asker: Asker, lang: Language = None) -> Response:
    """The map portal, with the layers that the principal may see."""
    page = portal_page(await portal_view(request, house, asker, lang))
    return passing(request, page.html.encode(), HTML, {"Content-Security-Policy": page.csp})


async def portal_view(request: Request, house: House, asker: Principal, lang: str | None) -> PortalView:
    """What the portal's pages show a principal."""
    layers = house.visible(asker)
    states = await house.states(asker, layers)
    return PortalView(
        language="zh" if language_of(request, lang) == "zh" else "en",
        layers=tuple(
            VisibleLayer(
                layer.crediting(states[layer.name].mappings),
                decide(asker, "read", layer).attributes,
                _edition(states[layer.name]),
            )
            for layer in layers
        ),
        codelists=house.catalog.codelists,
        reader=_reader(asker),
        most_rows=(house.settings.max_limit, house.settings.stream_max_limit),
        urls=_urls(request),
        sample=await sample_box(house, asker),
        offers=frozenset(block.name for block in request.app.state.blocks),
        loadable=frozenset(layer.name for layer in layers if decide(asker, "load", layer).allowed),
    )


def _reader(asker: Principal) -> Reader:
    if asker.anonymous:
        return Reader()
    name = plain(asker.name or "")[:_MOST_NAME].strip() or asker.id
    return Reader(asker.id, asker.clearance.label, tuple(sorted(asker.rights)), name)


def _urls(request: Request) -> UrlPatterns:
    """Root-relative addresses, below the path of the public address if there is one; of files the lasting ones."""
    prefix = urlsplit(base_url(request)).path.rstrip("/")
    plain = UrlPatterns()
    plain = replace(plain, static=f"{plain.static}/{request.app.state.assets.version}")
    return UrlPatterns(**{name: f"{prefix}{getattr(plain, name)}" for name in UrlPatterns.__dataclass_fields__})


def _edition(state: LayerState) -> EditionInfo | None:
    if state.edition is None or state.committed is None or state.source is None:
        return None
    interval = None if state.begins is None or state.ends is None else (state.begins, state.ends)
    bbox = (
        None if state.extent is None else (state.extent.west, state.extent.south, state.extent.east, state.extent.north)
    )
    return EditionInfo(state.edition, state.committed, state.source, state.rows, bbox, interval, state.load)


BLOCK = Block("portal", None, "stable", (), router, no_links)
