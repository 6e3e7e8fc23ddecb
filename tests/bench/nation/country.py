"""The country: deterministic, about 400 by 400 kilometres, written as one GeoPackage per layer in EPSG:4490.

It is made to weigh as much as a real one, not to look like it: parcels form a mesh with winding borders, classes are
scattered at random, roads and rivers are random walks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

Numbers = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]
SEED = 20260101
WEST, SOUTH, WIDTH, HEIGHT = 110.0, 28.0, 4.1, 3.6
LAYERS = ("counties", "rivers", "roads", "parcels")
PARCELS = (1000, 1000)
COUNTIES = (58, 50)
CLASSES = ("0101", "0103", "0201", "0301", "0305", "0404", "0601", "0702", "1001", "1006", "1101", "1202")
ROADS = {"G": 0.02, "S": 0.05, "X": 0.13, "Y": 0.30, "C": 0.50}
RIVERS = {1: 0.01, 2: 0.04, 3: 0.15, 4: 0.30, 5: 0.50}


def write(folder: Path) -> None:
    """Write the layers into a folder; about a minute and 1 GB."""
    random = np.random.default_rng(SEED)
    counties = mesh(random, COUNTIES, 750)
    codes = np.array([f"{420000 + number}" for number in range(len(counties))])
    _save(folder, "counties", counties, admin_code=codes, name=[f"County {code}" for code in codes])
    parcels = mesh(random, PARCELS, 4)
    numbers = np.arange(len(parcels))
    column, row = numbers // PARCELS[1], numbers % PARCELS[1]
    county = column * COUNTIES[0] // PARCELS[0] * COUNTIES[1] + row * COUNTIES[1] // PARCELS[1]
    metres = 111_320.0**2 * np.cos(np.radians(SOUTH + row / PARCELS[1] * HEIGHT))
    _save(
        folder,
        "parcels",
        parcels,
        parcel_id=[f"P{number:09d}" for number in numbers],
        class_code=random.choice(CLASSES, len(parcels)),
        area_m2=np.round(shapely.area(parcels) * metres, 1),
        admin_code=codes[county],
        updated_at=pd.Timestamp("2025-01-01") + pd.to_timedelta(random.integers(0, 31_536_000, len(parcels)), unit="s"),
    )
    roads = walks(random, 300_000, (3, 30), 0.002, 0.25)
    kinds = random.choice(list(ROADS), len(roads), p=list(ROADS.values()))
    _save(folder, "roads", roads, road_id=np.arange(len(roads)), road_class=kinds, name=_names("Road", len(roads)))
    rivers = walks(random, 50_000, (50, 500), 0.0008, 0.18)
    levels = random.choice(list(RIVERS), len(rivers), p=list(RIVERS.values()))
    _save(folder, "rivers", rivers, river_id=np.arange(len(rivers)), level=levels, name=_names("River", len(rivers)))


def mesh(random: np.random.Generator, shape: tuple[int, int], corners: int) -> Shapes:
    """Surfaces that fill the country and share their borders, each border with so many corners."""
    columns, rows = shape
    nodes = np.stack(np.meshgrid(np.arange(columns + 1.0), np.arange(rows + 1.0), indexing="ij"), axis=-1)
    nodes[1:-1, 1:-1] += random.uniform(-0.2, 0.2, (columns - 1, rows - 1, 2))
    along = _borders(random, nodes[:-1], nodes[1:], corners)
    across = _borders(random, nodes[:, :-1], nodes[:, 1:], corners)
    north_east = nodes[1:, 1:, None, :]
    # Round from the south-west node; the two borders that are walked backwards end in their first node.
    ways = [along[:, :-1], across[1:], north_east, along[:, 1:, ::-1], across[:-1, :, ::-1]]
    rings = np.concatenate(ways, axis=2).reshape(columns * rows, -1, 2)
    places = rings / (columns, rows) * (WIDTH, HEIGHT) + (WEST, SOUTH)
    surfaces = shapely.polygons(shapely.linearrings(places))
    return np.asarray(surfaces[shapely.is_valid(surfaces)], dtype=object)


def _borders(random: np.random.Generator, begins: Numbers, ends: Numbers, corners: int) -> Numbers:
    """From node to node with so many corners, winding a little to both sides; the last node is left to the next."""
    share = np.arange(corners) / corners
    waves = np.zeros((*begins.shape[:2], corners))
    for step in range(max(1, corners.bit_length() - 2)):
        phase = random.uniform(0, 2 * np.pi, (*begins.shape[:2], 1))
        waves += np.sin(2 * np.pi * 2**step * share + phase) / 2**step
    aside = (waves * 0.05 * share * (1 - share) * 4)[..., None]
    way = (ends - begins)[:, :, None, :]
    normal = np.stack([-way[..., 1], way[..., 0]], axis=-1)
    return np.asarray(begins[:, :, None, :] + way * share[:, None] + normal * aside, dtype=np.float64)


def walks(random: np.random.Generator, number: int, corners: tuple[int, int], step: float, turn: float) -> Shapes:
    """Random walks with a number of corners between two bounds, steps in degrees, turns in radians."""
    lengths = random.integers(corners[0], corners[1] + 1, number)
    begins = np.concatenate([[0], np.cumsum(lengths)])
    heading = np.cumsum(random.normal(0, turn, begins[-1]))
    heading += np.repeat(random.uniform(0, 2 * np.pi, number), lengths)
    strides = step * random.uniform(0.5, 1.5, begins[-1])
    places = np.cumsum(np.column_stack([np.cos(heading), np.sin(heading)]) * strides[:, None], axis=0)
    starts = random.uniform((WEST, SOUTH), (WEST + WIDTH, SOUTH + HEIGHT), (number, 2))
    places += np.repeat(starts - places[begins[:-1]], lengths, axis=0)
    lines = shapely.from_ragged_array(shapely.GeometryType.LINESTRING, places, (begins,))
    return np.asarray(lines, dtype=object)


def _names(word: str, number: int) -> list[str]:
    return [f"{word} {one}" for one in range(number)]


def _save(folder: Path, layer: str, geometries: Shapes, **columns: Any) -> None:
    frame = gpd.GeoDataFrame(columns, geometry=geometries, crs="EPSG:4490")
    frame.to_file(folder / f"{layer}.gpkg", layer=layer, driver="GPKG", engine="pyogrio")
