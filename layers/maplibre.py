"""Map styles and legends from layer files (MapLibre Style Specification, version 8).

Everything here is pure: a layer and its code lists go in, plain JSON values come out. Colours, sizes and zooms are
those of the layer file; nothing about how a layer looks is decided a second time in the portal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from layers.codelist import Code, CodeList
from layers.model import Cluster, Layer, LayerBase, RasterLayer, TableLayer, Text, VectorLayer
from layers.style import (
    RAMPS,
    Appear,
    ByRange,
    ByValue,
    CircleStyle,
    LabelStyle,
    LineStyle,
    Paint,
    Size,
    SizeBy,
    SizeByValue,
    SizeByZoom,
)

Json = dict[str, Any]
Lists = Mapping[str, CodeList]
L = TypeVar("L", bound=LayerBase)
Shape = Literal["fill", "line", "circle", "ramp", "image"]

FONT = "Noto Sans Regular"
HALO = "#ffffff"
GROUND, RASTER, FILL, HAZARD, OUTLINE, CASING, LINE, SPOT, CIRCLE, LABEL = range(0, 100, 10)
"""Drawing slots from bottom to top: plain opaque ground, rasters, fills, hazard zones, lines, points, labels."""
_HATCH_BED = 0.14
_NO_RANK = 1000
_RADIUS_ZOOMS, _FAR_RADIUS = (1, 6), 0.6
_CLUSTER_RADII = ((0, 9), (10, 12), (100, 15), (1_000, 19), (10_000, 24), (100_000, 29))
"""Radius (px) of a cluster from a number of points on; two neighbours of the largest kind still stand side by side."""
_CLUSTER_THOUSANDS, _CLUSTER_OPACITY, _CLUSTER_INK = 10_000, 0.85, "#1d2733"


@dataclass(frozen=True, slots=True)
class LegendClass:
    """One swatch: what it means, its shape and colour; `code` when it stands for a code of a list."""

    label: Text
    shape: Shape
    colour: str
    code: str | None = None
    outline: str | None = None
    hatch: bool = False
    dash: bool = False
    width: float = 1.5
    colours: tuple[str, ...] = ()

    def as_dict(self) -> Json:
        """The swatch as JSON, without members that say nothing."""
        own: Json = {"label": {"zh": self.label.zh, "en": self.label.en}, "shape": self.shape, "colour": self.colour}
        extra = {"code": self.code, "outline": self.outline, "hatch": self.hatch, "dash": self.dash}
        return own | {"width": self.width, "colours": list(self.colours)} | {k: v for k, v in extra.items() if v}


def palette(colours: str | Mapping[str, str], lists: Lists) -> dict[str, str]:
    """Colour by value. A code of a list that has no colour of its own takes that of its nearest ancestor."""
    if not isinstance(colours, str):
        return dict(colours)
    codes = lists[colours].codes
    found = {code: _inherited(entry, codes) for code, entry in codes.items()}
    return {code: colour for code, colour in found.items() if colour is not None}


def _inherited(entry: Code | None, codes: Mapping[str, Code]) -> str | None:
    seen: set[str] = set()
    while entry is not None and entry.code not in seen:
        if entry.colour:
            return entry.colour
        seen.add(entry.code)
        entry = codes.get(entry.parent) if entry.parent else None
    return None


def colour_expression(paint: Paint, lists: Lists, prefix: str = "") -> Any:
    """A colour as a style value; with a prefix the name of an image in that colour."""
    if isinstance(paint, str):
        return prefix + paint
    if isinstance(paint, ByValue):
        branches = [part for v, c in palette(paint.colours, lists).items() for part in (v, prefix + c)]
        default = prefix + paint.default
        return ["match", ["to-string", ["get", paint.by]], *branches, default] if branches else default
    steps: list[Any] = [prefix + paint.default]
    for bound, colour in paint.stops:
        steps += [bound, prefix + colour]
    classed = ["step", ["to-number", ["get", paint.by]], *steps]
    # A row without a value must not be coloured as zero.
    return ["case", ["has", paint.by], classed, prefix + paint.default]


def size_expression(size: Size, extra: float = 0.0) -> Any:
    """A width or radius in pixels as a style value, `extra` pixels wider."""
    if isinstance(size, SizeByZoom):
        return ["interpolate", ["linear"], ["zoom"], *_flat((z, s + extra) for z, s in size.zoom)]
    if isinstance(size, SizeBy):
        value = ["to-number", ["get", size.by], size.stops[0][0]]
        return ["interpolate", ["linear"], value, *_flat((v, s + extra) for v, s in size.stops)]
    if isinstance(size, SizeByValue):
        return _size_by_value(size, extra)
    return size + extra


def _radius_expression(size: Size) -> Any:
    """A radius by number holds at large scales; at small ones it shrinks, or dense points would hide the land."""
    if not isinstance(size, SizeBy):
        return size_expression(size)
    full = size_expression(size)
    near, far = _RADIUS_ZOOMS
    return ["interpolate", ["linear"], ["zoom"], near, ["*", _FAR_RADIUS, full], far, full]


def _ring_expression(size: Size) -> Any:
    """The ring of a circle (px) grows with its radius: a whole pixel would swallow the smallest."""
    near, far = _RADIUS_ZOOMS
    return ["interpolate", ["linear"], ["zoom"], near, 0.3, far, 1] if isinstance(size, SizeBy) else 1


def _size_by_value(size: SizeByValue, extra: float) -> Any:
    own = ["match", ["to-string", ["get", size.by]], *_flat(size.sizes.items()), size.default]
    if not size.zoom:
        return ["+", own, extra]
    stops = _flat((zoom, ["+", ["*", own, factor], extra]) for zoom, factor in size.zoom)
    return ["interpolate", ["exponential", 1.5], ["zoom"], *stops]


def _flat(pairs: Iterable[tuple[Any, Any]]) -> list[Any]:
    return [part for pair in pairs for part in pair]


def appear_filter(appear: Appear) -> list[Any]:
    """A filter that keeps a feature from the zoom on at which its value appears."""
    branches = _flat(appear.zooms.items())
    return [">=", ["zoom"], ["match", ["to-string", ["get", appear.by]], *branches, appear.default]]


def label_expression(layer: VectorLayer, language: str, joint: str) -> Any:
    """Text of a label. Chinese maps show the Chinese name; English maps the English name, then the Chinese one."""
    if layer.label is None:
        return ""
    zh, en = ["get", layer.label.zh], ["get", layer.label.en]
    if language == "zh":
        return ["coalesce", zh, en, ""]
    both = ["all", ["has", layer.label.zh], ["has", layer.label.en], ["!=", zh, en]]
    return ["case", both, ["concat", en, joint, zh], ["coalesce", en, zh, ""]]


def label_source_layer(layer: Layer) -> str | None:
    """Name of the tile layer with one label point per feature; None where labels follow the features themselves."""
    if not isinstance(layer, VectorLayer) or layer.label is None or layer.style.label is None:
        return None
    return f"{layer.name}_label" if layer.geometry in ("polygon", "any") else None


def map_layers(layer: Layer, lists: Lists, language: str = "zh") -> tuple[Json, ...]:
    """The MapLibre layers that draw one layer, from bottom to top.

    Each names the source and source layer after the collection id; labels of areas name their label layer.
    `metadata` carries `layer` (collection id), `slot` (place in the drawing order), and for labels `text` with the
    label expression by language.
    Tables have no geometry and give none.
    """
    if isinstance(layer, RasterLayer):
        return (_raster_layer(layer),)
    if isinstance(layer, TableLayer):
        return ()
    return tuple(_Painter(layer, lists).layers(language))


def _raster_layer(layer: RasterLayer) -> Json:
    paint: Json = {"raster-opacity": layer.style.opacity}
    if layer.style.classes:
        paint["raster-resampling"] = "nearest"
    return {
        "id": f"{layer.name}-raster",
        "type": "raster",
        "source": layer.name,
        "minzoom": layer.portal.from_zoom,
        "metadata": {"layer": layer.name, "slot": RASTER},
        "paint": paint,
    }


class _Painter:
    """Builds the MapLibre layers of one vector layer."""

    def __init__(self, layer: VectorLayer, lists: Lists) -> None:
        self.layer = layer
        self.style = layer.style
        self.lists = lists
        self.mixed = layer.geometry == "any"

    def layers(self, language: str) -> Iterable[Json]:
        if self.style.fill is not None:
            yield from self._fill(self.style.fill)
        if self.style.line is not None:
            yield from self._line(self.style.line)
        if self.style.circle is not None:
            yield from self._circle()
        if self.style.label is not None and self.layer.label is not None:
            yield self._label(self.style.label, language)

    def _one(self, part: str, kind: str, slot: int, geometry: str | None = None) -> Json:
        own: Json = {
            "id": f"{self.layer.name}-{part}",
            "type": kind,
            "source": self.layer.name,
            "source-layer": self.layer.name,
            "minzoom": self.layer.portal.from_zoom,
            "metadata": {"layer": self.layer.name, "slot": slot},
        }
        rules = [appear_filter(self.style.appear)] if self.style.appear else []
        if geometry is not None and self.mixed:
            rules.append(["match", ["geometry-type"], [geometry, f"Multi{geometry}"], True, False])
        if rules:
            own["filter"] = ["all", *rules]
        return own

    def _fill(self, paint: Paint) -> Iterable[Json]:
        colour = colour_expression(paint, self.lists)
        opacity = self.style.opacity
        slot = self._fill_slot(paint)
        bed = opacity * _HATCH_BED if self.style.hatch else opacity
        yield self._one("fill", "fill", slot, "Polygon") | {
            "paint": {"fill-color": colour, "fill-opacity": bed, "fill-antialias": not self.layer.coverage}
        }
        if self.style.hatch:
            image = colour_expression(paint, self.lists, "hatch:")
            hatched = {"fill-pattern": image, "fill-opacity": opacity}
            yield self._one("hatch", "fill", slot, "Polygon") | {"paint": hatched}
        outline = self.style.outline
        if outline is not None:
            drawn = self._one("outline", "line", OUTLINE, "Polygon")
            drawn["minzoom"] = max(drawn["minzoom"], outline.from_)
            edge = colour if self.style.hatch else outline.colour
            yield drawn | {"layout": {"line-join": "round"}, "paint": {"line-color": edge, "line-width": outline.width}}

    def _fill_slot(self, paint: Paint) -> int:
        if self.style.hatch or self.layer.hazard:
            return HAZARD
        # One opaque colour everywhere hides all below it: it is the ground that even images lie on.
        return GROUND if isinstance(paint, str) and self.style.opacity == 1 else FILL

    def _line(self, line: LineStyle) -> Iterable[Json]:
        geometry = "LineString" if self.mixed else None
        layout = {"line-cap": "butt" if line.dash else "round", "line-join": "round"}
        if line.casing is not None:
            yield self._one("casing", "line", CASING, geometry) | {
                "layout": layout,
                "paint": {"line-color": line.casing, "line-width": size_expression(line.width, 1.6)},
            }
        paint: Json = {
            "line-color": colour_expression(line.colour, self.lists),
            "line-width": size_expression(line.width),
        }
        if line.dash:
            paint["line-dasharray"] = list(line.dash)
        yield self._one("line", "line", LINE, geometry) | {"layout": layout, "paint": paint}

    def _circle(self) -> Iterable[Json]:
        circle = self.style.circle
        if circle is None:
            return
        if self.layer.geometry != "point":
            # A circle layer would put one circle on every vertex of an area: one disc inside it is meant.
            image = colour_expression(circle.colour, self.lists, f"disc:{circle.stroke}:")
            yield self._one("spot", "symbol", SPOT, "Polygon") | {
                "layout": {"icon-image": image, "icon-allow-overlap": True},
                "paint": {},
            }
        if self.layer.geometry in ("point", "any"):
            if self.layer.tiles.cluster is not None:
                yield from self._clusters(circle, self.layer.tiles.cluster)
            yield self._single(self._one("circle", "circle", CIRCLE, "Point")) | {
                "paint": {
                    "circle-color": colour_expression(circle.colour, self.lists),
                    "circle-radius": _radius_expression(circle.radius),
                    "circle-stroke-color": circle.stroke,
                    "circle-stroke-width": _ring_expression(circle.radius),
                }
            }

    def _single(self, drawn: Json) -> Json:
        """Leave clusters out of what draws single features."""
        if self.layer.tiles.cluster is not None:
            drawn["filter"] = [*drawn.get("filter", ["all"]), ["!", ["has", "count"]]]
        return drawn

    def _clusters(self, circle: CircleStyle, cluster: Cluster) -> Iterable[Json]:
        """A circle that grows with the number of points, in the colour of what prevails, and the number on it."""
        common = {"filter": ["all", ["has", "count"]], "maxzoom": cluster.below}
        radius = ["step", ["get", "count"], *_flat(_CLUSTER_RADII)[1:]]
        yield (
            self._one("cluster", "circle", CIRCLE)
            | common
            | {
                "paint": {
                    "circle-color": colour_expression(circle.colour, self.lists),
                    "circle-radius": radius,
                    "circle-opacity": _CLUSTER_OPACITY,
                    "circle-stroke-color": circle.stroke,
                    "circle-stroke-width": 1.5,
                }
            }
        )
        thousands = ["concat", ["to-string", ["round", ["/", ["get", "count"], 1000]]], "k"]
        told = ["case", [">=", ["get", "count"], _CLUSTER_THOUSANDS], thousands, ["to-string", ["get", "count"]]]
        layout = {"text-field": told, "text-font": [FONT], "text-size": 11, "text-allow-overlap": True}
        paint = {"text-color": _CLUSTER_INK, "text-halo-color": HALO, "text-halo-width": 1.2}
        yield self._one("cluster-count", "symbol", LABEL) | common | {"layout": layout, "paint": paint}

    def _label(self, label: LabelStyle, language: str) -> Json:
        along = self.layer.geometry == "line"
        joint = "  " if along else "\n"
        texts = {name: label_expression(self.layer, name, joint) for name in ("zh", "en")}
        layout: Json = {
            "text-field": texts[language],
            "text-font": [FONT],
            "text-size": label.size,
            "text-max-width": 9,
            "text-padding": 4,
            "symbol-placement": "line" if along else "point",
        }
        if label.rank is not None:
            layout["symbol-sort-key"] = ["to-number", ["get", label.rank], _NO_RANK]
        if self.style.circle is not None:
            layout |= {
                "text-variable-anchor": ["left", "right", "top", "bottom"],
                "text-radial-offset": 0.7,
                "text-justify": "auto",
            }
        drawn = self._single(self._one("label", "symbol", LABEL))
        drawn["source-layer"] = label_source_layer(self.layer) or self.layer.name
        drawn["minzoom"] = max(drawn["minzoom"], label.from_)
        drawn["metadata"]["text"] = texts
        paint = {"text-color": label.colour, "text-halo-color": HALO, "text-halo-width": 1.2}
        return drawn | {"layout": layout, "paint": paint}


def stacked(layers: Iterable[L]) -> list[L]:
    """Layers from bottom to top, as they usually lie in a slot: coverages first, then by falling order.

    A coverage leaves no gaps: anything drawn below it would be lost.
    """
    return sorted(layers, key=lambda layer: (not getattr(layer, "coverage", False), -layer.portal.order))


def draw_order(layers: Iterable[tuple[Layer, Json]], *, as_given: bool = False) -> list[Json]:
    """Sort MapLibre layers of many layers from bottom to top: by slot, so that no area hides a line or a label.

    Args:
        layers: Layers and what draws a part of them.
        as_given: Whether layers that share a slot lie there in the order given, else as `stacked` says.
    """
    parts = list(layers)
    if not as_given:
        place = {layer.name: place for place, layer in enumerate(stacked(layer for layer, _ in parts))}
        parts.sort(key=lambda part: place[part[0].name])
    return sorted((drawn for _, drawn in parts), key=lambda drawn: int(drawn["metadata"]["slot"]))


def source(layer: Layer, tiles: str, bounds: tuple[float, float, float, float] | None = None) -> Json:
    """The MapLibre source of a layer.

    Args:
        layer: A vector or raster layer.
        tiles: Tile address with `{z}`, `{x}`, `{y}`.
        bounds: West, south, east, north in degrees, outside which no tile is asked for.

    Raises:
        TypeError: For a table layer, which has nothing to draw.
    """
    if isinstance(layer, TableLayer):
        raise TypeError(f"the table layer {layer.name} has no tiles")
    own: Json = {"tiles": [tiles], "minzoom": layer.tiles.from_, "maxzoom": layer.tiles.to}
    own |= {"type": "raster", "tileSize": 256} if isinstance(layer, RasterLayer) else {"type": "vector"}
    if layer.licence.attribution:
        own["attribution"] = layer.licence.attribution
    return own | ({"bounds": list(bounds)} if bounds else {})


def legend(layer: Layer, lists: Lists) -> tuple[LegendClass, ...]:
    """The legend of a layer: one swatch per class, or a single one when everything looks the same."""
    if isinstance(layer, TableLayer):
        return ()
    if isinstance(layer, RasterLayer):
        return _raster_legend(layer, lists)
    paint, base = _swatch(layer)
    if isinstance(paint, ByValue):
        return tuple(
            _coloured(base, label, colour, code) for code, label, colour in _value_classes(layer, paint, lists)
        )
    if isinstance(paint, ByRange):
        unit = layer.attributes[paint.by].unit
        return tuple(_coloured(base, label, colour) for label, colour in _range_classes(paint.stops, unit))
    return (_coloured(base, layer.title, paint),)


def legend_attribute(layer: Layer) -> str | None:
    """The attribute whose values the legend's classes are; None when they are ranges, cells or a single class."""
    if not isinstance(layer, VectorLayer):
        return None
    paint, _ = _swatch(layer)
    return paint.by if isinstance(paint, ByValue) else None


