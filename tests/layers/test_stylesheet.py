"""Whole map styles: as a reader sees them, and as they look at one zoom."""

from __future__ import annotations

import json
from typing import Any

import pytest

from layers.catalog import read_catalog
from layers.model import Layer, TableLayer, VectorLayer
from layers.stylesheet import Drawn, as_seen, at_zoom, images, stylesheet
from tests.layers.test_maplibre import LISTS, layer

CATALOG = read_catalog()
SECRETIVE: dict[str, Any] = {
    "label": {"zh": "name_zh", "en": "name_en"},
    "style": {
        "fill": {"by": "kind", "colours": {"a": "#111111"}, "default": "#222222"},
        "line": {
            "colour": {"by": "depth", "stops": [[0, "#333333"], [5, "#444444"]], "default": "#555555"},
            "width": {"by": "rank", "sizes": {"1": 5.0}, "default": 1.5, "zoom": [[4, 1], [8, 2]]},
        },
        "circle": {"colour": "#666666", "radius": {"by": "depth", "stops": [[0, 1], [9, 7]]}},
        "label": {"rank": "rank"},
        "appear": {"by": "rank", "zooms": {"1": 5}},
    },
}


def words(one: Layer) -> str:
    return json.dumps(stylesheet([Drawn(one, "/t")], LISTS, "n", {}), ensure_ascii=False)


class TestAsSeen:
    def test_who_sees_everything_sees_the_style_itself(self) -> None:
        one = layer(**SECRETIVE)
        assert as_seen(one, tuple(one.attributes)) is one

    @pytest.mark.parametrize("hidden", ["kind", "depth", "rank", "name_zh"])
    def test_a_hidden_attribute_is_not_named(self, hidden: str) -> None:
        one = layer(**SECRETIVE)
        assert f'"{hidden}"' in words(one)
        assert f'"{hidden}"' not in words(as_seen(one, [name for name in one.attributes if name != hidden]))

    def test_what_depends_on_it_looks_like_no_value(self) -> None:
        style = as_seen(layer(**SECRETIVE), ["code"]).style
        assert style.fill == "#222222"
        assert style.line.colour == "#555555"
        assert style.line.width.zoom == ((4, 1.5), (8, 3.0))
        assert style.circle.radius == 2.0

    def test_colours_of_hidden_values_are_not_told(self) -> None:
        assert "#111111" not in words(as_seen(layer(**SECRETIVE), ["code"]))


class TestAtZoom:
    def test_a_layer_shows_from_its_lowest_zoom_on(self) -> None:
        parts = [{"id": "a", "minzoom": 5}, {"id": "b", "maxzoom": 5}, {"id": "c"}]
        assert [p["id"] for p in at_zoom(parts, 4.9)] == ["b", "c"]
        assert [p["id"] for p in at_zoom(parts, 5)] == ["a", "c"]

    @pytest.mark.parametrize("one", [x for x in CATALOG if not isinstance(x, TableLayer)], ids=lambda x: x.name)
    def test_nothing_of_a_layer_file_depends_on_zoom_any_more(self, one: Layer) -> None:
        parts = stylesheet([Drawn(one, "/t")], CATALOG.codelists, "n", {})["layers"]
        still = json.dumps(at_zoom(parts, 11.3))
        assert '["zoom"]' not in still
        assert "minzoom" not in still

    def test_the_number_stands_where_the_zoom_stood(self) -> None:
        part = {"id": "a", "paint": {"line-width": ["interpolate", ["linear"], ["zoom"], 4, 1, 8, 3]}}
        assert at_zoom([part], 6)[0]["paint"]["line-width"] == ["interpolate", ["linear"], 6, 4, 1, 8, 3]


class TestSheet:
    def test_images_are_found_wherever_they_stand(self) -> None:
        hatched = layer(
            style={"fill": {"by": "kind", "colours": {"a": "#111111"}, "default": "#222222"}, "hatch": True}
        )
        assert images(stylesheet([Drawn(hatched, "/t")], LISTS, "n", {})) == {"hatch:#111111", "hatch:#222222"}

    def test_a_layer_that_is_off_is_there_but_not_drawn(self) -> None:
        sheet = stylesheet([Drawn(layer(), "/t", visible=False)], LISTS, "n", {})
        assert all(part["layout"]["visibility"] == "none" for part in sheet["layers"][1:])

    def test_tables_are_passed_over(self) -> None:
        tables = [one for one in CATALOG if isinstance(one, TableLayer)]
        assert tables
        assert stylesheet([Drawn(one, "/t") for one in tables], CATALOG.codelists, "n", {})["sources"] == {}

    def test_labels_are_in_the_language_of_the_sheet(self) -> None:
        named = next(x for x in CATALOG if isinstance(x, VectorLayer) and x.style.label and x.label)
        texts = {
            language: json.dumps(stylesheet([Drawn(named, "/t")], CATALOG.codelists, "n", {}, language)["layers"])
            for language in ("zh", "en")
        }
        assert texts["zh"] != texts["en"]
