"""Whole map styles for anybody: many layers in one document, as a reader may see them, or as they look at one zoom.

A document names nothing but addresses that it is given, so that a map can be drawn from it and one service alone
(MapLibre Style Specification, version 8).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from layers.maplibre import Json, Lists, draw_order, map_layers, source
from layers.model import Layer, TableLayer, VectorLayer
from layers.style import ByRange, ByValue, Paint, Size, SizeBy, SizeByValue, SizeByZoom, VectorStyle

GROUND = "#dfe9ee"
"""What lies below all layers: pale water."""
MARKS = ("hatch:", "disc:")
"""How names of images that styles ask for begin."""
_UNSEEN_SIZE = 2.0


@dataclass(frozen=True)
class Drawn:
    """One layer of a document.

    Attributes:
        layer: The layer, as its reader may see it (`as_seen`).
        tiles: Tile address with `{z}`, `{x}`, `{y}`.
        bounds: West, south, east, north in degrees outside which there is nothing.
        visible: Whether it is drawn at first.
    """

    layer: Layer
    tiles: str
    bounds: tuple[float, float, float, float] | None = None
    visible: bool = True


def stylesheet(drawn: Iterable[Drawn], lists: Lists, name: str, addresses: Json, language: str = "zh") -> Json:
    """A complete style that draws layers in their order on a pale ground; tables are passed over.

    Args:
        drawn: What to draw.
        lists: Code lists by id.
        name: Title of the document.
        addresses: `glyphs` with `{fontstack}` and `{range}`, and `sprite` where images are asked for.
        language: `zh` or `en`, for labels.
    """
    shown = [one for one in drawn if not isinstance(one.layer, TableLayer)]
    parts = [
        (one.layer, part if one.visible else _hidden(part))
        for one in shown
        for part in map_layers(one.layer, lists, language)
    ]
    ground: Json = {"id": "ground", "type": "background", "paint": {"background-color": GROUND}}
    return {
        "version": 8,
        "name": name,
        "metadata": {"language": language},
        **addresses,
        "sources": {one.layer.name: source(one.layer, one.tiles, one.bounds) for one in shown},
        "layers": [ground, *draw_order(parts)],
    }


def _hidden(part: Json) -> Json:
    return part | {"layout": part.get("layout", {}) | {"visibility": "none"}}


def as_seen(layer: Layer, attributes: Collection[str]) -> Layer:
    """The layer with the style that a reader sees: what depends on attributes above them looks like "no value".

    Otherwise a style would tell which attributes there are, and which values.
    """
    if not isinstance(layer, VectorLayer):
        return layer
    style, label = layer.style, layer.label
    seen = frozenset(attributes)
    if label is not None and not {label.zh, label.en} <= seen:
        label = None
    if seen.issuperset(style.attributes()) and label is layer.label:
        return layer
    return layer.model_copy(update={"style": _seen_style(style, seen), "label": label})


def _seen_style(style: VectorStyle, seen: frozenset[str]) -> VectorStyle:
    line, circle, label, appear = style.line, style.circle, style.label, style.appear
    if line is not None:
        line = line.model_copy(update={"colour": _paint(line.colour, seen), "width": _size(line.width, seen)})
    if circle is not None:
        circle = circle.model_copy(update={"colour": _paint(circle.colour, seen), "radius": _size(circle.radius, seen)})
    if label is not None and label.rank not in seen:
        label = label.model_copy(update={"rank": None})
    if appear is not None and appear.by not in seen:
        appear = None
    fill = None if style.fill is None else _paint(style.fill, seen)
    changed = {"fill": fill, "line": line, "circle": circle, "label": label, "appear": appear}
    return style.model_copy(update=changed)


def _paint(paint: Paint, seen: frozenset[str]) -> Paint:
    return paint.default if isinstance(paint, ByValue | ByRange) and paint.by not in seen else paint


def _size(size: Size, seen: frozenset[str]) -> Size:
    if isinstance(size, SizeByValue) and size.by not in seen:
        if not size.zoom:
            return size.default
        return SizeByZoom(zoom=tuple((zoom, size.default * factor) for zoom, factor in size.zoom))
    return _UNSEEN_SIZE if isinstance(size, SizeBy) and size.by not in seen else size


def images(value: Any) -> frozenset[str]:
    """Names of all images that a style, or a part of one, may ask for."""
    return frozenset(text for text in _texts(value) if text.startswith(MARKS))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def at_zoom(parts: Iterable[Json], zoom: float) -> list[Json]:
    """MapLibre layers as they look at one zoom level, without any dependence on zoom left in them.

    Layers that do not appear there are left out. So what is drawn does not depend on the scale of the plane that it
    is drawn on: a map in another projection, or of half a pixel's width, follows the same rules.
    """
    shown = [p for p in parts if p.get("minzoom", 0) <= zoom < p.get("maxzoom", float("inf"))]
    return [_still({k: v for k, v in part.items() if k not in ("minzoom", "maxzoom")}, zoom) for part in shown]


def _still(value: Any, zoom: float) -> Any:
    if isinstance(value, dict):
        return {name: _still(part, zoom) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return zoom if list(value) == ["zoom"] else [_still(part, zoom) for part in value]
    return value