def _swatch(layer: VectorLayer) -> tuple[Paint, LegendClass]:
    """The paint that tells classes apart, and a swatch of the layer's shape."""
    style = layer.style
    if style.circle is not None:
        return style.circle.colour, LegendClass(layer.title, "circle", "", outline=style.circle.stroke)
    if style.fill is not None:
        edge = style.outline.colour if style.outline else None
        return style.fill, LegendClass(layer.title, "fill", "", outline=edge, hatch=style.hatch)
    if style.line is None:
        raise ValueError(f"the style of {layer.name} draws nothing")
    width = style.line.width if isinstance(style.line.width, float) else 2.5
    line = LegendClass(layer.title, "line", "", outline=style.line.casing, dash=bool(style.line.dash), width=width)
    return style.line.colour, line


def _coloured(base: LegendClass, label: Text, colour: str, code: str | None = None) -> LegendClass:
    return LegendClass(label, base.shape, colour, code, base.outline, base.hatch, base.dash, base.width)


def _value_classes(layer: VectorLayer, paint: ByValue, lists: Lists) -> Iterable[tuple[str, Text, str]]:
    named = layer.attributes[paint.by].list or (paint.colours if isinstance(paint.colours, str) else None)
    names = lists[named] if named else None
    for code, colour in palette(paint.colours, lists).items():
        yield code, _code_label(names, code), colour


