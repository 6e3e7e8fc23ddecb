"""Pages: the portal, and a readable twin of every JSON document of the service."""

from __future__ import annotations

from markupsafe import Markup

from web.config import map_style, portal_config
from web.documents import document_page, environment
from web.maps import Shell, json_block, portal_map
from web.modules import modules_of
from web.page import Page, with_nonce
from web.relief import ReliefView, relief_source
from web.texts import text
from web.view import Box, PortalView

__all__ = ["document_page", "portal_page"]
_WORLD: Box = (-150.0, -45.0, 170.0, 70.0)


def portal_page(view: PortalView) -> Page:
    """The portal: a Folium map with the visible layers, and the panels around it.

    Returns:
        The page and the content-security policy it was written for. The page holds a nonce: do not cache it.
    """
    templates = environment()
    shared = {
        "urls": view.urls,
        "modules": modules_of("portal/main.js"),
        "reader": view.reader,
        "sample": view.sample,
        "loads": bool(view.loadable),
        "config": Markup(json_block(portal_config(view))),  # noqa: S704 (json_block leaves no markup in it)
        "t": lambda key: text(key, view.language),
    }
    shell = Shell(
        templates.get_template("portal_head.html").render(shared),
        templates.get_template("portal_body.html").render(shared),
        f"{text('name', view.language)} · geoservice",
        view.language,
    )
    relief = ReliefView(relief_source(view))
    html = portal_map(map_style(view), view.urls.static, view.sample or _WORLD, shell, relief)
    return with_nonce(html)
