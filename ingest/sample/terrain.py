"""The land itself: a fictional basin between mountains, shaped by noise and eroded by its own streams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ingest.sample.chance import FloatArray, IntArray, Noise, smoothstep, stream
from ingest.sample.grid import METRES_X, METRES_Y, Grid, blur
from ingest.sample.hydrology import NEIGHBOURS, accumulate, erode, fill_depressions, flow_directions

GRID = Grid(west=104.68, north=38.87, cell=1 / 1200, rows=648, columns=768)
"""Cells of 3 arc seconds, about 73 m x 92 m, around 105.0 E 38.6 N."""
COARSE_FACTOR = 4
COARSE = GRID.coarser(COARSE_FACTOR)
CENTRE = (105.0, 38.6)
HALF_SIZE = (0.32, 0.27)
EROSION_STEPS = 14
ERODIBILITY = 0.016
RIDGE_POSITION = -0.34
LOWEST = 1180.0


@dataclass(frozen=True)
class Relief:
    """The coarse land on which rivers are found.

    Attributes:
        grid: Its cells.
        height: Eroded heights in metres above the (fictional) 1985 datum, without depressions.
        target: D8 receiver of each cell as flat index.
        drained: Number of cells that drain through each cell.
    """

    grid: Grid
    height: FloatArray
    target: IntArray
    drained: FloatArray


def valley_axis(x: FloatArray) -> FloatArray:
    """Northing of the main valley at an easting; both run from -1 to 1 over the region."""
    return np.asarray(0.20 * np.sin(2.6 * x + 0.5) - 0.10 * x)


def build_relief(seed: int) -> Relief:
    """Shape the coarse land: regional slope, rims, a ridge across the valley, noise; then streams cut into it."""
    lon, lat = COARSE.centres()
    rough = _base(lon, lat, seed)
    doubt = stream(seed, "doubt").random((len(NEIGHBOURS), *COARSE.shape))
    height = erode(fill_depressions(rough), EROSION_STEPS, ERODIBILITY, 0.6 + 0.8 * doubt)
    target = flow_directions(height, METRES_Y / METRES_X)
    return Relief(COARSE, height, target, accumulate(height, target))


def _base(lon: FloatArray, lat: FloatArray, seed: int) -> FloatArray:
    bend_x = Noise(seed, "bend east", width=0.13, octaves=4)(lon, lat)
    bend_y = Noise(seed, "bend north", width=0.13, octaves=4)(lon, lat)
    x, y = (lon - CENTRE[0]) / HALF_SIZE[0] + 0.16 * bend_x, (lat - CENTRE[1]) / HALF_SIZE[1] + 0.16 * bend_y
    away = y - valley_axis(x)
    side = np.abs(away)
    hills = Noise(seed, "hills", width=0.10, octaves=6, gain=0.6)(lon, lat)
    crests = 1.0 - np.abs(Noise(seed, "crests", width=0.09, octaves=5, gain=0.5)(lon, lat)) * 2.2
    slope = 170.0 * (1.0 - x) + 560.0 * side**1.4
    west = 380.0 * smoothstep(0.45, 1.0, -x)
    ridge = 150.0 * np.exp(-(((x - RIDGE_POSITION - 0.30 * away) / 0.10) ** 2)) * (1.0 - 0.35 * side)
    wild = 0.14 + 0.86 * smoothstep(0.0, 0.9, side + west / 500.0 + ridge / 600.0)
    return np.asarray(LOWEST + slope + west + ridge + wild * (520.0 * hills + 230.0 * crests))


def refine(relief: Relief, seed: int) -> FloatArray:
    """Heights on the full grid: the coarse ones interpolated and smoothed, with fine roughness where it is steep."""
    lon, lat = GRID.centres()
    points = np.column_stack([lon.ravel(), lat.ravel()])
    smooth = blur(relief.grid.bilinear(relief.height, points).reshape(GRID.shape), radius=2)
    steep = smoothstep(1.0, 14.0, blur(slope_degrees(smooth), radius=3))
    fine = Noise(seed, "fine relief", width=0.012, octaves=4, gain=0.55)(lon, lat)
    return np.asarray(smooth + fine * (1.2 + 26.0 * steep))


def slope_degrees(height: FloatArray) -> FloatArray:
    """Slope in degrees on the full grid, by central differences."""
    down, right = np.gradient(height, GRID.cell * METRES_Y, GRID.cell * METRES_X)
    return np.asarray(np.degrees(np.arctan(np.hypot(down, right))))


def hillshade(height: FloatArray, exaggeration: float = 1.6) -> FloatArray:
    """Light on the land in 0..1 from the north-west, 45 degrees high."""
    down, right = np.gradient(height * exaggeration, GRID.cell * METRES_Y, GRID.cell * METRES_X)
    east, north = -right, down
    light = (-east * 0.5 + north * 0.5 + 0.7071) / np.sqrt(1.0 + east**2 + north**2)
    return np.asarray(np.clip(light, 0.0, 1.0))