def _code_label(names: CodeList | None, code: str) -> Text:
    if names is None:
        return Text(zh=code, en=code)
    return Text(zh=names.label(code, "zh") or code, en=names.label(code, "en") or code)


def _range_classes(stops: Sequence[tuple[float, str]], unit: str | None) -> Iterable[tuple[Text, str]]:
    tail = f" {unit}" if unit else ""
    bounds = [bound for bound, _ in stops]
    for (low, colour), high in zip(stops, [*bounds[1:], None], strict=True):
        words = f"≥ {low:g}{tail}" if high is None else f"{low:g} – {high:g}{tail}"
        yield Text(zh=words, en=words), colour


def _raster_legend(layer: RasterLayer, lists: Lists) -> tuple[LegendClass, ...]:
    style = layer.style
    if style.classes is not None:
        names, colours = lists[style.classes], palette(style.classes, lists)
        return tuple(LegendClass(_code_label(names, code), "fill", colour, code) for code, colour in colours.items())
    if style.stops is not None:
        classes = _range_classes(style.stops, layer.bands[0].unit)
        return tuple(LegendClass(words, "fill", colour) for words, colour in classes)
    if style.ramp is None or style.stretch is None:
        return (LegendClass(layer.title, "image", "#9a9a9a"),)
    low, high = style.stretch
    unit = layer.bands[0].unit
    words = f"{low:g} – {high:g}{f' {unit}' if unit else ''}"
    ramp = RAMPS[style.ramp]
    return (LegendClass(Text(zh=words, en=words), "ramp", ramp[-1], colours=ramp),)
