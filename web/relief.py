"""The view in three dimensions: a Folium element that keeps a place for a full MapLibre map, and its heights."""

from __future__ import annotations

from typing import Any

from branca.element import MacroElement
from jinja2 import Template

from layers.model import RasterLayer
from web.maps import json_block
from web.view import PortalView, VisibleLayer, mercator_box

Json = dict[str, Any]


class ReliefView(MacroElement):
    """Adds the place of the view to the page, with the source of its heights as data; scripts fill it when it opens.

    The bridge between Leaflet and MapLibre cannot tilt a map, so this is a map of its own beside the flat one.
    """

    _template = Template(
        """
        {% macro html(this, kwargs) %}
        <script type="application/json" id="relief-source">{{ this.source }}</script>
        <section class="relief" id="relief" hidden><div class="relief-map" id="relief-map"></div></section>
        {% endmacro %}
        """
    )

    def __init__(self, source: Json | None) -> None:
        """Keep the source of heights, as `relief_source` gives it."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "ReliefView"
        self._id = "portal"
        self.source = json_block(source)


def _has_heights(entry: VisibleLayer) -> bool:
    layer = entry.layer
    return (
        isinstance(layer, RasterLayer)
        and entry.edition is not None
        and any(band.vertical_datum is not None for band in layer.bands)
    )


def relief_source(view: PortalView) -> Json | None:
    """The MapLibre source (`raster-dem`) of heights that the reader may see; None when there is none.

    Heights are those of the first visible raster that names a vertical datum, packed as `terrainrgb` into images of 256
    pixels: height = -10000 m + 0.1 m * (65536 R + 256 G + B). Where it has no data the ground is at sea level.
    """
    entry = next((one for one in view.layers if _has_heights(one)), None)
    if entry is None or not isinstance(entry.layer, RasterLayer):
        return None
    layer = entry.layer
    source: Json = {
        "type": "raster-dem",
        "tiles": [f"{view.urls.tiles(layer)}?algorithm=terrainrgb&f=png&opaque=true"],
        "tileSize": 256,
        "encoding": "mapbox",
        "minzoom": layer.tiles.from_,
        "maxzoom": layer.tiles.to,
    }
    box = mercator_box(entry.edition.bbox if entry.edition else None)
    return {"layer": layer.name, "source": source | ({"bounds": list(box)} if box else {})}
