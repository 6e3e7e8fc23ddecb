"""Which classes of which layers a map really shows: read from the tiles that it is drawn from.

Only what lies within the frame counts; cells reach beyond it. The format is that of vector tiles (Mapbox Vector Tile
Specification 2.1), of which just names, values and the boxes of geometries are read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from geoservice.maps.picture import Shown
from layers.maplibre import LegendClass, Lists, legend, legend_attribute
from layers.model import RasterLayer
from layers.stylesheet import as_seen
from tiles.plane import CELL, LEVEL
from web.sheet.view import Group

_LAYER, _NAME, _FEATURE, _KEY, _VALUE, _EXTENT = 3, 1, 2, 3, 4, 5
_TAGS, _GEOMETRY, _TEXT = 2, 4, 1
_CLASSES = "classes"
_MOST_RASTER = 24
_CLOSE = 7
_MOVE_OR_LINE = (1, 2)
_MORE, _LOW = 0x80, 0x7F
_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5
Window = tuple[float, float, float, float]


@dataclass
class _Tile:
    """A layer of a tile: its keys and values by number, and its features as bytes."""

    name: str = ""
    extent: int = 4096
    keys: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    features: list[memoryview] = field(default_factory=list)


def groups_in_view(
    shown: Sequence[Shown], files: Mapping[str, bytes], window: Window, lists: Lists
) -> dict[str, Group]:
    """The layers that have something in a window of a map, the topmost first, by name, with the classes that are there.

    Args:
        shown: Layers of the map, from bottom to top.
        files: What their cells hold (`geoservice.maps.picture.sections`).
        window: Left, top, right, bottom in points from the upper left corner of the map.
        lists: Code lists by id.
    """
    found: dict[str, Group] = {}
    for one in reversed(shown):
        cells = [(name.split("/"), body) for name, body in files.items() if name.startswith(f"{one.layer.name}/")]
        placed = [(int(column), int(row), body) for (_, column, row), body in cells]
        classes = _raster(one, placed, window, lists) if isinstance(one.layer, RasterLayer) else None
        classes = _classes(one, placed, window, lists) if classes is None else classes
        if classes:
            found[one.layer.name] = Group(one.layer.title, tuple(classes))
    return found


def _raster(one: Shown, cells: list[tuple[int, int, bytes]], window: Window, lists: Lists) -> list[LegendClass]:
    meets = any(_origin(c, r)[0] < window[2] and _origin(c, r)[1] < window[3] for c, r, _ in cells)
    return list(legend(one.layer, lists))[:_MOST_RASTER] if meets else []


def _origin(column: int, row: int) -> tuple[float, float]:
    middle = 2 ** (LEVEL - 1)
    return (column - middle) * CELL, (row - middle) * CELL


def _classes(one: Shown, cells: list[tuple[int, int, bytes]], window: Window, lists: Lists) -> list[LegendClass]:
    layer = as_seen(one.layer, one.decision.attributes)
    every, by = legend(layer, lists), legend_attribute(layer)
    codes: set[str] = set()
    there = False
    for column, row, body in cells:
        x, y = _origin(column, row)
        local = (window[0] - x, window[1] - y, window[2] - x, window[3] - y)
        for tile in _layers(body, one.layer.name):
            there = _read(tile, by, local, codes) or there
            if there and by is None:
                return list(every)
    if by is None or not there:
        return []
    named = [item for item in every if item.code in codes]
    # What has no class of its own is drawn in the default colour, which no legend tells.
    return named or list(every)[:1]


def _read(tile: _Tile, by: str | None, window: Window, codes: set[str]) -> bool:
    """Take the classes of the features of a tile that meet a window; whether there are any features."""
    share = CELL / tile.extent
    wanted = tile.keys.index(by) if by in tile.keys else -1
    told = tile.keys.index(_CLASSES) if _CLASSES in tile.keys else -1
    there = False
    for feature in tile.features:
        tags, geometry = _parts(feature)
        new = _codes(tile, tags, wanted, told) - codes
        if (new or not there) and _meets(geometry, share, window):
            there = True
            codes |= new
    return there


def _codes(tile: _Tile, tags: memoryview, wanted: int, told: int) -> set[str]:
    numbers = list(_varints(tags))
    found: set[str] = set()
    for key, value in zip(numbers[::2], numbers[1::2], strict=False):
        if key == wanted:
            found.add(str(tile.values[value]))
        elif key == told:
            # A cluster tells how many points of which class it stands for.
            with suppress(ValueError):
                found |= set(json.loads(tile.values[value]))
    return found


def _parts(feature: memoryview) -> tuple[memoryview, memoryview]:
    tags = geometry = memoryview(b"")
    for number, value in _fields(feature):
        if number == _TAGS and isinstance(value, memoryview):
            tags = value
        elif number == _GEOMETRY and isinstance(value, memoryview):
            geometry = value
    return tags, geometry


def _meets(geometry: memoryview, share: float, window: Window) -> bool:
    """Whether the box of a geometry meets a window (points of the cell)."""
    xs, ys = [], []
    x = y = 0
    numbers = _varints(geometry)
    for command in numbers:
        kind, count = command & 7, command >> 3
        if kind == _CLOSE:
            continue
        if kind not in _MOVE_OR_LINE:
            return True
        for _ in range(count):
            dx, dy = next(numbers, 0), next(numbers, 0)
            x, y = x + ((dx >> 1) ^ -(dx & 1)), y + ((dy >> 1) ^ -(dy & 1))
            xs.append(x)
            ys.append(y)
    if not xs:
        return False
    left, top, right, bottom = min(xs) * share, min(ys) * share, max(xs) * share, max(ys) * share
    return left <= window[2] and right >= window[0] and top <= window[3] and bottom >= window[1]


def _layers(body: bytes, name: str) -> Iterator[_Tile]:
    for number, value in _fields(memoryview(body)):
        if number == _LAYER and isinstance(value, memoryview):
            tile = _layer(value)
            if tile.name == name:
                yield tile


def _layer(body: memoryview) -> _Tile:
    found = _Tile()
    for number, value in _fields(body):
        if isinstance(value, int):
            found.extent = value if number == _EXTENT else found.extent
        elif number == _NAME:
            found.name = bytes(value).decode()
        elif number == _FEATURE:
            found.features.append(value)
        elif number == _KEY:
            found.keys.append(bytes(value).decode())
        elif number == _VALUE:
            found.values.append(_value(value))
    return found


def _value(body: memoryview) -> Any:
    for number, value in _fields(body):
        return bytes(value).decode() if number == _TEXT and isinstance(value, memoryview) else value
    return None


def _fields(body: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Fields of a protocol buffer: number and value; floating-point numbers as their bytes."""
    at = 0
    while at < len(body):
        key, at = _varint(body, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(body, at)
            yield key >> 3, value
            continue
        length, at = _varint(body, at) if kind == _BYTES else ({_DOUBLE: 8, _FLOAT: 4}[kind], at)
        yield key >> 3, body[at : at + length]
        at += length


def _varint(body: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & _LOW) << shift
        if byte < _MORE:
            return value, at
        shift += 7


def _varints(body: memoryview) -> Iterator[int]:
    at = 0
    while at < len(body):
        value, at = _varint(body, at)
        yield value
