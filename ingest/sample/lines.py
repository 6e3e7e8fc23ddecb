"""Handling of lines in degrees: smoothing, resampling, distances along them."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from ingest.sample.chance import FloatArray
from ingest.sample.grid import metres


def smooth(points: FloatArray, rounds: int = 3) -> FloatArray:
    """Cut corners (Chaikin 1974) and keep both ends; extra columns are interpolated alike."""
    for _ in range(rounds):
        near, far = points[:-1] * 0.75 + points[1:] * 0.25, points[:-1] * 0.25 + points[1:] * 0.75
        inner = np.empty((2 * len(near), points.shape[1]))
        inner[0::2], inner[1::2] = near, far
        points = np.vstack([points[:1], inner[1:-1], points[-1:]])
    return points


def along(points: FloatArray) -> FloatArray:
    """Distance of each vertex from the start in metres."""
    steps = np.linalg.norm(np.diff(metres(points[:, :2]), axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def resample(points: FloatArray, spacing: float) -> FloatArray:
    """The same line with vertices about `spacing` metres apart; extra columns are interpolated alike."""
    distance = along(points)
    count = max(int(np.ceil(distance[-1] / spacing)), 1)
    stops = np.linspace(0.0, distance[-1], count + 1)
    columns = [np.interp(stops, distance, points[:, c]) for c in range(points.shape[1])]
    out = np.column_stack(columns)
    out[0], out[-1] = points[0], points[-1]
    return out


def normals(points: FloatArray) -> FloatArray:
    """Unit vectors to the left of the line at each vertex, in flat metres."""
    direction = np.gradient(metres(points[:, :2]), axis=0)
    length = np.linalg.norm(direction, axis=1)
    direction = direction / np.where(length > 0, length, 1.0)[:, None]
    return np.column_stack([-direction[:, 1], direction[:, 0]])


def line_parts(geometry: BaseGeometry) -> list[shapely.LineString]:
    """The single lines of a geometry, points and areas left out."""
    return [p for p in shapely.get_parts(geometry) if isinstance(p, shapely.LineString)]


def polygon_parts(geometry: BaseGeometry) -> list[shapely.Polygon]:
    """The single polygons of a geometry, lines and points left out."""
    return [p for p in shapely.get_parts(geometry) if isinstance(p, shapely.Polygon) and not p.is_empty]


def smooth_polygon(polygon: shapely.Polygon, tolerance: float, rounds: int = 2) -> shapely.Polygon:
    """Take the steps out of an outline that follows cells: simplify by `tolerance` degrees, then cut corners."""

    def ring(points: FloatArray) -> FloatArray:
        opened = points[:-1]
        for _ in range(rounds):
            following = np.roll(opened, -1, axis=0)
            out = np.empty((2 * len(opened), 2))
            out[0::2], out[1::2] = opened * 0.75 + following * 0.25, opened * 0.25 + following * 0.75
            opened = out
        return np.vstack([opened, opened[:1]])

    plain = shapely.simplify(polygon, tolerance)
    holes = [ring(shapely.get_coordinates(h)) for h in plain.interiors]
    made = shapely.Polygon(ring(shapely.get_coordinates(plain.exterior)), holes)
    return made if made.is_valid else plain
