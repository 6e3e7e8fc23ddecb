"""Sections of maps against a real database: what an independent decoder finds in the cells is what lies there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import mapbox_vector_tile
import numpy as np
import pyproj
import pytest
import shapely

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.ladder import lagging, renew
from geoservice.settings import Settings
from layers.access import ANONYMOUS, Clearance, Decision, Principal, decide
from layers.catalog import Catalog
from layers.ladder import cluster_at, mosaic_at, rung_at
from layers.model import VectorLayer
from tests.support.database import copied_database
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.patches import mesh, patches
from tiles.plane import Plane, grown, map_crs, mercator_of, window
from tiles.section import SIDES, WINDOW, section_statement

POINTS = 120
ROWS = mesh(12, 12, 5)
SYSTEMS = ("EPSG:3857", "CRS:84", "EPSG:4526", "EPSG:4508")
READERS = {level: Principal("reader", level) for level in Clearance}


def crowd() -> VectorLayer:
    layer = trial_layer(
        "crowd",
        tiles={"cluster": {"below": 9}},
        style={"circle": {"colour": {"by": "name", "colours": {"a": "#111111", "b": "#222222"}}}},
        label={"zh": "name", "en": "name"},
    )
    assert isinstance(layer, VectorLayer)
    return layer


def spots() -> list[dict[str, Any]]:
    chance = np.random.default_rng(7)
    places = chance.uniform((113.2, 29.2), (114.8, 30.8), (POINTS, 2))
    levels = [None, "internal", "restricted"]
    return [
        {"code": f"c{i}", "name": "ab"[i % 2], "level": levels[i % 3], "geometry": shapely.Point(place)}
        for i, place in enumerate(places)
    ]


@pytest.fixture(scope="module")
def filled(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, Catalog]]:
    catalog = trial_catalog(patches(), crowd())
    folder: Path = tmp_path_factory.mktemp("sections")
    with copied_database(cluster_settings) as database:
        target = prepared(database, catalog)
        load_file(catalog, target, "patch", write_rows(folder / "patch.gpkg", ROWS))
        load_file(catalog, target, "crowd", write_rows(folder / "crowd.gpkg", spots()))
        for layer in lagging(database, catalog):
            renew(database, layer)
        yield database, catalog


@lru_cache
def way_to(name: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs("EPSG:4490", "OGC:CRS84" if name == "CRS:84" else name, always_xy=True)


def plane_over(name: str, box: tuple[float, float, float, float], width: int = 700) -> Plane:
    """A map of a box in degrees."""
    west, south, east, north = way_to(name).transform_bounds(*box)
    return Plane(map_crs(name), (west, south, east, north), width, round(width * (north - south) / (east - west)))


def sections(
    database: Database, layer: VectorLayer, decision: Decision, plane: Plane, exact: bool = False
) -> dict[str, list[tuple[shapely.Geometry, dict[str, Any]]]]:
    """Features of all cells, by tile layer, with shapes in points of the image."""
    level = plane.level
    step = None if exact else mosaic_at(layer, level) or cluster_at(layer, level) or rung_at(layer, level)
    statement = section_statement(layer, decision, plane.crs, step)
    found: dict[str, list[tuple[shapely.Geometry, dict[str, Any]]]] = {}
    with database.transaction(Role.OWNER) as connection:
        for cell in plane.cells():
            seen = window(plane.crs, grown(cell.box))
            assert seen is not None
            sides = seen if step is None else mercator_of(seen)
            box = dict(zip(SIDES, cell.box, strict=True))
            values = {**box, **dict(zip(WINDOW, sides, strict=True)), "z": level}
            tile = bytes(connection.execute(statement, values).scalar_one())
            decoded = mapbox_vector_tile.decode(tile, default_options={"y_coord_down": True})
            for name, content in decoded.items():
                for feature in content["features"]:
                    shape = shapely.transform(
                        shapely.geometry.shape(feature["geometry"]),
                        lambda xy, cell=cell: xy / 8 + np.array([cell.column * 512, cell.row * 512]),
                    )
                    found.setdefault(name, []).append((shape, feature["properties"]))
    return found


def in_points(plane: Plane, shape: shapely.Geometry) -> shapely.Geometry:
    """A shape in degrees, densified, in points of the image, by pyproj."""
    across, down = plane.steps
    dense = shapely.segmentize(shape, 0.01)
    flat = shapely.transform(dense, way_to(plane.crs.name).transform, interleaved=False)
    return shapely.transform(
        flat, lambda x, y: ((x - plane.box[0]) / across, (plane.box[3] - y) / down), interleaved=False
    )


@pytest.mark.parametrize("name", SYSTEMS)
def test_rows_lie_where_pyproj_puts_them(filled: tuple[Database, Catalog], name: str) -> None:
    database, catalog = filled
    layer = catalog.layer("crowd")
    assert isinstance(layer, VectorLayer)
    plane = plane_over(name, (113.0, 29.0, 115.0, 31.0))
    found = sections(database, layer, decide(READERS[Clearance.RESTRICTED], "read", layer), plane, exact=True)
    drawn = {tuple(np.round(shape.coords[0], 2)) for shape, _ in found["crowd"]}
    for row in spots():
        x, y = in_points(plane, row["geometry"]).coords[0]
        assert min(np.hypot(x - a, y - b) for a, b in drawn) < 0.2


@pytest.mark.parametrize("reader", READERS.values(), ids=lambda one: one.clearance.label)
@pytest.mark.parametrize("name", SYSTEMS)
def test_clusters_count_what_the_reader_may_see(filled: tuple[Database, Catalog], name: str, reader: Principal) -> None:
    database, catalog = filled
    layer = catalog.layer("crowd")
    assert isinstance(layer, VectorLayer)
    plane = plane_over(name, (112.5, 28.5, 115.5, 31.5), 300)
    assert cluster_at(layer, plane.level) is not None
    found = sections(database, layer, decide(reader, "read", layer), plane)["crowd"]
    # A cell of the image has a buffer: what lies in it comes twice, from two cells.
    unique = {(round(shape.x, 1), round(shape.y, 1)): about for shape, about in found}
    levels = [None, "internal", "restricted"]
    visible = sum(1 for row in spots() if levels.index(row["level"]) <= reader.clearance)
    assert sum(about.get("count", 1) for about in unique.values()) == visible
    assert any(about.get("count", 1) > 1 for about in unique.values())


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("width", [60, 250, 900])
def test_patches_cover_their_ground_at_every_scale(filled: tuple[Database, Catalog], name: str, width: int) -> None:
    """From the mosaic, from rungs and from the rows: what is drawn covers the ground of all patches."""
    database, catalog = filled
    layer = catalog.layer("patch")
    assert isinstance(layer, VectorLayer)
    ground = shapely.union_all([row["geometry"] for row in ROWS])
    west, south, east, north = ground.bounds
    wide = (east - west) / 10
    plane = plane_over(name, (west - wide, south - wide, east + wide, north + wide), width)
    found = sections(database, layer, decide(READERS[Clearance.RESTRICTED], "read", layer), plane)["patch"]
    drawn = shapely.union_all([shapely.make_valid(shape) for shape, _ in found])
    image = shapely.box(0, 0, plane.width, plane.height)
    expected = shapely.intersection(in_points(plane, ground), image)
    # A mosaic has cells of 8 points; all else is exact to a fraction of a point.
    slack = 9.0 if mosaic_at(layer, plane.level) is not None else 0.5
    assert shapely.buffer(drawn, slack).covers(expected)
    assert shapely.buffer(expected, slack + 9).covers(shapely.intersection(drawn, image))


def test_hidden_attributes_are_not_carried(filled: tuple[Database, Catalog]) -> None:
    database, catalog = filled
    layer = catalog.layer("crowd")
    assert isinstance(layer, VectorLayer)
    plane = plane_over("CRS:84", (113.0, 29.0, 115.0, 31.0))
    decision = decide(ANONYMOUS, "read", layer)
    without = Decision(decision.allowed, decision.rule, tuple(n for n in decision.attributes if n != "name"))
    found = sections(database, layer, without, plane, exact=True)["crowd"]
    assert found
    assert all(about == {} for _, about in found)
