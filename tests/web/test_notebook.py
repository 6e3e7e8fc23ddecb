"""Maps for notebooks are whole in themselves, look as the layer does, and show values as text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import folium
import pytest

from layers.catalog import read_catalog
from layers.errors import BadParameter
from layers.maplibre import legend, map_layers
from web.maps import impact_map, layer_map
from web.notebook.looks import Looks, attribute, evaluated

HOSTILE = '</script><img src=x onerror="alert(1)">'
ZONE = {"type": "Polygon", "coordinates": [[[104.9, 38.5], [105.1, 38.5], [105.1, 38.7], [104.9, 38.5]]]}
RESULT: dict[str, Any] = {
    "sections": [
        {
            "layer": "school",
            "title": {"zh": "学校", "en": HOSTILE},
            "status": "ok",
            "unit": "count",
            "total": {"value": 3},
            "features": [{"lon": 105.0, "lat": 38.6, "label": {"zh": HOSTILE, "en": HOSTILE}}],
        },
        {
            "layer": "land",
            "title": {"zh": "地", "en": "Land"},
            "status": "ok",
            "unit": "m2",
            "total": {"value": 1, "ha": 12.5},
        },
        {"layer": "road", "title": {"zh": "道路", "en": "Roads"}, "status": "no-data", "unit": "m", "total": None},
    ],
    "ways": {
        "settlements": [{"lon": 105.05, "lat": 38.65, "situation": "isolated", "label": {"zh": "村", "en": "Village"}}]
    },
}


def page_of(made: folium.Map) -> str:
    return str(made.get_root().render())


def test_an_impact_is_a_map_with_its_zone_and_figures(tmp_path: Path) -> None:
    made = impact_map(RESULT, ZONE)
    assert isinstance(made, folium.Map)
    page = page_of(made)
    assert "Land: 12.5 ha" in page
    assert "Roads: no data" in page
    assert "Settlements cut off: 1" in page
    made.save(str(tmp_path / "impact.html"))
    saved = (tmp_path / "impact.html").read_text(encoding="utf-8")
    # Nothing is asked for: no script, style sheet or picture has an address.
    assert re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=", saved) == []
    assert re.findall(r"url\((?!data:|#)[^)]*\)", saved) == []
    shown = impact_map(RESULT, {"type": "Feature", "geometry": ZONE})._repr_html_()
    assert shown.count("<iframe") == 1


def test_values_are_data_and_never_markup() -> None:
    page = page_of(impact_map(RESULT, ZONE))
    assert HOSTILE not in page
    assert "\\u003cimg src=x" in page


def test_what_is_no_impact_is_refused() -> None:
    with pytest.raises(BadParameter):
        impact_map({"error": 1})
    with pytest.raises(BadParameter, match="zone"):
        impact_map({"sections": []})
    with pytest.raises(BadParameter):
        layer_map("file:///etc/passwd", "road")
    with pytest.raises(BadParameter):
        layer_map("http://127.0.0.1:9", "road", options={"limit": 0})


@pytest.mark.parametrize("name", ["landuse_patch", "road", "school"])
def test_colours_are_those_of_the_legend(name: str) -> None:
    catalog = read_catalog()
    layer = catalog.layer(name)
    # As it comes over the API: plain JSON.
    style = json.loads(json.dumps({"layers": list(map_layers(layer, catalog.codelists))}))
    looks = Looks(style, name)
    classes = legend(layer, catalog.codelists)
    by = attribute(looks._colour)
    for one in classes:
        if one.code is not None:
            assert by is not None
            look = looks.of({by: one.code})
            assert one.colour in (look["color"], look.get("fillColor"))
            assert (one.code, one.colour) in looks.classes([{by: one.code}])
    assert classes


def test_expressions() -> None:
    ranges = ["case", ["has", "n"], ["step", ["to-number", ["get", "n"]], "#000", 1, "#111", 5, "#555"], "#eee"]
    found = [evaluated(ranges, {"n": value}) for value in (0, 1, 4.9, 5, None)]
    assert found == ["#000", "#111", "#111", "#555", "#eee"]
    assert evaluated(["unknown", 1], {}) is None
    assert attribute(ranges) is None
