"""The shape of the county: a map from the square [-1, 1] x [-1, 1] onto its area.

Whatever divides the square without gap or overlap divides the county likewise, because every vertex is moved by
one and the same map. The rim of the square becomes the county's border, a fixed polyline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from ingest.sample.chance import FloatArray, Noise
from ingest.sample.terrain import CENTRE

HALF_WIDTHS = (0.285, 0.238)
"""Half extent of the county in degrees of longitude and latitude, before its border is roughened."""
EXPONENT = 4.5
RIM_VERTICES = 1440
RIM_POWER = 2
BEND = 0.035
FADE_POWER = 4
TURN = 0.55
"""Radians by which the very middle is turned."""
PRECISION = 9
"""Decimals of degrees kept in coordinates (0.1 mm)."""


@dataclass(frozen=True)
class Outline:
    """The map from the square onto the county.

    Attributes:
        angles: Ascending directions of the rim vertices in the square, radians from -pi to pi.
        rim_square: Rim vertices on the square, (n, 2).
        rim: The same vertices on the border, relative to the half extents, (n, 2).
        bends: Noise that bends lines inside the county, east and north.
    """

    angles: FloatArray
    rim_square: FloatArray
    rim: FloatArray
    bends: tuple[Noise, Noise]

    def place(self, points: FloatArray) -> FloatArray:
        """Map points of the square (n, 2) to longitude and latitude, rounded to the kept precision."""
        points = _turned(points)
        reach = np.max(np.abs(points), axis=1)
        fade = 1.0 - np.minimum(reach, 1.0) ** FADE_POWER
        inner = points + BEND * fade[:, None] * np.column_stack([b(points[:, 0], points[:, 1]) for b in self.bends])
        reach = np.max(np.abs(inner), axis=1)
        safe = np.where(reach > 0, reach, 1.0)
        border = self._on_border(inner / safe[:, None])
        pull = (reach**RIM_POWER)[:, None]
        placed = inner * (1.0 - pull) + border * (reach[:, None] * pull)
        return np.asarray(np.round(placed * np.array(HALF_WIDTHS) + np.array(CENTRE), PRECISION))

    def _on_border(self, rim_points: FloatArray) -> FloatArray:
        """Points of the square's rim to points of the border, along the chords between rim vertices."""
        count = len(self.angles)
        angle = np.arctan2(rim_points[:, 1], rim_points[:, 0])
        after = np.searchsorted(self.angles, angle, side="right") % count
        before = (after - 1) % count
        start, end = self.rim_square[before], self.rim_square[after]
        share = np.linalg.norm(rim_points - start, axis=1) / np.linalg.norm(end - start, axis=1)
        return np.asarray(self.rim[before] + (self.rim[after] - self.rim[before]) * share[:, None])

    def polygon(self) -> shapely.Polygon:
        """The county in degrees, with the rim vertices alone."""
        return shapely.Polygon(self.place(self.rim_square))

    def square(self) -> shapely.Polygon:
        """The square with the rim vertices on its sides."""
        return shapely.Polygon(self.rim_square)


def _turned(points: FloatArray) -> FloatArray:
    """Turn the middle of the square, less and less towards its rim, so that lines run in many directions."""
    angle = TURN * np.maximum(1.0 - np.sum(points**2, axis=1), 0.0) ** 2
    cosine, sine = np.cos(angle), np.sin(angle)
    u, v = points[:, 0], points[:, 1]
    return np.column_stack([u * cosine - v * sine, u * sine + v * cosine])


def build_outline(seed: int) -> Outline:
    """Draw the border of the county: a rounded rectangle, roughened by noise."""
    ticks = np.arange(-RIM_VERTICES // 8, RIM_VERTICES // 8) / (RIM_VERTICES // 8)
    ones = np.ones_like(ticks)
    sides = [(ticks, -ones), (ones, ticks), (-ticks, ones), (-ones, -ticks)]
    square = np.concatenate([np.column_stack(s) for s in sides])
    angles = np.arctan2(square[:, 1], square[:, 0])
    order = np.argsort(angles, kind="stable")
    square, angles = square[order], angles[order]
    cosine, sine = np.cos(angles), np.sin(angles)
    radius = (np.abs(cosine) ** EXPONENT + np.abs(sine) ** EXPONENT) ** (-1.0 / EXPONENT)
    wide = Noise(seed, "border", width=0.9, octaves=2)(cosine, sine)
    rough = Noise(seed, "border detail", width=0.16, octaves=4, gain=0.6)(cosine, sine)
    radius = radius * (1.0 + 0.10 * wide + 0.035 * rough)
    rim = np.column_stack([cosine, sine]) * radius[:, None]
    bends = (Noise(seed, "bend u", width=0.45, octaves=2), Noise(seed, "bend v", width=0.45, octaves=2))
    return Outline(angles, square, rim, bends)


def divide(outline: Outline, seeds: FloatArray, wander: tuple[Noise, Noise], reach: float) -> list[shapely.Polygon]:
    """Divide the county into areas around seeds, with winding borders that neighbours share vertex by vertex.

    Args:
        outline: The county.
        seeds: Points of the square (n, 2), one per area.
        wander: Noise that makes the borders wind.
        reach: How far they wind, in units of the square.

    Returns:
        One polygon per seed, in the order of the seeds.
    """
    cells = shapely.get_parts(
        shapely.voronoi_polygons(shapely.MultiPoint(seeds), extend_to=shapely.box(-2, -2, 2, 2), ordered=True)
    )
    clipped = shapely.segmentize(shapely.intersection(cells, outline.square()), 0.012)

    def wind(points: FloatArray) -> FloatArray:
        points = np.round(points, PRECISION)
        fade = 1.0 - np.max(np.abs(points), axis=1) ** FADE_POWER
        moves = np.column_stack([n(points[:, 0], points[:, 1]) for n in wander])
        return outline.place(np.where(fade[:, None] > 0, points + reach * fade[:, None] * moves, points))

    return [shapely.transform(c, wind) for c in clipped]
