"""Mapbox Vector Tiles of lines that are computed rather than stored (Mapbox Vector Tile Specification 2.1)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

EXTENT = 4096
_VERSION = 2
_LINESTRING = 2
_MOVE_TO, _LINE_TO = 1, 2
_SEVEN_BITS = 7
_MOST_BYTES = 5
_VARINT, _FIXED64, _BYTES = 0, 1, 2
Value = bool | int | float


@dataclass(frozen=True)
class LineFeature:
    """Lines with properties.

    Attributes:
        lines: Lines (shapely) in units of the tile, x to the right and y down.
        properties: What is said about them.
    """

    lines: Sequence[Any]
    properties: Mapping[str, Value]


def line_tile(name: str, features: Iterable[LineFeature]) -> bytes:
    """A tile with one layer; empty when no line is left after rounding to whole units.

    Args:
        name: Name of the layer.
        features: In the order in which they are to be drawn.
    """
    keys: dict[str, int] = {}
    values: dict[tuple[type, Value], int] = {}
    body = bytearray()
    for feature in features:
        geometry = _commands(feature.lines)
        if not geometry.size:
            continue
        tags: list[int] = []
        for key, value in feature.properties.items():
            tags += [keys.setdefault(key, len(keys)), values.setdefault((type(value), value), len(values))]
        parts = _field(2, _varints(np.array(tags))) + _number(3, _LINESTRING) + _field(4, _varints(geometry))
        body += _field(2, parts)
    if not body:
        return b""
    layer = _number(15, _VERSION) + _field(1, name.encode()) + bytes(body)
    layer += b"".join(_field(3, key.encode()) for key in keys)
    layer += b"".join(_field(4, _value(value)) for _, value in values)
    return _field(3, layer + _number(5, EXTENT))


def _commands(lines: Sequence[Any]) -> npt.NDArray[np.uint64]:
    """Commands and steps of several lines, each step from the place before (4.3)."""
    place = np.zeros((1, 2), dtype=np.int64)
    found: list[npt.NDArray[np.uint64]] = []
    for line in lines:
        points = np.rint(shapely.get_coordinates(line)).astype(np.int64)
        moved = np.concatenate([[True], (points[1:] != points[:-1]).any(axis=1)])
        points = points[moved]
        if len(points) < len(("start", "end")):
            continue
        steps = _zigzag(np.diff(points, axis=0, prepend=place)).ravel()
        place = points[-1:]
        found += [_command(_MOVE_TO, 1), steps[:2], _command(_LINE_TO, len(points) - 1), steps[2:]]
    return np.concatenate(found) if found else np.zeros(0, dtype=np.uint64)


def _command(command: int, count: int) -> npt.NDArray[np.uint64]:
    return np.array([command | count << 3], dtype=np.uint64)


def _zigzag(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    return ((numbers << 1) ^ (numbers >> 63)).astype(np.uint64)


def _varints(numbers: npt.NDArray[Any]) -> bytes:
    """Numbers below 2^35 in groups of seven bits, the lowest first."""
    left = numbers.astype(np.uint64)
    groups = np.stack([(left >> np.uint64(_SEVEN_BITS * place)) for place in range(_MOST_BYTES)], axis=1)
    used = groups > 0
    used[:, 0] = True
    more = np.zeros_like(used)
    more[:, :-1] = used[:, 1:]
    return (
        ((groups & np.uint64(0x7F)) | (more.astype(np.uint64) << np.uint64(_SEVEN_BITS)))
        .astype(np.uint8)[used]
        .tobytes()
    )


def _number(field: int, value: int) -> bytes:
    return _varints(np.array([field << 3 | _VARINT, value]))


def _field(field: int, data: bytes) -> bytes:
    return _varints(np.array([field << 3 | _BYTES, len(data)])) + data


def _value(value: Value) -> bytes:
    if isinstance(value, bool):
        return _number(7, int(value))
    if isinstance(value, int):
        return _number(6, int(_zigzag(np.array([value], dtype=np.int64))[0]))
    return _varints(np.array([3 << 3 | _FIXED64])) + struct.pack("<d", value)
