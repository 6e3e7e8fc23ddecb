"""Tiles of long lines drawn from rows: cut before they are projected, they are what the whole lines are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mapbox_vector_tile
import morecantile
import numpy as np
import pyproj
import pytest
import shapely
import shapely.affinity
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from layers.access import ANONYMOUS, decide
from layers.model import VectorLayer
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tiles import target
from tiles.grid import web_mercator
from tiles.target import tile_values
from tiles.vector import tile_statement

QUAD = morecantile.tms.get("WebMercatorQuad")
MERCATOR = pyproj.Transformer.from_crs(4326, 3857, always_xy=True)
EXTENT, BUFFER = 4096, 64
INSIDE = shapely.box(4 - BUFFER, 4 - BUFFER, EXTENT + BUFFER - 4, EXTENT + BUFFER - 4)
"""The tile with its buffer, without the units where lines end by being clipped."""
UNITS = 1.5
"""Rounding to whole units of a tile moves a vertex by 0.71; the rest is what is allowed for an edge that was cut."""


def rivers() -> VectorLayer:
    layer = trial_layer(
        "river", geometry="line", style={"line": {"colour": "#336699"}}, time=None, row_clearance=None,
        attributes={"code": {"type": "text", "required": True}}, tiles={"from": 14, "to": 16},
    )  # fmt: skip
    assert isinstance(layer, VectorLayer)
    return layer


def courses() -> list[shapely.Geometry]:
    """Winding lines of 300 vertices that cross one another, some of several parts, and some of a few long edges."""
    random = np.random.default_rng(3)
    found: list[shapely.Geometry] = []
    for i in range(40):
        steps = random.normal([0.0006, 0.0003], 0.0006, (300, 2))
        line = shapely.LineString(np.cumsum(steps, axis=0) + np.array([105.0, 38.0]) + random.uniform(0, 0.1, 2))
        found.append(line if i % 5 else shapely.MultiLineString([line, shapely.affinity.translate(line, 0.01, 0.0)]))
    found += [shapely.LineString([(104.9, 37.95 + k / 50), (105.1, 38.05), (105.3, 38.2 - k / 90)]) for k in range(5)]
    return found


@pytest.fixture
def base(database: Database, tmp_path: Path) -> Database:
    catalog = trial_catalog(rivers())
    rows = [{"code": f"{i:03}", "geometry": shape} for i, shape in enumerate(courses())]
    load_file(catalog, prepared(database, catalog), "river", write_rows(tmp_path / "river.gpkg", rows))
    return database


def drawn(database: Database, tile: morecantile.Tile) -> dict[str, Any]:
    """Lines of a tile by key, as an independent decoder finds them."""
    statement = tile_statement(rivers(), decide(ANONYMOUS, "read", rivers()))
    with database.transaction(Role.OWNER) as connection:
        body = connection.execute(statement, tile_values(web_mercator().place(tile.z, tile.y, tile.x))).scalar_one()
    decoded = mapbox_vector_tile.decode(bytes(body), default_options={"y_coord_down": True}) if body else {}
    found = decoded.get("river", {"features": []})["features"]
    return {one["properties"]["key"]: shapely.geometry.shape(one["geometry"]) for one in found}


def expected(tile: morecantile.Tile) -> dict[str, Any]:
    """Whole lines in units of a tile: straight edges in degrees, as they are stored, projected by PROJ."""
    bounds = QUAD.xy_bounds(*tile)
    scale = EXTENT / (bounds.right - bounds.left)

    def placed(degrees: Any) -> Any:
        x, y = MERCATOR.transform(degrees[:, 0], degrees[:, 1])
        return np.column_stack([(x - bounds.left) * scale, (bounds.top - y) * scale])

    lines = {f"{i:03}": shapely.transform(shapely.segmentize(line, 0.0005), placed) for i, line in enumerate(courses())}
    return {key: line for key, line in lines.items() if line.intersection(INSIDE).length > 2}


def away(one: shapely.Geometry, other: shapely.Geometry) -> float:
    """The longest way from a place on one line, well inside the tile with its buffer, to the other line."""
    inside = shapely.segmentize(one.intersection(INSIDE), 20)
    points = shapely.points(shapely.get_coordinates(inside))
    return float(shapely.distance(points, other).max(initial=0.0))


def compared(database: Database, zooms: tuple[int, ...] = (14, 15, 16)) -> tuple[int, float]:
    """How many lines were compared, and the longest way (units) from one to the other."""
    number, farthest = 0, 0.0
    for zoom in zooms:
        for tile in QUAD.tiles(105.08, 38.04, 105.11, 38.06, [zoom]):
            found, wanted = drawn(database, tile), expected(tile)
            assert wanted.keys() <= found.keys()
            for key, line in wanted.items():
                farthest = max(farthest, away(line, found[key]), away(found[key], line))
                number += 1
    return number, farthest


def test_lines_lie_where_independent_libraries_put_them(base: Database) -> None:
    number, farthest = compared(base)
    print(f"{number} lines, {farthest:.2f} units at most")
    assert number > 100
    assert farthest < UNITS


def test_cut_too_close_they_would_end_inside_the_tile(base: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: the comparison sees where lines are cut."""
    assert compared(base, (14,))[1] < UNITS

    def narrow(_: target.Target, *, lines: bool = False) -> Any:
        assert lines
        west, south, east, north = target._doubles(target._SIDES)
        return sa.func.ST_MakeEnvelope(west, south, west + (east - west) / 2, north, 4490)

    monkeypatch.setattr(target.Target, "reach", narrow)
    with pytest.raises(AssertionError, match=r"keys|UNITS|1\.5"):
        assert compared(base, (14,))[1] < UNITS
