"""A Folium map that is whole in itself: Leaflet, its style sheet and all data stand in the page.

Folium writes tooltips and popups as markup put together from values. Here what comes from data is data in the page
and becomes text by `textContent`, so that no value can become markup.
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from importlib import resources
from typing import Any

import folium
from branca.element import Element, Figure, MacroElement
from jinja2 import Template

from layers.errors import DefinitionError
from web.jsonblock import json_block

Json = dict[str, Any]
Box = tuple[float, float, float, float]
_IMAGE = re.compile(r"url\((images/[a-z0-9-]+\.png)\)")


class WholeMap(folium.Map):
    """A Folium map that asks for no file."""

    def __init__(self, bounds: Box, height: int) -> None:
        """Show a box (west, south, east, north in degrees) in a frame of so many pixels."""
        super().__init__(tiles=None, height=height, prefer_canvas=True, zoom_snap=0.25)
        self.default_js = []
        self.default_css = []
        root = self.get_root()
        if not isinstance(root, Figure):
            raise DefinitionError("Folium did not put the map into a page of its own; check the version of folium.")
        root.height = f"{height}px"
        root.header.add_child(Element(f"<script>{_library()}</script>"), name="leaflet")
        root.header.add_child(Element(f"<style>{_style()}</style>"), name="leaflet_style")
        west, south, east, north = bounds
        self.fit_bounds([[south, west], [north, east]])


@lru_cache(maxsize=1)
def _library() -> str:
    script = _file("leaflet.js").decode("utf-8")
    if "</script" in script.lower():
        raise DefinitionError("Leaflet's file cannot stand in a page as it is.")
    return script


@lru_cache(maxsize=1)
def _style() -> str:
    def inlined(found: re.Match[str]) -> str:
        return f"url(data:image/png;base64,{base64.b64encode(_file(found[1])).decode('ascii')})"

    own = (
        ".told{background:#fff;color:#1f2328;padding:6px 10px;border-radius:6px;font:13px/1.45 sans-serif;"
        "max-width:260px;box-shadow:0 1px 6px rgb(0 0 0/30%)}.told p{margin:0}.told i{display:inline-block;width:11px;"
        "height:11px;margin-right:6px;border-radius:2px}.told table{border-collapse:collapse}.told th{text-align:left;"
        "font-weight:400;color:#57606a;padding-right:10px;vertical-align:top}"
    )
    return _IMAGE.sub(inlined, _file("leaflet.css").decode("utf-8")) + own


def _file(name: str) -> bytes:
    return (resources.files("web") / "static" / "vendor" / "leaflet" / name).read_bytes()


class Shapes(MacroElement):
    """Features on the map; a click tells what they are."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        (function (map, shapes) {
            function cell(row, kind, text) {
                var made = document.createElement(kind);
                made.textContent = text;
                row.appendChild(made);
            }
            function told(rows) {
                var box = document.createElement("div"), table = document.createElement("table");
                box.className = "told";
                rows.forEach(function (one) {
                    var row = document.createElement("tr");
                    cell(row, "th", one[0]);
                    cell(row, "td", one[1]);
                    table.appendChild(row);
                });
                box.appendChild(table);
                return box;
            }
            L.geoJSON(shapes, {
                style: function (one) { return one.look; },
                pointToLayer: function (one, at) { return L.circleMarker(at, one.look); },
                onEachFeature: function (one, layer) {
                    if (one.told.length) { layer.bindPopup(function () { return told(one.told); }); }
                }
            }).addTo(map);
        })({{ this._parent.get_name() }}, {{ this.data }});
        {% endmacro %}
        """
    )

    def __init__(self, features: list[Json]) -> None:
        """Keep GeoJSON features whose `look` is a Leaflet style and whose `told` are pairs of name and value."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "Shapes"
        self.data = json_block({"type": "FeatureCollection", "features": features})


class Picture(MacroElement):
    """An image under everything."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        L.imageOverlay({{ this.address }}, {{ this.bounds }}).addTo({{ this._parent.get_name() }});
        {% endmacro %}
        """
    )

    def __init__(self, image: bytes, box: Box) -> None:
        """Keep a PNG and the box that it shows, in degrees, in Web Mercator."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "Picture"
        west, south, east, north = box
        self.address = json_block(f"data:image/png;base64,{base64.b64encode(image).decode('ascii')}")
        self.bounds = json_block([[south, west], [north, east]])


class Key(MacroElement):
    """A box in a corner: a heading, lines with colours, and notes."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        (function (map, key) {
            var control = L.control({position: "bottomleft"});
            control.onAdd = function () {
                var box = document.createElement("div");
                box.className = "told";
                key.forEach(function (line) {
                    var row = document.createElement("p");
                    if (line.colour) {
                        var mark = document.createElement("i");
                        mark.style.background = line.colour;
                        row.appendChild(mark);
                    }
                    row.appendChild(document.createTextNode(line.text));
                    row.style.fontWeight = line.bold ? "600" : "400";
                    box.appendChild(row);
                });
                return box;
            };
            control.addTo(map);
        })({{ this._parent.get_name() }}, {{ this.data }});
        {% endmacro %}
        """
    )

    def __init__(self, lines: list[Json]) -> None:
        """Keep lines with `text`, and perhaps `colour` and `bold`."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "Key"
        self.data = json_block(lines)
