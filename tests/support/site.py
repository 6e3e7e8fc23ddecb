"""A small public service with a layer of every kind that tiles and maps are made of, and one that nobody may see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from geoservice.db.engine import Database
from geoservice.ladder import lagging, renew
from geoservice.settings import Settings
from ingest.raster import load_raster
from layers.catalog import Catalog
from tests.support.database import copied_database
from tests.support.loading import LEVELS, load_file, prepared, trial_layer, write_rows
from tests.support.rasters import COVER, grid, raster_layer, raster_plan, write_tif
from tests.support.service import Service, running

WEST, SOUTH, SIDE = 105.0, 38.0, 0.2
"""The south-western corner (degrees) of everything in it, and how far it reaches east and north."""

ABSTRACT = {"zh": "试验数据", "en": "Data for tests"}
RELIEF = raster_layer(
    "relief", abstract=ABSTRACT, style={"ramp": "grey", "stretch": [0, 255]}, tiles={"from": 0, "to": 12}
)
HIDDEN = "hidden"
SHOWN: dict[str, Any] = {"abstract": ABSTRACT, "row_clearance": None, "portal": {"visible": True}}
"""Layers that the portal shows at first."""


def site_catalog() -> Catalog:
    """Points with a time, lines, polygons, a raster; one layer of restricted polygons."""
    return Catalog().with_(
        [
            trial_layer("spot", label={"zh": "name", "en": "name"}, **SHOWN),
            trial_layer("field", geometry="polygon", style={"fill": "#2e8b57"}, **SHOWN),
            trial_layer("way", abstract=ABSTRACT, geometry="line", style={"line": {"colour": "#aa3333", "width": 3}}),
            trial_layer(HIDDEN, geometry="polygon", clearance="restricted", style={"fill": "#000000"}),
            RELIEF,
        ],
        [LEVELS, COVER],
    )


def spots() -> list[dict[str, Any]]:
    """Points on the diagonal, a month apart."""
    return [
        {
            "code": f"s{i}",
            "name": f"点 {i}",
            "amount": float(i),
            "seen": f"2026-{1 + i:02}-15",
            "geometry": shapely.Point(WEST + 0.005 + i / 60, SOUTH + 0.005 + i / 60),
        }
        for i in range(12)
    ]


def fields() -> list[dict[str, Any]]:
    """Two squares: the whole south, and the north-west; the north-east is empty."""
    half = SIDE / 2
    south = shapely.box(WEST, SOUTH, WEST + SIDE, SOUTH + half)
    north = shapely.box(WEST, SOUTH + half, WEST + half, SOUTH + SIDE)
    shapes = {"south": south, "north": north}
    return [{"code": name, "name": name, "amount": 1.0, "geometry": shape} for name, shape in shapes.items()]


def fill_site(database: Database, catalog: Catalog, folder: Path) -> None:
    """Load the rows and the raster, and build the ladders."""
    target = prepared(database, catalog)
    load_file(catalog, target, "spot", write_rows(folder / "spot.gpkg", spots()))
    load_file(catalog, target, "field", write_rows(folder / "field.gpkg", fields()))
    load_file(catalog, target, HIDDEN, write_rows(folder / "hidden.gpkg", fields()))
    way = shapely.LineString([(WEST, SOUTH), (WEST + SIDE, SOUTH + SIDE)])
    load_file(catalog, target, "way", write_rows(folder / "way.gpkg", [{"code": "w", "name": "way", "geometry": way}]))
    cells = np.full((20, 20), 80, dtype="float32")
    tif = write_tif(folder / "relief.tif", cells, grid(WEST, SOUTH + SIDE, SIDE / 20))
    load_raster(raster_plan(RELIEF, tif), target)
    for layer in lagging(database, catalog):
        renew(database, layer)


@contextmanager
def running_site(cluster_settings: Settings, folder: Path) -> Iterator[Service]:
    """The site over a database of its own, started."""
    catalog = site_catalog()
    with copied_database(cluster_settings) as database:
        fill_site(database, catalog, folder)
        with running(database, catalog) as service:
            yield service
