"""Map styles and legends that follow from layer files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from layers.catalog import Catalog, parse_layer, read_catalog
from layers.codelist import Code, CodeList
from layers.ladder import CLUSTER_CELLS, PIXELS
from layers.maplibre import (
    appear_filter,
    colour_expression,
    draw_order,
    label_expression,
    legend,
    legend_attribute,
    map_layers,
    palette,
    size_expression,
    source,
    stacked,
)
from layers.model import Layer, RasterLayer, TableLayer, VectorLayer
from layers.style import Appear, ByRange, ByValue, SizeBy, SizeByValue, SizeByZoom
from layers.stylesheet import Drawn, stylesheet

CATALOG = read_catalog()
LISTS = {
    "kind@1": CodeList(
        "kind@1",
        {
            "1": Code("1", "甲", "first", "#111111"),
            "11": Code("11", "甲一", "first a", None, "1"),
            "2": Code("2", "乙", "second"),
        },
    )
}


def layer(**changes: Any) -> Layer:
    data: dict[str, Any] = {
        "format": 1,
        "kind": "vector",
        "title": {"zh": "试验", "en": "Trial"},
        "authority": {"kind": "surveying"},
        "cycle": "P1Y",
        "licence": {"share": "unconditional", "basis": "test"},
        "clearance": "public",
        "geometry": "polygon",
        "key": ["code"],
        "attributes": {
            "code": {"type": "text"},
            "name_zh": {"type": "text"},
            "name_en": {"type": "text"},
            "kind": {"type": "code", "list": "kind@1"},
            "depth": {"type": "number", "unit": "m"},
            "rank": {"type": "integer"},
        },
        "style": {"fill": "#aabbcc"},
    }
    kept = {key: value for key, value in (data | changes).items() if value is not None}
    return parse_layer(kept, theme="trial", name="trial")


class Evaluation:
    """Evaluates the part of the MapLibre expression language that styles here use, as its specification words it."""

    def __init__(self, properties: dict[str, Any], zoom: float) -> None:
        self.properties = properties
        self.zoom = zoom

    def value(self, part: Any) -> Any:
        if not isinstance(part, list):
            return part
        name, *rest = part
        if name in ("match", "step", "case"):
            return self.value(getattr(self, name)(*rest))
        if name in ("get", "has", "zoom"):
            return {"get": self.properties.get, "has": self.properties.__contains__, "zoom": lambda: self.zoom}[name](
                *rest
            )
        return self.computed(name, [self.value(one) for one in rest])

    def match(self, given: Any, *rest: Any) -> Any:
        pairs = dict(zip(rest[:-1:2], rest[1::2], strict=True))
        return pairs.get(self.value(given), rest[-1])

    def step(self, given: Any, first: Any, *rest: Any) -> Any:
        number = self.value(given)
        return next((o for b, o in reversed(list(zip(rest[::2], rest[1::2], strict=True))) if number >= b), first)

    def case(self, *rest: Any) -> Any:
        return next((o for test, o in zip(rest[:-1:2], rest[1::2], strict=True) if self.value(test)), rest[-1])

    @staticmethod
    def computed(name: str, values: list[Any]) -> Any:
        return {
            "all": lambda: all(values),
            "!": lambda: not values[0],
            "!=": lambda: values[0] != values[1],
            "/": lambda: values[0] / values[1],
            "round": lambda: round(values[0]),
            ">=": lambda: values[0] >= values[1],
            "concat": lambda: "".join(values),
            "coalesce": lambda: next((v for v in values if v is not None), None),
            "to-string": lambda: "" if values[0] is None else str(values[0]),
            "to-number": lambda: next((float(v) for v in values if v is not None), 0.0),
        }[name]()


def evaluate(expression: Any, properties: dict[str, Any], zoom: float = 10) -> Any:
    return Evaluation(properties, zoom).value(expression)


class TestColours:
    def test_a_code_without_colour_takes_its_parents(self) -> None:
        assert palette("kind@1", LISTS) == {"1": "#111111", "11": "#111111"}

    def test_values_and_default(self) -> None:
        paint = ByValue(by="kind", colours="kind@1", default="#999999")
        expression = colour_expression(paint, LISTS)
        assert evaluate(expression, {"kind": "11"}) == "#111111"
        assert evaluate(expression, {"kind": "2"}) == "#999999"
        assert evaluate(expression, {}) == "#999999"

    def test_ranges_colour_from_their_lower_bound_up(self) -> None:
        paint = ByRange(by="depth", stops=((0, "#000001"), (5, "#000002")), default="#999999")
        expression = colour_expression(paint, LISTS)
        assert [evaluate(expression, {"depth": d}) for d in (-1, 0, 4.9, 5, 80)] == [
            "#999999",
            "#000001",
            "#000001",
            "#000002",
            "#000002",
        ]

    def test_no_value_is_not_coloured_as_zero(self) -> None:
        paint = ByRange(by="depth", stops=((0, "#000001"), (5, "#000002")), default="#999999")
        assert evaluate(colour_expression(paint, LISTS), {}) == "#999999"

    def test_a_palette_without_colours_leaves_the_default(self) -> None:
        plain = {"kind@1": CodeList("kind@1", {"2": Code("2", "乙", "second")})}
        assert colour_expression(ByValue(by="kind", colours="kind@1"), plain) == "#9a9a9a"

    def test_images_are_named_by_colour(self) -> None:
        assert colour_expression("#123456", LISTS, "hatch:") == "hatch:#123456"


class TestSizes:
    def test_plain_and_wider(self) -> None:
        assert size_expression(2.0) == 2.0
        assert size_expression(2.0, 1.5) == 3.5

    def test_by_zoom(self) -> None:
        size = SizeByZoom(zoom=((4, 1.0), (10, 3.0)))
        assert size_expression(size, 1) == ["interpolate", ["linear"], ["zoom"], 4, 2.0, 10, 4.0]

    def test_by_number(self) -> None:
        made = size_expression(SizeBy(by="depth", stops=((0, 2), (8, 16))))
        assert made[:2] == ["interpolate", ["linear"]]
        assert made[3:] == [0, 2, 8, 16]

    def test_circles_by_number_shrink_at_small_scales(self) -> None:
        circle = {"colour": "#aa0000", "radius": {"by": "depth", "stops": [[0, 2], [8, 16]]}}
        (drawn,) = map_layers(layer(geometry="point", style={"circle": circle}), LISTS)
        radius = drawn["paint"]["circle-radius"]
        full = size_expression(SizeBy(by="depth", stops=((0, 2), (8, 16))))
        assert radius[2] == ["zoom"]
        assert radius[-1] == full
        assert radius[4] == ["*", 0.6, full]

    def test_by_value_scaled_by_zoom_keeps_zoom_outermost(self) -> None:
        made = size_expression(SizeByValue(by="kind", sizes={"1": 4}, default=1, zoom=((5, 0.5), (12, 1))))
        assert made[0] == "interpolate"
        assert made[2] == ["zoom"]

    def test_appear_by_class(self) -> None:
        rule = appear_filter(Appear(by="kind", zooms={"1": 6}, default=12))
        assert evaluate(rule, {"kind": "1"}, zoom=6)
        assert not evaluate(rule, {"kind": "1"}, zoom=5)
        assert not evaluate(rule, {"kind": "2"}, zoom=11)
        assert evaluate(rule, {}, zoom=12)


class TestLabels:
    named = layer(label={"zh": "name_zh", "en": "name_en"}, style={"fill": "#aabbcc", "label": {"from": 6}})

    def text(self, language: str, **properties: str) -> Any:
        assert isinstance(self.named, VectorLayer)
        return evaluate(label_expression(self.named, language, "\n"), properties)

    def test_chinese_first(self) -> None:
        assert self.text("zh", name_zh="云岭", name_en="Yunling") == "云岭"
        assert self.text("zh", name_en="Yunling") == "Yunling"

    def test_english_is_bilingual(self) -> None:
        assert self.text("en", name_zh="云岭", name_en="Yunling") == "Yunling\n云岭"
        assert self.text("en", name_zh="云岭") == "云岭"
        assert self.text("en", name_zh="K2", name_en="K2") == "K2"
        assert self.text("en") == ""

    def test_both_languages_travel_with_the_layer(self) -> None:
        label = map_layers(self.named, LISTS)[-1]
        assert set(label["metadata"]["text"]) == {"zh", "en"}
        assert label["minzoom"] == 6


class TestLayers:
    def test_hatch_leaves_what_lies_below_visible(self) -> None:
        drawn = map_layers(layer(style={"fill": "#aa0000", "hatch": True, "opacity": 0.5, "outline": {}}), LISTS)
        fill, hatch, outline = drawn
        assert fill["paint"]["fill-opacity"] < 0.1
        assert hatch["paint"]["fill-pattern"] == "hatch:#aa0000"
        assert outline["paint"]["line-color"] == "#aa0000"

    def test_areas_of_a_mixed_layer_get_one_spot_each_and_points_a_circle(self) -> None:
        drawn = map_layers(layer(geometry="any", style={"circle": {"colour": "#aa0000"}}), LISTS)
        assert [one["type"] for one in drawn] == ["symbol", "circle"]
        assert "Polygon" in json.dumps(drawn[0]["filter"])
        assert "Point" in json.dumps(drawn[1]["filter"])

    def test_clusters_are_drawn_with_their_number_until_points_are_themselves(self) -> None:
        style = {"circle": {"colour": {"by": "kind", "colours": {"1": "#aa0000"}}}, "label": {"from": 4}}
        names = {"zh": "name_zh", "en": "name_en"}
        tiles = {"from": 0, "to": 14, "cluster": {"below": 9}}
        made = layer(geometry="point", style=style, label=names, tiles=tiles)
        cluster, count, circle, label = map_layers(made, LISTS)
        assert [one["maxzoom"] for one in (cluster, count)] == [9, 9]
        many, single = {"count": 240, "kind": "1"}, {"kind": "1", "name_zh": "甲"}
        for one, wanted in ((cluster, many), (count, many), (circle, single), (label, single)):
            other = single if wanted is many else many
            assert evaluate(one["filter"], wanted)
            assert not evaluate(one["filter"], other)
        assert evaluate(cluster["paint"]["circle-color"], many) == "#aa0000"
        radii = [evaluate(cluster["paint"]["circle-radius"], {"count": n}) for n in (2, 10, 100, 1000, 10_000, 100_000)]
        assert radii == sorted(set(radii))
        assert radii[-1] <= PIXELS / CLUSTER_CELLS / 2
        told = count["layout"]["text-field"]
        assert [evaluate(told, {"count": n}) for n in (2, 9_999, 10_000, 123_456)] == ["2", "9999", "10k", "123k"]

    def test_without_clusters_points_are_drawn_as_ever(self) -> None:
        (circle,) = map_layers(layer(geometry="point", style={"circle": {"colour": "#aa0000"}}), LISTS)
        assert "filter" not in circle

    def test_ground_lies_under_rasters_and_other_fills_above(self) -> None:
        ground = layer(style={"fill": "#f0f0f0", "opacity": 1})
        thematic = layer(style={"fill": {"by": "kind", "colours": "kind@1"}})
        raster = CATALOG.layer("elevation")
        drawn = [(one, part) for one in (thematic, raster, ground) for part in map_layers(one, LISTS)]
        order = [part["type"] + str(part.get("paint", {}).get("fill-color")) for part in draw_order(drawn)]
        assert order[0] == "fill#f0f0f0"
        assert order[1].startswith("raster")

    def test_areas_lie_upon_areas_as_asked_and_never_upon_lines(self) -> None:
        road, lower, upper = (CATALOG.layer(name) for name in ("road", "land_approval", "planning_zone"))
        drawn = [(one, part) for one in (road, upper, lower) for part in map_layers(one, CATALOG.codelists)]

        def fills(*, as_given: bool) -> list[str]:
            parts = draw_order(drawn, as_given=as_given)
            kinds = [part["type"] for part in parts if part["metadata"]["layer"] != "road" or part["type"] == "line"]
            assert kinds.index("line") > max(at for at, kind in enumerate(kinds) if kind == "fill")
            return [part["metadata"]["layer"] for part in parts if part["type"] == "fill"]

        # By their files: approvals have order 40, zones 30, roads 20.
        assert [one.name for one in stacked((road, upper, lower))] == ["land_approval", "planning_zone", "road"]
        assert fills(as_given=False) == ["land_approval", "planning_zone"]
        assert fills(as_given=True) == ["planning_zone", "land_approval"]

    def test_tables_draw_nothing(self) -> None:
        table = layer(kind="table", geometry=None, style=None)
        assert isinstance(table, TableLayer)
        assert map_layers(table, LISTS) == ()
        assert legend(table, LISTS) == ()
        with pytest.raises(TypeError, match="no tiles"):
            source(table, "/t")

    def test_source_states_zooms_and_bounds(self) -> None:
        made = source(layer(tiles={"from": 3, "to": 11}), "/t/{z}", (1, 2, 3, 4))
        assert (made["type"], made["minzoom"], made["maxzoom"], made["bounds"]) == ("vector", 3, 11, [1, 2, 3, 4])


class TestLegend:
    def test_classes_of_a_code_list_carry_names_and_codes(self) -> None:
        classes = legend(layer(style={"fill": {"by": "kind", "colours": "kind@1"}}), LISTS)
        assert [(c.code, c.label.zh, c.label.en, c.colour) for c in classes] == [
            ("1", "甲", "first", "#111111"),
            ("11", "甲一", "first a", "#111111"),
        ]

    def test_ranges_carry_units(self) -> None:
        stops = [[0, "#000001"], [5, "#000002"]]
        classes = legend(layer(style={"fill": {"by": "depth", "stops": stops}}), LISTS)
        assert [c.label.en for c in classes] == ["0 – 5 m", "≥ 5 m"]

    def test_one_look_is_one_swatch_with_the_title(self) -> None:
        (only,) = legend(layer(), LISTS)
        assert (only.label.zh, only.shape, only.colour) == ("试验", "fill", "#aabbcc")

    def test_which_attribute_the_classes_are(self) -> None:
        assert legend_attribute(layer(style={"fill": {"by": "kind", "colours": "kind@1"}})) == "kind"
        assert legend_attribute(layer()) is None
        assert legend_attribute(CATALOG.layer("elevation")) is None


def _drawn(catalog: Catalog) -> list[Layer]:
    return [one for one in catalog if not isinstance(one, TableLayer)]


@pytest.mark.parametrize("one", _drawn(CATALOG), ids=lambda one: one.name)
class TestEveryLayerFile:
    def test_style_follows_the_specification(self, one: Layer) -> None:
        style = stylesheet([Drawn(one, "/t/{z}/{y}/{x}")], CATALOG.codelists, "one", {"glyphs": "/{fontstack}/{range}"})
        assert style["version"] == 8
        names = [part["id"] for part in style["layers"]]
        assert len(names) == len(set(names))
        for part in style["layers"][1:]:
            assert part["source"] in style["sources"]
            assert ("source-layer" in part) == (part["type"] != "raster")
            assert part["type"] in {"fill", "line", "circle", "symbol", "raster"}
            prefixes = {"fill": ("fill",), "line": ("line",), "circle": ("circle",), "raster": ("raster",)}
            allowed = prefixes.get(part["type"], ("text", "icon"))
            assert all(key.startswith(allowed) for key in part["paint"])

    def test_legend_says_every_colour_in_both_languages(self, one: Layer) -> None:
        classes = legend(one, CATALOG.codelists)
        assert classes
        assert all(c.label.zh and c.label.en and c.colour.startswith("#") for c in classes)

    def test_legend_shows_the_colours_that_the_map_uses(self, one: Layer) -> None:
        if isinstance(one, RasterLayer):
            assert {c.shape for c in legend(one, CATALOG.codelists)} <= {"fill", "ramp", "image"}
            return
        used = json.dumps(map_layers(one, CATALOG.codelists))
        assert all(c.colour in used for c in legend(one, CATALOG.codelists))
