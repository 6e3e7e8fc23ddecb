"""The Folium map of a page: Leaflet made by Folium, vector tiles drawn in it by MapLibre, all from local files."""

from __future__ import annotations

from typing import Any

import folium
from branca.element import Figure, MacroElement
from jinja2 import Template
from markupsafe import escape

from layers.errors import DefinitionError
from web.jsonblock import json_block
from web.notebook import impact_map, layer_map
from web.view import Box

__all__ = [
    "LANGUAGE_TAGS",
    "LocalMap",
    "Shell",
    "VectorMap",
    "findings_map",
    "impact_map",
    "json_block",
    "layer_map",
    "portal_map",
    "small_map",
]

_MIN_ZOOM, _MAX_ZOOM = 1, 21
_BLOCKED = "initial-scale=1.0, maximum-scale=1.0, user-scalable=no"
LANGUAGE_TAGS = {"zh": "zh-CN", "en": "en"}
_START: Box = (-150.0, -50.0, 170.0, 70.0)


class LocalMap(folium.Map):
    """A Folium map without tiles whose scripts and styles are files of this service."""

    def __init__(self, name: str, static: str, **options: Any) -> None:
        """Make the map.

        Args:
            name: Last part of its element's id, so that pages are the same each time they are made.
            static: Address of the static files.
            **options: Passed to `folium.Map`.
        """
        super().__init__(tiles=None, control_scale=False, font_size="14px", **options)
        vendor = f"{static}/vendor"
        self._id = name
        self.options |= {"minZoom": _MIN_ZOOM, "maxZoom": _MAX_ZOOM}
        self.default_js = [
            ("leaflet", f"{vendor}/leaflet/leaflet.js"),
            ("maplibre", f"{vendor}/maplibre-gl/maplibre-gl-csp.js"),
            ("maplibre_leaflet", f"{vendor}/maplibre-gl-leaflet/leaflet-maplibre-gl.js"),
            ("glyphs", f"{static}/portal/glyphs.js"),
        ]
        self.default_css = [
            ("leaflet_css", f"{vendor}/leaflet/leaflet.css"),
            ("maplibre_css", f"{vendor}/maplibre-gl/maplibre-gl.css"),
        ]


