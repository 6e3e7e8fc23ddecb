"""Coordinates with the offset of consumer maps (GCJ-02, BD-09), brought back. Only a mapping asks for it.

GCJ-02 moves WGS 84 coordinates by 50 to 700 m inside a rough box around China, BD-09 moves GCJ-02 once more. Neither is
a coordinate reference system: no registry knows them, nothing in a file shows them. The forward formulas are publicly
known from many open implementations since 2013; the inverse has no closed form and is found by iteration.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

Coordinates = npt.NDArray[np.float64]
Offset = Literal["gcj-02", "bd-09"]

_WEST, _SOUTH, _EAST, _NORTH = 72.004, 0.8293, 137.8347, 55.8271
"""The box in which the offset applies, as its formula has it (degrees)."""
_AXIS, _ECCENTRICITY = 6378245.0, 0.00669342162296594323
_ORIGIN = np.array([105.0, 35.0])
_BAIDU_PI = np.pi * 3000.0 / 180.0
_BAIDU_SHIFT = np.array([0.0065, 0.006])
_CLOSE = 1e-11
_ROUNDS = 30
_METRES = 111_320.0


def offset_removed(coordinates: Coordinates, kind: Offset) -> Coordinates:
    """WGS 84 coordinates of shifted ones; the forward formula brings the result back within 1e-9 degrees.

    Args:
        coordinates: n x 2, longitude and latitude in degrees. Outside the box they stay as they are.
        kind: `gcj-02`, or `bd-09` for both shifts.
    """
    inside = in_box(coordinates)
    found = coordinates.copy()
    shifted = coordinates[inside]
    if kind == "bd-09":
        shifted = _inverse(_baidu, shifted)
    found[inside] = _inverse(_gcj, shifted)
    return found


def offset_added(coordinates: Coordinates, kind: Offset) -> Coordinates:
    """The forward formulas: shifted coordinates of WGS 84 ones (n x 2, longitude and latitude in degrees)."""
    shifted = _gcj(coordinates) if kind == "gcj-02" else _baidu(_gcj(coordinates))
    return np.where(in_box(coordinates)[:, None], shifted, coordinates)


def in_box(coordinates: Coordinates) -> npt.NDArray[np.bool_]:
    """Whether the offset applies at each place (n x 2, longitude and latitude in degrees)."""
    x, y = coordinates[:, 0], coordinates[:, 1]
    return np.asarray((x >= _WEST) & (x <= _EAST) & (y >= _SOUTH) & (y <= _NORTH))


def metres_between(one: Coordinates, other: Coordinates) -> Coordinates:
    """Distances in metres, good to a percent: a figure for reports."""
    difference = (other - one) * _METRES
    return np.asarray(np.hypot(difference[:, 0] * np.cos(np.radians(one[:, 1])), difference[:, 1]))


def _inverse(forward: Callable[[Coordinates], Coordinates], shifted: Coordinates) -> Coordinates:
    """Fixed-point iteration: the shift changes slowly, so that each round gains two to three digits."""
    found = shifted.copy()
    for _ in range(_ROUNDS):
        error = forward(found) - shifted
        found -= error
        if not len(error) or np.abs(error).max() < _CLOSE:
            break
    return found


def _gcj(coordinates: Coordinates) -> Coordinates:
    x, y = (coordinates - _ORIGIN).T
    latitude = np.radians(coordinates[:, 1])
    magic = 1 - _ECCENTRICITY * np.sin(latitude) ** 2
    root = np.sqrt(magic)
    meridian = _AXIS * (1 - _ECCENTRICITY) / (magic * root) * np.pi / 180
    parallel = _AXIS / root * np.cos(latitude) * np.pi / 180
    return coordinates + np.column_stack([_east(x, y) / parallel, _north(x, y) / meridian])


def _east(x: Coordinates, y: Coordinates) -> Coordinates:
    level = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x))
    waves = _ripple(x) + _wave(x, (20, 1), (40, 3)) + _wave(x, (150, 12), (300, 30))
    return np.asarray(level + waves * 2 / 3)


def _north(x: Coordinates, y: Coordinates) -> Coordinates:
    level = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x))
    waves = _ripple(x) + _wave(y, (20, 1), (40, 3)) + _wave(y, (160, 12), (320, 30))
    return np.asarray(level + waves * 2 / 3)


def _ripple(x: Coordinates) -> Coordinates:
    return np.asarray(20 * np.sin(6 * x * np.pi) + 20 * np.sin(2 * x * np.pi))


def _wave(along: Coordinates, *terms: tuple[float, float]) -> Coordinates:
    """A sum of sines: (height in metres, divisor of the angle pi * along)."""
    total: Coordinates = np.zeros_like(along)
    for height, divisor in terms:
        total += height * np.sin(along * np.pi / divisor)
    return total


def _baidu(coordinates: Coordinates) -> Coordinates:
    x, y = coordinates.T
    radius = np.hypot(x, y) + 0.00002 * np.sin(y * _BAIDU_PI)
    angle = np.arctan2(y, x) + 0.000003 * np.cos(x * _BAIDU_PI)
    return np.asarray(np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]) + _BAIDU_SHIFT)
