"""The small map for other pages: a map with its legend, what a click finds, and the way to the whole portal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlencode

from markupsafe import Markup

from layers.model import VectorLayer
from web.config import map_style, portal_config
from web.documents import environment
from web.maps import Shell, json_block, portal_map
from web.modules import modules_of
from web.page import Page, with_nonce
from web.texts import text
from web.view import Box, PortalView

Theme = Literal["light", "dark"]
_WORLD: Box = (-150.0, -45.0, 170.0, 70.0)


@dataclass(frozen=True)
class EmbedView:
    """What a small map shows.

    Attributes:
        portal: Layers that the reader may see, and everything else the page knows; just the wanted layers.
        place: Zoom level, latitude, longitude; None for all that there is.
        filters: Condition (CQL2 text) by layer.
        as_of: Instant of the past as it was written, or None.
        theme: Look, or None for that of the reader's system.
        missing: How many layers were asked for that are not there for this reader.
        ancestors: Which pages may show it (`frame-ancestors` of Content Security Policy Level 3).
    """

    portal: PortalView
    place: tuple[float, float, float] | None
    filters: dict[str, str]
    as_of: str | None
    theme: Theme | None
    missing: int
    ancestors: str


def embed_page(view: EmbedView) -> Page:
    """The page and the content-security policy it was written for. It holds a nonce: do not cache it."""
    portal, templates = view.portal, environment()
    shared = {
        "urls": portal.urls,
        "modules": modules_of("embed/embed.js"),
        "theme": view.theme,
        "config": Markup(json_block({**portal_config(portal), "embed": _told(view)})),  # noqa: S704 (no markup in it)
        "t": lambda key: text(key, portal.language),
    }
    shell = Shell(
        templates.get_template("embed_head.html").render(shared),
        templates.get_template("embed_body.html").render(shared),
        text("name", portal.language),
        portal.language,
    )
    style = _asked(map_style(portal), view)
    html = portal_map(style, portal.urls.static, portal.sample or _WORLD, shell)
    page = with_nonce(html)
    return replace(page, csp=page.csp.replace("frame-ancestors 'self'", f"frame-ancestors {view.ancestors}"))


def _asked(style: dict[str, Any], view: EmbedView) -> dict[str, Any]:
    """The style with all layers that have data shown, and tiles asked for the wanted rows.

    Such questions are answered from the zoom level on from which a layer answers from its exact rows.
    """
    layers = {one.layer.name: one for one in view.portal.layers}
    asked = {name: _query(view, name) for name in layers}
    for name, source in style["sources"].items():
        if asked[name]:
            source["tiles"] = [f"{address}?{asked[name]}" for address in source["tiles"]]
    for part in style["layers"]:
        if (entry := layers.get(part.get("source", ""))) is None:
            continue
        visibility = "none" if entry.edition is None else "visible"
        part["layout"] = part.get("layout", {}) | {"visibility": visibility}
        if asked[entry.layer.name] and isinstance(entry.layer, VectorLayer):
            part["minzoom"] = max(part.get("minzoom", 0), entry.layer.exact_from)
    return style


def _query(view: EmbedView, name: str) -> str:
    told = {"filter": view.filters.get(name), "as-of": view.as_of}
    return urlencode({key: value for key, value in told.items() if value is not None})


def _told(view: EmbedView) -> dict[str, Any]:
    return {
        "place": list(view.place) if view.place else None,
        "filters": view.filters,
        "asOf": view.as_of,
        "missing": view.missing,
    }