class VectorMap(MacroElement):
    """Adds a MapLibre map to the Leaflet map, drawn by a style that stands in the page as data."""

    _template = Template(
        """
        {% macro html(this, kwargs) %}
        <script type="application/json" id="map-style">{{ this.style }}</script>
        {% endmacro %}
        {% macro script(this, kwargs) %}
            maplibregl.setWorkerUrl({{ this.worker|tojson }});
            window.geoserviceMap = {
                leaflet: {{ this._parent.get_name() }},
                gl: L.maplibreGL({
                    style: JSON.parse(document.getElementById("map-style").textContent),
                    localIdeographFontFamily: {{ this.fonts|tojson }},
                    transformRequest: (url) => ({url: new URL(url, location.origin).href, credentials: "same-origin"}),
                    attributionControl: {customAttribution: ""},
                    fadeDuration: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 150
                })
            };
            window.geoserviceMap.gl.addTo({{ this._parent.get_name() }});
            {{ this._parent.get_name() }}.attributionControl.setPrefix(false);
            {%- if this.bounds %}
            {{ this._parent.get_name() }}.fitBounds({{ this.bounds|tojson }}, {animate: false});
            {%- endif %}
        {% endmacro %}
        """
    )
    fonts = '"Noto Sans SC","Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif'

    def __init__(self, style: dict[str, Any], static: str, bounds: Box | None = None) -> None:
        """Keep the style and, as (south, west), (north, east), the first view."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "VectorMap"
        self._id = "portal"
        self.style = json_block(style)
        self.worker = f"{static}/vendor/maplibre-gl/maplibre-gl-csp-worker.js"
        west, south, east, north = bounds or _START
        self.bounds = [[south, west], [north, east]]


class Shell(MacroElement):
    """The page around the map: markup in the body, links in the head, the portal's own script at the end."""

    _template = Template(
        """
        {% macro header(this, kwargs) %}{{ this.head }}{% endmacro %}
        {% macro html(this, kwargs) %}{{ this.body }}{% endmacro %}
        """
    )

    def __init__(self, head: str, body: str, title: str, language: str) -> None:
        """Keep the two pieces of markup (already escaped), the page's title and its language (`zh` or `en`)."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.title = title
        self.language = language
        self._name = "Shell"
        self._id = "portal"
        self.head = head
        self.body = body


def portal_map(style: dict[str, Any], static: str, bounds: Box | None, shell: Shell, *beside: MacroElement) -> str:
    """The whole page as Folium writes it, with the shell around the map.

    Args:
        style: MapLibre style.
        static: Address of the static files.
        bounds: First view, as west, south, east, north in degrees.
        shell: Head and body around the map.
        *beside: Further elements of the map.

    Raises:
        DefinitionError: When Folium's page is not built as expected (another version changed it).
    """
    drawn = LocalMap("portal", static, zoom_control="bottomright", zoom_snap=0.25)
    drawn.add_child(VectorMap(style, static, bounds))
    for element in beside:
        drawn.add_child(element)
    root = _figure(drawn)
    root.title = shell.title
    root.add_child(shell)
    html: str = root.render()
    return _mended(html, shell.language)


def small_map(features: list[dict[str, Any]], items: str, root: str, language: str) -> tuple[str, str, str]:
    """A small map of a few features over the countries, as three pieces of markup: for the head, the place, the end.

    Args:
        features: GeoJSON features in longitude and latitude.
        items: Address of a feature's page, with `{key}`.
        root: Address of the service.
        language: `zh` or `en`.
    """
    told = f'id="page-features" data-items="{escape(items)}" data-language="{language}"'
    return _framed(_country_style(root), features, told, root)


def findings_map(
    features: list[dict[str, Any]], body: dict[str, Any], root: str, language: str
) -> tuple[str, str, str]:
    """A small map of the places of findings over the layer itself, as three pieces of markup like `small_map`.

    Args:
        features: Points with severity, number and name of their finding.
        body: The load report; `drawn` says how the layer's own tiles are drawn (None: not at all).
        root: Address of the service.
        language: `zh` or `en`.
    """
    style = _country_style(root)
    if body.get("drawn"):
        _add_layer(style, body["collection"], body["drawn"], root)
    extent = "" if body["extent"] is None else ",".join(str(number) for number in body["extent"])
    told = f'id="load-places" data-extent="{extent}" data-language="{language}"'
    return _framed(style, features, told, root)


def _framed(style: dict[str, Any], features: list[dict[str, Any]], told: str, root: str) -> tuple[str, str, str]:
    """A map in a page: its scripts for the head, its place with the features as data, its start for the end."""
    static = f"{root}/static"
    drawn = LocalMap("page", static, zoom_control="topright", zoom_snap=0.25)
    drawn.add_child(VectorMap(style, static))
    figure = _figure(drawn)
    figure.render()
    data = json_block({"type": "FeatureCollection", "features": features})
    place = f'{figure.html.render()}<script type="application/json" {told}>{data}</script>'
    head = "".join(child.render() for name, child in figure.header._children.items() if name != "meta_http")
    return _zoomable(head), place, f"<script>{figure.script.render()}</script>"


def _add_layer(style: dict[str, Any], name: str, drawn: dict[str, Any], root: str) -> None:
    """Draw a layer quietly: what matters lies on top of it."""
    tiles = f"{root}/collections/{name}/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}"
    zooms = {"minzoom": drawn["from"], "maxzoom": drawn["to"]}
    style["sources"]["loaded"] = {"type": "vector", "tiles": [tiles], **zooms}
    shared = {"source": "loaded", "source-layer": name}
    own = {"polygon": ("fill", "line"), "line": ("line",), "point": ("circle",)}
    paint = {
        "fill": {"fill-color": "#7d8ea0", "fill-opacity": 0.18},
        "line": {"line-color": "#61707f", "line-width": 0.7},
        "circle": {"circle-color": "#61707f", "circle-radius": 2.5},
    }
    for kind in own.get(drawn["geometry"], ("fill", "line", "circle")):
        style["layers"].append({"id": f"loaded-{kind}", "type": kind, **shared, "paint": paint[kind]})


def _figure(drawn: folium.Map) -> Figure:
    root = drawn.get_root()
    if not isinstance(root, Figure):
        raise DefinitionError("Folium did not put the map into a page of its own; check the version of folium.")
    return root


def _country_style(root: str) -> dict[str, Any]:
    """Land and borders for orientation, from the layer of countries; blank for a reader who may not see it."""
    tiles = f"{root}/collections/country/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}"
    shared = {"source": "country", "source-layer": "country"}
    return {
        "version": 8,
        "sources": {"country": {"type": "vector", "tiles": [tiles], "maxzoom": 8}},
        "layers": [
            {"id": "ground", "type": "background", "paint": {"background-color": "#dfe9ee"}},
            {"id": "land", "type": "fill", **shared, "paint": {"fill-color": "#f5f1e8"}},
            {"id": "borders", "type": "line", **shared, "paint": {"line-color": "#a596ad", "line-width": 0.8}},
        ],
    }


def _mended(html: str, language: str) -> str:
    """Folium leaves the document's language open."""
    if "<html>" not in html:
        raise DefinitionError("The page that Folium makes is not built as expected; check the version of folium.")
    return _zoomable(html).replace("<html>", f'<html lang="{LANGUAGE_TAGS[language]}">', 1)


def _zoomable(html: str) -> str:
    """Folium forbids readers to enlarge the page; that is not acceptable."""
    if _BLOCKED not in html:
        raise DefinitionError("The page that Folium makes is not built as expected; check the version of folium.")
    return html.replace(_BLOCKED, "initial-scale=1.0")
